"""A provider is asked once, unless it surely did not take the first request."""

import asyncio
from typing import Any

import pytest

from mutoscope.domain.generation import FailureKind, Generation, State
from mutoscope.domain.ids import HOUR, MINUTE
from mutoscope.domain.ledger import Balance
from mutoscope.providers.port import Accepted, Finished, Order
from mutoscope.store.port import Limits
from mutoscope.worker.order import order_for
from stubs.adapter import StubProvider
from worker.bench import GRANTED, QUICK, Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERYTHING = Limits(per_provider={}, per_person=100)


@pytest.mark.parametrize("how", ["rate_limit", "busy"])
async def test_a_request_that_was_surely_not_taken_is_made_again(bench: Bench, how: str) -> None:
    job = await bench.order(submit=how, submit_times=3)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 4, "paid": 1}


async def test_a_provider_that_says_how_long_to_wait_is_not_asked_earlier(bench: Bench) -> None:
    job = await bench.order(submit="rate_limit", retry_after_s=3600)
    bench.start()

    async def back() -> bool:
        now_is = await bench.get(job)
        return now_is.state is State.QUEUED and now_is.due_at > bench.clock.now() + HOUR - MINUTE

    await until(back, "the pause that was asked for")
    assert (await bench.counts(job))["asked"] == 1


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("refuse", FailureKind.INVALID),
        ("moderate", FailureKind.MODERATED),
        ("unauthorized", FailureKind.UNAUTHORIZED),
        ("credit", FailureKind.OUT_OF_CREDIT),
        ("retired", FailureKind.RETIRED),
    ],
)
async def test_a_refusal_is_an_answer_and_gives_the_tokens_back(bench: Bench, how: str, kind: FailureKind) -> None:
    job = await bench.order(submit=how)
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is kind
    assert failed.failure.message.startswith("The stub says")
    assert await bench.was_released(job)
    assert await bench.counts(job) == {"asked": 1, "paid": 0}


@pytest.mark.parametrize("how", ["drop_after", "strange"])
async def test_a_lost_answer_is_found_by_reference_and_not_ordered_again(bench: Bench, how: str) -> None:
    job = await bench.order(submit=how)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_request_that_the_provider_never_had_is_made_again(bench: Bench) -> None:
    job = await bench.order(submit="drop_before", submit_times=1)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 2, "paid": 1}


async def test_never_had_it_is_not_believed_while_the_request_may_be_on_its_way(bench: Bench) -> None:
    bench.turn(gone_after_ms=10 * MINUTE)
    job = await bench.order(submit="drop_before")
    bench.start()
    await bench.until_tried(job, State.SUBMITTING, 2)
    waits = await bench.get(job)
    assert waits.due_at >= waits.stage_since + 10 * MINUTE
    assert (await bench.counts(job))["asked"] == 1


async def test_a_lost_answer_of_a_provider_that_is_idempotent_by_reference_is_asked_for_again(bench: Bench) -> None:
    bench.provider.idempotent_by_reference = True
    job = await bench.order(submit="drop_after", submit_times=2)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 3, "paid": 1}


@pytest.mark.parametrize("how", ["drop_before", "drop_after"])
async def test_an_outcome_that_nobody_can_tell_is_never_repeated_silently(bench: Bench, how: str) -> None:
    bench.provider.can_be_asked = False
    job = await bench.order(submit=how)
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    assert await bench.balance() == Balance(available=GRANTED - 10, held=10)
    bench.past(State.OUTCOME_UNKNOWN)
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.TIMED_OUT
    assert await bench.was_released(job)
    assert (await bench.counts(job))["asked"] == 1


async def test_an_unknown_outcome_is_resolved_when_the_provider_can_tell_after_all(bench: Bench) -> None:
    bench.provider.can_be_asked = False
    job = await bench.order(submit="drop_after")
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    bench.provider.can_be_asked = True
    await bench.store.generations.wake(job.id, bench.clock.now())
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_cancel_of_an_unknown_outcome_waits_for_it_and_gives_the_tokens_back_at_the_deadline(
    bench: Bench,
) -> None:
    bench.provider.can_be_asked = False
    job = await bench.order(submit="drop_after", cancel_fee=3)
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    noted = await bench.store.generations.cancel(job.id, bench.clock.now())
    assert noted.state is State.OUTCOME_UNKNOWN
    bench.past(State.OUTCOME_UNKNOWN)
    await bench.until(job, State.CANCELED)
    assert await bench.was_released(job)


async def test_an_intent_that_took_half_the_lease_to_be_written_down_goes_back_to_the_queue_before_anything_is_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.provider.can_be_asked = False
    begin, asked = bench.store.generations.begin, list[int]()

    async def slow_at_first(*about: Any) -> Generation:
        asked.append((await bench.counts(job)).get("asked", 0))
        begun = await begin(*about)
        if len(asked) == 1:
            bench.clock.forward(QUICK.lease_ms // 2 + 1)
        return begun

    monkeypatch.setattr(bench.store.generations, "begin", slow_at_first)
    job = await bench.order()
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert asked == [0, 0]
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_crash_between_intent_and_answer_is_looked_into_before_anything_is_asked(bench: Bench) -> None:
    job = await bench.order()
    await _begin_and_die(bench)
    await _ask(bench, job)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_crash_between_intent_and_request_asks_once(bench: Bench) -> None:
    job = await bench.order()
    await _begin_and_die(bench)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_bytes_that_were_whole_in_the_spool_before_a_crash_are_the_result(bench: Bench) -> None:
    bench.provider.can_be_asked = False
    job = await bench.order(results=2)
    await _begin_and_die(bench)
    sample = bench.stub.folder / "sample.png"
    (bench.spool.folder(job.id) / "0").write_bytes(sample.read_bytes())
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)
    assert done.captured == 10
    assert await bench.counts(job) == {"asked": 0, "paid": 0}


async def test_an_adapter_that_breaks_after_the_intent_is_not_run_again(bench: Bench) -> None:
    bench.provider.can_be_asked = False
    bench.provider = Breaking(bench.provider)
    job = await bench.order()
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    assert bench.provider.asked == 1


async def test_a_source_picture_reaches_the_provider(bench: Bench) -> None:
    bench.provider = Watched(bench.provider)
    job = await bench.order(source=await bench.picture())
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert bench.provider.sources == [b"a picture, as far as the stub cares"]


async def test_a_source_picture_that_is_gone_fails_with_release_and_nothing_is_asked(bench: Bench) -> None:
    source = await bench.picture()
    await bench.blobs.delete(source.key)
    job = await bench.order(source=source)
    bench.start()
    await bench.until(job, State.FAILED)
    assert await bench.was_released(job)
    assert (await bench.counts(job))["asked"] == 0


async def test_nothing_is_ordered_while_there_is_no_room_for_a_result(bench: Bench) -> None:
    bench.turn(free_bytes=1 << 60)
    job = await bench.order()
    full = bench.start()
    await bench.until_tried(job, State.QUEUED, 2)
    assert (await bench.counts(job))["asked"] == 0
    await full.stop()
    bench.numbers = QUICK
    bench.start("two")
    await bench.until(job, State.SUCCEEDED)


async def test_a_job_that_nobody_took_for_a_day_gives_its_tokens_back_without_being_asked(bench: Bench) -> None:
    job = await bench.order(submit="busy")
    bench.start()

    async def refused_twice() -> bool:
        return (await bench.counts(job))["asked"] >= 2

    await until(refused_twice, "two refusals")
    bench.past(State.QUEUED)
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.TIMED_OUT
    assert await bench.was_released(job)


async def test_a_job_asks_the_provider_that_it_was_accepted_for_or_none(bench: Bench) -> None:
    job = await bench.order()
    right, bench.provider = bench.provider, StubProvider(bench.provider.address, name="another")
    other = bench.start()
    await bench.until_tried(job, State.QUEUED, 2)
    await other.stop()
    await bench.provider.close()
    bench.provider = right
    assert (await bench.counts(job))["asked"] == 0
    bench.start("two")
    await bench.until(job, State.SUCCEEDED)


async def test_limits_hold_while_many_jobs_wait(bench: Bench) -> None:
    bench.provider = Watched(bench.provider)
    bench.provider.slots = 2
    jobs = [await bench.order(submit_delay_s=0.02, finish_after_s=0.02) for _ in range(8)]
    bench.start()
    for job in jobs:
        await bench.until(job, State.SUCCEEDED)
    assert bench.provider.most_at_once <= 2


async def _begin_and_die(bench: Bench) -> None:
    """What a worker leaves that was killed right after the commit of its intent."""
    now, generations = bench.clock.now(), bench.store.generations
    claimed = await generations.claim(frozenset({State.QUEUED}), "dead", now, now + 1, EVERYTHING)
    assert claimed is not None
    await generations.begin(claimed.id, claimed.fence, now, now + 1)


async def _ask(bench: Bench, job: Any) -> None:
    await bench.provider.submit(await order_for(bench.worker(), job))


class Watched(StubProvider):
    """Sees what goes out."""

    def __init__(self, other: StubProvider) -> None:
        super().__init__(other.address, can_be_asked=other.can_be_asked)
        self.other, self.sources, self.now, self.most_at_once = other, list[bytes](), 0, 0

    async def submit(self, order: Order) -> Accepted | Finished:
        if order.source is not None:
            self.sources.append(await asyncio.to_thread(order.source.path.read_bytes))
        self.now += 1
        self.most_at_once = max(self.now, self.most_at_once)
        try:
            return await super().submit(order)
        finally:
            self.now -= 1

    async def close(self) -> None:
        await super().close()
        await self.other.close()


class Breaking(Watched):
    """An adapter with a mistake in it."""

    asked = 0

    async def submit(self, order: Order) -> Accepted | Finished:
        self.asked += 1
        raise RuntimeError("https://provider.example/?key=secret and a prompt")
