"""What turns ComfyUI on."""

from mutoscope.providers.comfyui.adapter import ComfyProvider
from mutoscope.providers.comfyui.workflow import Workflows
from mutoscope.providers.port import Provider
from mutoscope.providers.setup import Setup, Tools
from mutoscope.settings import Settings

WORKFLOWS = "workflows"
"""The folder of the operator's own workflows, in the data folder."""


def _open(settings: Settings, tools: Tools) -> dict[str, Provider]:
    servers = list(dict.fromkeys(filter(None, settings.comfyui_servers.split(","))))
    if not servers:
        return {}
    return {"comfyui": ComfyProvider(servers, Workflows(tools.data / WORKFLOWS), tools.jobs.get("comfyui"))}


SETUP = Setup(name="comfyui", setting="MUTOSCOPE_COMFYUI_SERVERS", open=_open)
