"""What turns fal on."""

from mutoscope.providers.fal.adapter import HOST, FalProvider
from mutoscope.providers.port import Provider
from mutoscope.providers.setup import Setup, Tools
from mutoscope.settings import Settings


def _open(settings: Settings, tools: Tools) -> dict[str, Provider]:
    if settings.fal_key is None:
        return {}
    key, base = settings.fal_key.get_secret_value(), settings.fal_base
    return {"fal": FalProvider(key, base or HOST, tools.jobs.get("fal", 8), tools.clock)}


SETUP = Setup(name="fal", setting="FAL_KEY", open=_open)
