"""A failed fetch fetches again; it never makes the provider generate again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mutoscope.domain.generation import FailureKind, State
from mutoscope.domain.media import Kind
from mutoscope.spool import Spool, SpoolFull, Written
from worker.bench import Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("how", ["cut", "wrong_length", "error", "silent", "wrong_type", "other_kind"])
async def test_done_at_the_provider_and_not_downloadable_is_fetched_again_and_never_generated_again(
    bench: Bench, how: str
) -> None:
    job = await bench.order(body=how, kind=Kind.VIDEO)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    [item] = await bench.items(job)
    assert item.facts.kind is Kind.VIDEO
    assert await bench.whole(item)
    assert len(bench.provider.opened) == 2
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_dead_address_is_renewed_at_the_provider(bench: Bench) -> None:
    job = await bench.order(body="expired", body_times=2)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert len(set(bench.provider.opened)) == 3
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_result_that_the_provider_no_longer_has_gives_the_tokens_back_and_says_so(bench: Bench) -> None:
    job = await bench.order(body="expired", body_times=-1, poll="lost", poll_times=2)
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.EXPIRED
    assert await bench.was_released(job)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_the_answer_of_a_provider_that_keeps_no_job_cannot_be_renewed(bench: Bench) -> None:
    job = await bench.order(submit="at_once", body="expired", body_times=-1)
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.EXPIRED
    assert await bench.was_released(job)


async def test_a_fetch_that_never_succeeds_ends_at_its_deadline_with_release(bench: Bench) -> None:
    job = await bench.order(body="error", body_times=-1)
    bench.start()
    await bench.until_tried(job, State.FETCHING, 3)
    bench.past(State.FETCHING)
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.TIMED_OUT
    assert await bench.was_released(job)
    assert (await bench.counts(job))["paid"] == 1


async def test_with_a_full_disk_the_result_waits_and_nothing_is_lost(bench: Bench) -> None:
    spool = bench.spool = FullSpool(bench.tmp_path / "spool")
    job = await bench.order()
    bench.start()
    await bench.until_tried(job, State.FETCHING, 3)
    spool.full = False
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_what_is_whole_in_the_spool_is_not_fetched_again(bench: Bench) -> None:
    spool = bench.spool = FullSpool(bench.tmp_path / "spool", after=1)
    job = await bench.order(results=2)
    bench.start()
    await bench.until_tried(job, State.FETCHING, 2)
    spool.full = False
    await bench.until(job, State.SUCCEEDED)
    first = [url for url in bench.provider.opened if "/outputs/0?" in url]
    assert len(first) == 1


async def test_a_result_over_the_limit_is_not_taken_and_gives_the_tokens_back(bench: Bench) -> None:
    bench.limits = type(bench.limits)(size_bytes=100, pixels=10_000_000, duration_s=60.0)
    job = await bench.order()
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.UNUSABLE
    assert await bench.was_released(job)


async def test_a_provider_that_was_switched_off_after_the_result_is_waited_for(bench: Bench) -> None:
    job = await bench.order(finish_after_s=0.1, body="error", body_times=2)
    bench.start()
    await bench.until(job, State.FETCHING)
    provider, bench.provider = bench.provider, type(bench.provider)(bench.provider.address, name="another")
    await bench.stop()
    bench.start("without")
    seen = (await bench.get(job)).attempts
    await bench.until_tried(job, State.FETCHING, seen + 2)
    await bench.stop()
    await bench.provider.close()
    bench.provider = provider
    bench.start("with")
    await bench.until(job, State.SUCCEEDED)


async def test_a_late_result_that_has_gone_meanwhile_fails_again_and_charges_nothing(bench: Bench) -> None:
    job = await bench.order(end="fail")
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.job is not None
    late = await bench.store.generations.late(job.id, bench.clock.now(), failed.job)

    async def failed_again() -> bool:
        now_is = await bench.get(job)
        return now_is.state is State.FAILED and now_is.version > late.version

    await until(failed_again, "the second failure")
    assert await bench.was_released(job)


class FullSpool(Spool):
    """A spool on a disk that is full after some files."""

    def __init__(self, root: Path, after: int = 0) -> None:
        super().__init__(root)
        self.full, self._room = True, after

    async def write(
        self, path: Path, chunks: AsyncIterator[bytes], limit_bytes: int, *, hashed: bool = True
    ) -> Written:
        """As the disk allows."""
        if self.full and not self._room:
            raise SpoolFull("full")
        self._room -= 1
        return await super().write(path, chunks, limit_bytes, hashed=hashed)
