"""What was fetched ends in storage and gallery, or the tokens come back."""

import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from mutoscope.blobs.port import BlobInfo, Blobs, BlobsUnavailable
from mutoscope.darkroom.port import Darkroom, DarkroomBroken, Derived, Developed, MediaLimits
from mutoscope.domain.errors import StaleFence, UnknownModel
from mutoscope.domain.generation import FailureKind, State
from mutoscope.domain.ids import DAY
from mutoscope.domain.ledger import Balance
from mutoscope.domain.media import Facts, Kind, Previews, Variant
from worker.bench import GRANTED, Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_while_storage_is_down_the_bytes_wait_in_the_spool(bench: Bench) -> None:
    blobs = bench.blobs = DownBlobs(bench.blobs)
    job = await bench.order(kind=Kind.VIDEO)
    bench.start()
    waiting = await bench.until_tried(job, State.DEVELOPING, 3)
    assert waiting.captured is None
    bench.clock.forward(2 * DAY)
    blobs.down = False
    done = await bench.until(job, State.SUCCEEDED)
    assert done.captured == 10
    assert len(bench.provider.opened) == 1


async def test_a_storage_that_stays_down_for_a_week_gives_the_tokens_back_and_keeps_the_bytes(bench: Bench) -> None:
    bench.blobs = DownBlobs(bench.blobs)
    job = await bench.order()
    bench.start()
    await bench.until_tried(job, State.DEVELOPING, 1)
    bench.past(State.DEVELOPING)
    await bench.until(job, State.FAILED)
    assert await bench.was_released(job)
    assert (bench.spool.folder(job.id) / "0").exists()


async def test_a_darkroom_that_breaks_is_no_verdict_on_the_file(bench: Bench) -> None:
    bench.darkroom = BrokenDarkroom(bench.darkroom, breaks=2)
    job = await bench.order(kind=Kind.VIDEO)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert len(bench.provider.opened) == 1


async def test_bytes_that_are_no_picture_are_fetched_once_more_and_then_give_the_tokens_back(bench: Bench) -> None:
    job = await bench.order(body="wrong_type", body_times=-1)
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.UNUSABLE
    assert len(bench.provider.opened) == 2
    assert await bench.was_released(job)
    assert await bench.items(job) == []


async def test_one_unusable_result_of_two_is_not_charged_and_the_other_is_delivered(bench: Bench) -> None:
    spoiled = bench.darkroom = SpoilingDarkroom(bench.darkroom, "0")
    job = await bench.order(results=2)
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)
    assert spoiled.refused == 2
    assert done.delivered == (job.media_ids[1],)
    assert done.captured == 10
    assert await bench.balance() == Balance(available=GRANTED - 10, held=0)


async def test_spooled_bytes_that_are_gone_are_fetched_again(bench: Bench) -> None:
    blobs = bench.blobs = DownBlobs(bench.blobs)
    job = await bench.order()
    bench.start()
    await bench.until_tried(job, State.DEVELOPING, 1)
    await bench.stop()
    shutil.rmtree(bench.spool.folder(job.id))
    blobs.down = False
    bench.start("two")
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_store_that_breaks_at_publication_charges_nothing_until_it_is_published(bench: Bench) -> None:
    publish, failures = bench.store.generations.publish, [1, 1]

    async def failing(*arguments: object) -> object:
        if failures:
            failures.pop()
            raise RuntimeError("a broken client")
        return await publish(*arguments)  # pyright: ignore[reportArgumentType]

    bench.store.generations.publish = failing  # pyright: ignore[reportAttributeAccessIssue]
    job = await bench.order()
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)
    assert (done.captured, len(await bench.items(job))) == (10, 1)


async def test_a_holder_that_lost_the_job_cleans_nothing_that_the_new_one_needs(bench: Bench) -> None:
    from mutoscope.worker.develop import develop

    bench.blobs = DownBlobs(bench.blobs)
    job = await bench.order()
    bench.start()
    await bench.until_tried(job, State.DEVELOPING, 1)
    await bench.stop()
    bench.blobs.down = False
    old = await bench.get(job)
    now = bench.clock.now() + 1_000
    new = await bench.store.generations.claim(
        frozenset({State.DEVELOPING}), "new", now, now + 60_000, bench.worker().limits()
    )
    assert new is not None
    with pytest.raises(StaleFence):
        await develop(bench.worker("old"), old)
    assert (bench.spool.folder(job.id) / "0").exists()
    done = await develop(bench.worker("new"), new)
    assert (done.state, done.captured) == (State.SUCCEEDED, 10)


async def test_a_model_that_left_the_catalogue_since_keeps_no_film_from_its_owner(bench: Bench) -> None:
    def gone(model: str) -> str:
        raise UnknownModel("There is no such model here.")

    bench.model_name = gone
    job = await bench.order()
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert len(await bench.items(job)) == 1


async def test_an_item_whose_previews_cannot_be_made_is_whole_without_them(bench: Bench) -> None:
    bench.darkroom = BrokenDarkroom(bench.darkroom, breaks=0, previews=False)
    job = await bench.order(kind=Kind.VIDEO)
    bench.start()
    await bench.until(job, State.SUCCEEDED)

    async def given_up() -> bool:
        return (await bench.items(job))[0].previews is Previews.FAILED

    await until(given_up, "the end of the tries")
    assert await bench.whole((await bench.items(job))[0])


class DownBlobs:
    """Storage that is down."""

    def __init__(self, real: Blobs) -> None:
        self._real, self.down = real, True

    async def put(self, key: str, source: Path, content_type: str) -> None:
        if self.down:
            raise BlobsUnavailable("down")
        await self._real.put(key, source, content_type)

    async def head(self, key: str) -> BlobInfo:
        return await self._real.head(key)

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        return self._real.read(key, start, end)

    async def delete(self, key: str) -> None:
        await self._real.delete(key)

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        return self._real.list(prefix)

    async def presign(self, key: str, seconds: int) -> str | None:
        return None

    async def sweep(self) -> int:
        return await self._real.sweep()

    async def check(self) -> None:
        await self._real.check()


class BrokenDarkroom:
    """A darkroom that breaks some times, and that may have no way to make previews."""

    def __init__(self, real: Darkroom, breaks: int, previews: bool = True) -> None:
        self._real, self._breaks, self._previews = real, breaks, previews

    async def inspect(self, path: Path, limits: MediaLimits) -> Facts:
        return await self._real.inspect(path, limits)

    async def develop(self, path: Path, work: Path, limits: MediaLimits) -> Developed:
        if self._breaks:
            self._breaks -= 1
            raise DarkroomBroken("no memory")
        return await self._real.develop(path, work, limits)

    async def previews(self, path: Path, work: Path, limits: MediaLimits) -> Mapping[Variant, Derived]:
        if not self._previews:
            raise DarkroomBroken("no memory")
        return await self._real.previews(path, work, limits)

    def walls(self) -> Mapping[str, bool]:
        return self._real.walls()

    async def close(self) -> None:
        pass


class SpoilingDarkroom(BrokenDarkroom):
    """To which one file of a job is never readable."""

    def __init__(self, real: Darkroom, name: str) -> None:
        super().__init__(real, breaks=0)
        self._name, self.refused = name, 0

    async def develop(self, path: Path, work: Path, limits: MediaLimits) -> Developed:
        from mutoscope.darkroom.port import Unreadable

        if path.name == self._name:
            self.refused += 1
            raise Unreadable("The file is damaged.")
        return await super().develop(path, work, limits)
