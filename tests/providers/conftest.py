"""The local provider over real child processes, and orders for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pyvips
from tests.cast import ids

from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import Output, ProviderJob
from mutoscope.domain.media import Kind
from mutoscope.providers.local import LocalProvider
from mutoscope.providers.port import Canceled, Finished, Order, Pending, SourceFile

DEADLINE_S = 60


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[LocalProvider]:
    """A local provider on an empty folder."""
    darkroom = JailedDarkroom()
    local = LocalProvider(tmp_path / "local", darkroom)
    yield local
    await local.close()
    await darkroom.close()


@pytest.fixture
def picture(tmp_path: Path) -> SourceFile:
    """A small picture to start from: a gradient with a bright square in it."""
    image: Any = pyvips.Image.xyz(160, 120)
    image = image.bandjoin(200).draw_rect([250, 240, 120], 60, 40, 30, 30, fill=True).cast("uchar")
    path = tmp_path / "picture"
    path.write_bytes(image.copy(interpretation="srgb").jpegsave_buffer())
    return SourceFile(path=path, mime_type="image/jpeg", width=160, height=120)


async def kept(spool: Path, place: int, chunks: AsyncIterator[bytes]) -> Output:
    """As the worker keeps a result that came with the answer, in a file of the spool."""
    (spool / str(place)).write_bytes(b"".join([chunk async for chunk in chunks]))
    return Output(spooled=str(place))


def order(spool: Path, upstream: str, source: SourceFile | None = None, **fields: Any) -> Order:
    """An order: small and short, unless the test says otherwise."""
    parameters = {"size": "96x64"} | ({} if upstream == "still" else {"duration_s": 1})
    parameters |= fields.pop("parameters", {})
    defaults: dict[str, Any] = {
        "reference": ids.new("gen"),
        "prompt": "blue waves at night",
        "negative_prompt": "",
        "seed": 7,
        "results": 1,
        "keep": partial(kept, spool),
    }
    kind = Kind.IMAGE if upstream == "still" else Kind.VIDEO
    return Order(upstream=upstream, kind=kind, parameters=parameters, source=source, spool=spool, **(defaults | fields))


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, with a deadline."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, f"in {DEADLINE_S} s there was no: {what}"
        await asyncio.sleep(0.01)


async def finished(local: LocalProvider, job: ProviderJob, seen: list[float] | None = None) -> Finished:
    """Poll until it is done; progress goes into ``seen``."""
    ends = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends:
        answer = await local.poll(job)
        assert not isinstance(answer, Canceled)
        if isinstance(answer, Finished):
            return answer
        assert isinstance(answer, Pending)
        assert answer.progress is not None
        if seen is not None:
            seen.append(answer.progress)
        await asyncio.sleep(0.01)
    raise AssertionError(f"not done in {DEADLINE_S} s")


async def content(local: LocalProvider, done: Finished, place: int = 0) -> bytes:
    """The bytes of a result."""
    return b"".join([chunk async for chunk in local.open(done.outputs[place])])


async def made(local: LocalProvider, wish: Order) -> bytes:
    """Order it, wait, and take the first result."""
    accepted = await local.submit(wish)
    return await content(local, await finished(local, accepted.job))
