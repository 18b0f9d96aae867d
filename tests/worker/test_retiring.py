"""A model that its provider says is gone: the job gives its tokens back, and the model is marked by itself."""

from collections.abc import Sequence

import pytest

from mutoscope.domain.catalogue import Retired
from mutoscope.domain.events import PUBLIC
from mutoscope.domain.generation import FailureKind, State
from mutoscope.domain.ids import Millis
from mutoscope.store.port import StoreUnavailable
from worker.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_refused_order_marks_the_model_and_gives_the_tokens_back(bench: Bench) -> None:
    since = await bench.store.events.head()
    job = await bench.order(submit="retired")
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.RETIRED
    assert await bench.was_released(job)
    await bench.stop()
    [said] = await bench.store.models.retired()
    assert (said.model, said.upstream) == (job.pinned.model, job.pinned.upstream)
    assert said.why.startswith("The stub says")
    found = await bench.store.events.after(since, [PUBLIC], 99)
    assert found is not None
    assert [(event.kind, event.id) for event in found[0]] == [("model", job.pinned.model)]


async def test_a_model_that_ends_while_it_renders_is_marked_too(bench: Bench) -> None:
    job = await bench.order(poll="retired")
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.RETIRED
    assert await bench.was_released(job)
    await bench.stop()
    assert [said.model for said in await bench.store.models.retired()] == [job.pinned.model]


async def test_another_refusal_marks_nothing(bench: Bench) -> None:
    job = await bench.order(submit="refuse")
    bench.start()
    await bench.until(job, State.FAILED)
    await bench.stop()
    assert await bench.store.models.retired() == []


class Forgetful:
    """The models of a store that does not answer the first time, as when a worker is killed right there."""

    def __init__(self, bench: Bench) -> None:
        self._models, self.failed = bench.store.models, 0

    async def retire(self, model: str, upstream: str, why: str, now: Millis) -> bool:
        if not self.failed:
            self.failed += 1
            raise StoreUnavailable("gone for a moment")
        return await self._models.retire(model, upstream, why, now)

    async def retired(self) -> Sequence[Retired]:
        return await self._models.retired()

    async def restore(self, model: str, now: Millis) -> bool:
        return await self._models.restore(model, now)


async def test_what_was_not_marked_is_marked_by_the_next_job_and_the_first_has_its_tokens_back(bench: Bench) -> None:
    models = Forgetful(bench)
    bench.store.models = models
    job = await bench.order(submit="retired")
    bench.start()
    await bench.until(job, State.FAILED)
    assert await bench.was_released(job)
    again = await bench.order(submit="retired")
    await bench.until(again, State.FAILED)
    await bench.stop()
    assert models.failed == 1
    assert [said.model for said in await bench.store.models.retired()] == [job.pinned.model]
