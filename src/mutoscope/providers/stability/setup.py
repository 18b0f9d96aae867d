"""What turns Stability AI on."""

from mutoscope.providers.port import Provider
from mutoscope.providers.setup import Setup, Tools
from mutoscope.providers.stability.adapter import HOST, StabilityProvider
from mutoscope.settings import Settings


def _open(settings: Settings, tools: Tools) -> dict[str, Provider]:
    if settings.stability_api_key is None:
        return {}
    key, base = settings.stability_api_key.get_secret_value(), settings.stability_api_base
    return {"stability": StabilityProvider(key, base or HOST, tools.jobs.get("stability", 8))}


SETUP = Setup(name="stability", setting="STABILITY_API_KEY", open=_open)
