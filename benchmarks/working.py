"""A worker as `mutoscope worker` runs it, with a provider that answers at once: ``python -m benchmarks.working DATA jail|none``.

``none`` takes the darkroom away too: each picture comes back as if it had been developed, with no files beside it.
"""

import asyncio
import functools
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import mutoscope.wiring as wiring
from cast import facts
from mutoscope import logs
from mutoscope.cli.serving import work
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Derived, Developed, MediaLimits
from mutoscope.domain.generation import Output, ProviderJob
from mutoscope.domain.media import Kind, Variant
from mutoscope.providers.port import Finished, Order
from mutoscope.settings import load_settings
from stubs.adapter import StubProvider
from stubs.samples import samples

SLOTS = 1_000


class AtOnce(StubProvider):
    """Has every picture ready when it is asked, in this very process."""

    def __init__(self, picture: bytes) -> None:
        super().__init__("http://localhost", slots=SLOTS)
        self._picture = picture

    async def submit(self, order: Order) -> Finished:
        return Finished(outputs=(Output(url=f"/{order.reference}"),))

    async def open(self, output: Output) -> AsyncIterator[bytes]:
        yield self._picture

    async def forget(self, job: ProviderJob) -> None:
        pass


class NoDarkroom(JailedDarkroom):
    """Looks at nothing and makes nothing."""

    async def develop(self, path: Path, work: Path, limits: MediaLimits) -> Developed:
        none: Mapping[Variant, Derived] = {}
        return Developed(facts=facts(Kind.IMAGE), placeholder="1QcSHQRnh493V4dIh4eXh1h4kJUI", files=none)


async def main(data: Path, darkroom: str) -> None:
    """Work until ended."""

    async def ready(_: wiring.Running) -> None:
        print(json.dumps({"base_url": ""}), flush=True)

    if darkroom == "none":
        wiring.JailedDarkroom = NoDarkroom
    settings = load_settings(data)
    logs.configure(settings)
    provider = AtOnce(samples(data)["image"])
    await work(settings, ready, functools.partial(wiring.open_studio, providers={"stub": provider}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
