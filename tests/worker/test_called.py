"""What the worker makes of a provider's call that named a job whose answer was lost."""

import pytest

from mutoscope.domain.generation import Generation, ProviderJob, State
from mutoscope.store.port import Limits
from mutoscope.worker.order import order_for
from worker.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERYTHING = Limits(per_provider={}, per_person=100)


async def named(bench: Bench, job: Generation) -> ProviderJob:
    """The job that the stub would name: asked for in another way than the worker has."""
    asked = bench.stub.provider()
    found = await asked.find(job.id)
    await asked.close()
    assert isinstance(found, ProviderJob)
    return found


async def test_a_call_before_the_answer_was_known_to_be_lost_saves_the_job(bench: Bench) -> None:
    job = await bench.order()
    now, generations = bench.clock.now(), bench.store.generations
    claimed = await generations.claim(frozenset({State.QUEUED}), "dead", now, now + 1, EVERYTHING)
    assert claimed is not None
    await generations.begin(claimed.id, claimed.fence, now, now + 1)
    await bench.provider.submit(await order_for(bench.worker(), job))
    assert await bench.store.hooks.record("stub", "d-1", job.id, now, await named(bench, job))
    bench.provider.can_be_asked = False
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_call_about_an_unknown_outcome_ends_the_waiting(bench: Bench) -> None:
    bench.provider.can_be_asked = False
    job = await bench.order(submit="drop_after")
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    await bench.store.hooks.record("stub", "d-1", job.id, bench.clock.now(), await named(bench, job))
    await bench.store.generations.wake(job.id, bench.clock.now())
    done = await bench.until(job, State.SUCCEEDED)
    assert done.captured == 10
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_call_of_another_provider_names_nothing(bench: Bench) -> None:
    bench.provider.can_be_asked = False
    job = await bench.order(submit="drop_after")
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    await bench.store.hooks.record("another", "d-1", job.id, bench.clock.now(), await named(bench, job))
    await bench.store.generations.wake(job.id, bench.clock.now())
    tried = await bench.until_tried(job, State.OUTCOME_UNKNOWN, 2)
    assert tried.job is None
