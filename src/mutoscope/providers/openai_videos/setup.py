"""What turns video servers on, each by its own name."""

from mutoscope.provider_settings import named
from mutoscope.providers.openai_videos.adapter import VideoServer
from mutoscope.providers.port import Provider
from mutoscope.providers.setup import Setup, Tools
from mutoscope.settings import Settings

SLOTS = 2
"""Most servers make one film at a time: one is made, one waits. What waits there is lost when the server stops."""


def _open(settings: Settings, tools: Tools) -> dict[str, Provider]:
    secret = settings.video_server_keys
    keys = named(secret.get_secret_value()) if secret is not None else {}
    servers: dict[str, Provider] = {}
    for name, address in named(settings.video_servers).items():
        server = VideoServer(name, address, keys.get(name), tools.jobs.get(f"videos/{name}", SLOTS))
        servers[server.name] = server
    return servers


SETUP = Setup(name="videos", setting="MUTOSCOPE_VIDEO_SERVERS", open=_open)
