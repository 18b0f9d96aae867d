"""The source picture goes to the provider as the job was accepted with it, made once, and never half."""

import os
from pathlib import Path
from typing import Any

import pytest
import pyvips

from cast import ids
from darkroom import reel
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Darkroom, DarkroomBroken, MediaLimits
from mutoscope.domain.generation import FailureKind, Generation, Source, State
from mutoscope.domain.media import source_key
from mutoscope.domain.source import SourceFit
from mutoscope.providers.port import Accepted, Finished, Order, SourceFile
from mutoscope.store.port import Limits
from mutoscope.worker.order import FITTED, SOURCE, order_for
from stubs.adapter import StubProvider
from worker.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDE = SourceFit(width=128, height=72, crop=True, format="jpeg")
EVERYTHING = Limits(per_provider={}, per_person=100)


async def stored(bench: Bench, path: Path, size: tuple[int, int] = (200, 160)) -> Source:
    key = source_key(ids.new("gen"), "image/png")
    await bench.blobs.put(key, path, "image/png")
    size_bytes = (await bench.blobs.head(key)).size_bytes
    return Source(key=key, mime_type="image/png", width=size[0], height=size[1], size_bytes=size_bytes, sha256="0" * 64)


async def picture(bench: Bench) -> Source:
    """A real picture of 200 x 160 pixels in the blob store."""
    return await stored(bench, reel.still(bench.tmp_path / "upload.png", (200, 160)))


async def spoiled(bench: Bench) -> Source:
    path = bench.tmp_path / "upload.png"
    path.write_bytes(reel.png_header(200, 160))
    return await stored(bench, path)


def seen(path: Path) -> tuple[str, int, int]:
    image: Any = pyvips.Image.new_from_file(str(path))
    return image.get("vips-loader"), image.width, image.height


async def test_the_provider_gets_the_picture_as_the_job_was_accepted_with_it(bench: Bench) -> None:
    bench.provider = Looking(bench.provider)
    job = await bench.order(source=await picture(bench), fit=WIDE)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    [(source, found)] = bench.provider.found
    assert (source.mime_type, source.width, source.height) == ("image/jpeg", 128, 72)
    assert found == ("jpegload", 128, 72)


async def test_a_job_without_a_fit_hands_over_the_picture_untouched(bench: Bench) -> None:
    bench.darkroom = room = FaultyDarkroom(bench.darkroom)
    source = await picture(bench)
    order = await order_for(bench.worker(), await bench.order(source=source))
    path = bench.spool.folder(order.reference) / SOURCE
    assert order.source == SourceFile(path=path, mime_type="image/png", width=200, height=160)
    assert path.read_bytes() == (bench.tmp_path / "upload.png").read_bytes()
    assert room.fits == 0


async def test_the_picture_is_made_once_for_all_tries_and_anew_when_it_is_gone(bench: Bench) -> None:
    bench.darkroom = room = FaultyDarkroom(bench.darkroom)
    source = await picture(bench)
    job = await bench.order(source=source, fit=WIDE)
    first = await order_for(bench.worker(), job)
    folder = bench.spool.folder(job.id)
    assert sorted(os.listdir(folder)) == [SOURCE, FITTED]
    (folder / SOURCE).unlink()
    again = await order_for(bench.worker("two"), job)
    assert (first.source, room.fits) == (again.source, 1)
    assert sorted(os.listdir(folder)) == [FITTED], "what is made needs no second look at the original"
    (folder / FITTED).unlink()
    assert (await order_for(bench.worker("two"), job)).source == first.source
    assert (room.fits, seen(folder / FITTED)) == (2, ("jpegload", 128, 72))


async def test_a_crash_while_it_is_made_leaves_nothing_under_its_name(bench: Bench) -> None:
    real, bench.darkroom = bench.darkroom, HalfDarkroom()
    job = await bench.order(source=await picture(bench), fit=WIDE)
    with pytest.raises(PowerFailure):
        await order_for(bench.worker(), job)
    folder = bench.spool.folder(job.id)
    assert sorted(os.listdir(folder)) == [SOURCE, f"{FITTED}.0.part"]
    bench.darkroom = real
    assert (await order_for(bench.worker(), job)).source
    assert seen(folder / FITTED) == ("jpegload", 128, 72)


async def test_a_picture_that_cannot_be_decoded_fails_with_release_and_nothing_is_asked(bench: Bench) -> None:
    job = await bench.order(source=await spoiled(bench), fit=WIDE)
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.INVALID
    assert failed.failure.message.startswith("The source picture cannot be used. The file is ")
    assert await bench.was_released(job)
    assert (await bench.counts(job))["asked"] == 0


async def test_a_darkroom_that_breaks_is_tried_again(bench: Bench) -> None:
    bench.darkroom = room = FaultyDarkroom(bench.darkroom, breaks=3)
    job = await bench.order(source=await picture(bench), fit=WIDE)
    bench.start()
    await bench.until_tried(job, State.QUEUED, 2)
    assert (await bench.counts(job))["asked"] == 0
    await bench.until(job, State.SUCCEEDED)
    assert room.fits == 4
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_what_was_taken_in_is_made_to_fit_also_when_the_limits_are_narrower_by_now(bench: Bench) -> None:
    job = await bench.order(source=await picture(bench), fit=WIDE)
    bench.limits = MediaLimits(size_bytes=10, pixels=10, duration_s=60.0)
    assert (await order_for(bench.worker(), job)).source == SourceFile(
        path=bench.spool.folder(job.id) / FITTED, mime_type="image/jpeg", width=128, height=72
    )


async def test_a_recovered_job_whose_picture_breaks_the_darkroom_waits_and_then_asks_by_its_reference(
    bench: Bench,
) -> None:
    bench.provider.idempotent_by_reference = True
    bench.darkroom = room = FaultyDarkroom(bench.darkroom, breaks=2)
    job = await begun(bench, await picture(bench))
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert room.fits == 3
    assert (await bench.counts(job))["paid"] == 1


async def test_a_recovered_job_whose_picture_cannot_be_decoded_fails_with_release(bench: Bench) -> None:
    bench.provider.idempotent_by_reference = True
    job = await begun(bench, await spoiled(bench))
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.INVALID
    assert await bench.was_released(job)


async def begun(bench: Bench, source: Source) -> Generation:
    """A job whose worker was killed right after the commit of its intent."""
    job, now = await bench.order(source=source, fit=WIDE), bench.clock.now()
    claimed = await bench.store.generations.claim(frozenset({State.QUEUED}), "dead", now, now + 1, EVERYTHING)
    assert claimed is not None
    await bench.store.generations.begin(job.id, claimed.fence, now, now + 1)
    return job


class Looking(StubProvider):
    """Looks at the pictures that go out."""

    def __init__(self, other: StubProvider) -> None:
        super().__init__(other.address)
        self.other, self.found = other, list[tuple[SourceFile, tuple[str, int, int]]]()

    async def submit(self, order: Order) -> Accepted | Finished:
        assert order.source is not None
        self.found.append((order.source, seen(order.source.path)))
        return await super().submit(order)

    async def close(self) -> None:
        await super().close()
        await self.other.close()


class FaultyDarkroom(JailedDarkroom):
    """The real one, that breaks over some pictures before it makes them fit."""

    def __init__(self, real: Darkroom, breaks: int = 0) -> None:
        assert isinstance(real, JailedDarkroom)
        super().__init__()
        self.sandbox, self.breaks, self.fits = real.sandbox, breaks, 0

    async def fit(self, path: Path, target: Path, fit: SourceFit, limits: MediaLimits) -> None:
        self.fits += 1
        if self.fits <= self.breaks:
            raise DarkroomBroken("no memory")
        await super().fit(path, target, fit, limits)


class PowerFailure(BaseException):
    """Nothing runs after it, not even what cleans up."""


class HalfDarkroom(JailedDarkroom):
    """Where the power fails in the middle of a picture."""

    async def fit(self, path: Path, target: Path, fit: SourceFit, limits: MediaLimits) -> None:
        target.with_name(f"{target.name}.part").write_bytes(b"half a pic")
        raise PowerFailure
