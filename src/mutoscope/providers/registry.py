"""The providers that there are, a line for each. Each folder says itself what turns it on; only the wiring looks here."""

from collections.abc import Mapping

from mutoscope.providers.comfyui.setup import SETUP as COMFYUI
from mutoscope.providers.fal.setup import SETUP as FAL
from mutoscope.providers.openai_images.setup import SETUP as OPENAI_IMAGES
from mutoscope.providers.openai_videos.setup import SETUP as OPENAI_VIDEOS
from mutoscope.providers.port import Provider
from mutoscope.providers.replicate.setup import SETUP as REPLICATE
from mutoscope.providers.setup import Setup, Tools
from mutoscope.providers.stability.setup import SETUP as STABILITY
from mutoscope.settings import Settings

SETUPS: tuple[Setup, ...] = (STABILITY, OPENAI_VIDEOS, OPENAI_IMAGES, REPLICATE, FAL, COMFYUI)


def open_providers(settings: Settings, tools: Tools) -> dict[str, Provider]:
    """Those that the settings turn on, by name; some settings name several servers of one kind."""
    return {name: provider for setup in SETUPS for name, provider in setup.open(settings, tools).items()}


def switches() -> Mapping[str, str]:
    """By the name of a provider, the setting that turns it on."""
    return {setup.name: setup.setting for setup in SETUPS}
