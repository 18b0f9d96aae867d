"""What turns Replicate on."""

from mutoscope.providers.port import Provider
from mutoscope.providers.replicate.adapter import HOST, ReplicateProvider
from mutoscope.providers.setup import Setup, Tools
from mutoscope.settings import Settings


def _open(settings: Settings, tools: Tools) -> dict[str, Provider]:
    if settings.replicate_api_token is None:
        return {}
    token, base = settings.replicate_api_token.get_secret_value(), settings.replicate_base
    slots = tools.jobs.get("replicate", 16)
    return {"replicate": ReplicateProvider(token, base or HOST, slots, clock=tools.clock)}


SETUP = Setup(name="replicate", setting="REPLICATE_API_TOKEN", open=_open)
