"""Several machines share the store: what one of them holds is waited for, or made again where that costs nothing."""

import asyncio

import pytest

from mutoscope.domain.generation import TAKEN_OVER_AFTER_MS, Generation, Output, State
from mutoscope.domain.ids import MINUTE
from mutoscope.store.port import Patch
from stubs.samples import samples
from worker.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def spooled_at(bench: Bench, place: str) -> Generation:
    """A job whose only bytes came with the provider's answer, into the spool of that place."""
    job = await bench.order()
    worker = bench.worker(place=place)
    now = bench.clock.now()
    claimed = await bench.store.generations.claim(
        frozenset({State.QUEUED}), "w", now, now + MINUTE, worker.limits(), place
    )
    assert claimed is not None
    begun = await bench.store.generations.begin(job.id, claimed.fence, now, now + MINUTE)
    outputs = (Output(spooled="0", place=place),)
    return await bench.store.generations.advance(
        job.id, begun.fence, State.SUBMITTING, State.FETCHING, now, Patch(outputs=outputs, submitted_at=now)
    )


async def test_bytes_that_are_at_another_place_alone_are_waited_for_and_never_given_up(bench: Bench) -> None:
    job = await spooled_at(bench, "far")
    bench.clock.forward(TAKEN_OVER_AFTER_MS)
    bench.start(place="near")
    waits = await bench.until_tried(job, State.FETCHING, 1)
    assert waits.home == "far"
    await bench.stop()
    spool = bench.worker(place="far").spool
    (spool.folder(job.id) / "0").write_bytes(samples(bench.tmp_path)["image"])
    bench.clock.forward(MINUTE)
    bench.start(place="far")
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 0, "paid": 0}


async def test_a_job_that_is_lost_with_its_machine_is_made_again_where_that_is_free(bench: Bench) -> None:
    bench.provider.idempotent_by_reference = bench.provider.repeats_free = True
    job = await bench.order(poll="gone", poll_times=1)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert (await bench.counts(job))["asked"] == 2


async def test_a_lost_job_that_costs_money_is_not_ordered_again(bench: Bench) -> None:
    job = await bench.order(poll="gone", poll_times=1)
    bench.start()
    await bench.until(job, State.FAILED)
    assert (await bench.counts(job))["asked"] == 1
    assert await bench.was_released(job)


async def test_two_places_share_the_work_without_getting_in_each_others_way(bench: Bench) -> None:
    jobs = [await bench.order() for _ in range(12)]
    bench.start("one", "near")
    bench.start("two", "far")
    done = await asyncio.gather(*(bench.until(job, State.SUCCEEDED) for job in jobs))
    assert {job.home for job in done} <= {"near", "far"}
    for job in jobs:
        assert await bench.counts(job) == {"asked": 1, "paid": 1}
