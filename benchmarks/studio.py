"""The studio as `mutoscope serve` runs it, with another provider: ``python -m benchmarks.studio DATA PROVIDER_ADDRESS``."""

import asyncio
import functools
import json
import sys
from pathlib import Path

from mutoscope import logs
from mutoscope.cli.serving import serve
from mutoscope.settings import load_settings
from mutoscope.wiring import Running, open_studio
from stubs.adapter import StubProvider

CATALOGUE = """
[[model]]
id = "stub/film"
provider = "stub"
upstream = "film"
name = "Stub film"
description = "A film that is ready."
kind = "video"
price = { base = 1 }
typical_ms = 200
"""


async def main(data: Path, provider: str) -> None:
    """Serve until ended."""

    async def ready(running: Running) -> None:
        print(json.dumps({"base_url": running.studio.base_url}), flush=True)

    settings = load_settings(data)
    logs.configure(settings)
    await serve(settings, ready, functools.partial(open_studio, providers={"stub": StubProvider(provider)}))


def prepare(data: Path) -> None:
    """The folder, with a catalogue in it."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "catalogue.toml").write_text(CATALOGUE)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
