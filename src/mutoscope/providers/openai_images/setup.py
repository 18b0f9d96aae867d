"""What turns OpenAI's images on."""

from mutoscope.providers.openai_images.adapter import HOST, OpenAIImages
from mutoscope.providers.port import Provider
from mutoscope.providers.setup import Setup, Tools
from mutoscope.settings import Settings


def _open(settings: Settings, tools: Tools) -> dict[str, Provider]:
    if settings.openai_api_key is None:
        return {}
    key, base = settings.openai_api_key.get_secret_value(), settings.openai_base_url
    return {"openai": OpenAIImages(key, base or HOST, tools.jobs.get("openai", 8))}


SETUP = Setup(name="openai", setting="OPENAI_API_KEY", open=_open)
