"""Who holds a job, and how a worker stops: what is let go is done by the next, once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cast import HandClock
from mutoscope.domain.errors import StaleFence
from mutoscope.domain.generation import State
from mutoscope.store.port import StoreUnavailable
from mutoscope.worker.lease import under_lease
from worker.bench import Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON_MS = 30


async def test_a_lease_is_renewed_while_the_work_goes_on() -> None:
    renewed: list[int] = []
    clock, enough = HandClock(), asyncio.Event()

    async def renew(lease_until: int) -> None:
        renewed.append(lease_until)
        if len(renewed) == 3:
            enough.set()

    assert await under_lease(_when(enough, "done"), renew, clock, SOON_MS) == "done"
    assert renewed == [clock.now() + SOON_MS] * 3


async def test_losing_the_lease_stops_the_work() -> None:
    work = _Endless()
    with pytest.raises(StaleFence):
        await under_lease(work.run(), _raising(StaleFence("another")), HandClock(), SOON_MS)
    assert work.stopped


async def test_while_the_store_does_not_answer_the_work_goes_on_as_long_as_the_lease_lasts() -> None:
    clock, work, tries = HandClock(), _Endless(), list[int]()

    async def renew(lease_until: int) -> None:
        tries.append(lease_until)
        clock.tick(SOON_MS // 3)
        raise StoreUnavailable("down")

    with pytest.raises(StaleFence):
        await under_lease(work.run(), renew, clock, SOON_MS)
    assert (len(tries), work.stopped) == (4, True)


async def test_what_the_work_raises_is_passed_on() -> None:
    async def breaks() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await under_lease(breaks(), _raising(StaleFence("never asked")), HandClock(), 60_000)


async def test_a_cancel_stops_the_work_too() -> None:
    work = _Endless()
    task = asyncio.ensure_future(under_lease(work.run(), _raising(StaleFence("never asked")), HandClock(), 60_000))
    await work.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.stopped


async def test_a_cancel_breaks_the_lease_of_a_poll_that_hangs(bench: Bench) -> None:
    bench.turn(lease_ms=90)
    job = await bench.order(end="never")
    hanging = _Endless()
    bench.provider.poll = lambda job: hanging.run()  # pyright: ignore[reportAttributeAccessIssue]
    bench.start()
    await hanging.began.wait()
    await bench.store.generations.cancel(job.id, bench.clock.now())
    await bench.until(job, State.CANCELED)

    async def stopped() -> bool:
        return hanging.stopped

    await until(stopped, "the poll to be stopped")


async def test_a_job_of_a_worker_that_died_is_taken_up_when_its_lease_ends(bench: Bench) -> None:
    job = await bench.order()
    now = bench.clock.now()
    await bench.store.generations.claim(
        frozenset({State.QUEUED}), "dead", now, now + 3_600_000, bench.worker().limits()
    )
    bench.start()
    other = await bench.order()
    await bench.until(other, State.SUCCEEDED)
    assert (await bench.get(job)).state is State.QUEUED
    bench.clock.forward(3_600_000)
    await bench.until(job, State.SUCCEEDED)


async def test_a_stage_that_stumbles_is_tried_again_and_the_loop_goes_on(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    poll, failures = bench.provider.poll, [1, 1, 1]

    async def stumbling(job: Any) -> Any:
        if failures:
            failures.pop()
            raise RuntimeError("https://provider.example/out?key=secret")
        return await poll(job)

    bench.provider.poll = stumbling  # pyright: ignore[reportAttributeAccessIssue]
    job = await bench.order(finish_after_s=0.05)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    said = capsys.readouterr().out
    assert "stumbled" in said
    assert "RuntimeError" in said
    assert "secret" not in said
    assert job.prompt not in said


async def test_a_stage_that_always_stumbles_ends_at_its_deadline_with_release(bench: Bench) -> None:
    async def stumbling(job: Any) -> Any:
        raise RuntimeError("a mistake")

    bench.provider.poll = stumbling  # pyright: ignore[reportAttributeAccessIssue]
    job = await bench.order()
    bench.start()
    await bench.until_tried(job, State.RENDERING, 2)
    bench.past(State.RENDERING)
    await bench.until(job, State.FAILED)
    assert await bench.was_released(job)


async def test_a_store_that_does_not_answer_for_a_while_ends_no_line(bench: Bench) -> None:
    claim, failures = bench.store.generations.claim, [1] * 20

    async def failing(*arguments: Any) -> Any:
        if failures:
            failures.pop()
            raise StoreUnavailable("down")
        return await claim(*arguments)

    bench.store.generations.claim = failing  # pyright: ignore[reportAttributeAccessIssue]
    job = await bench.order()
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert failures == []


async def test_a_worker_that_is_stopped_in_a_request_lets_go_and_the_next_looks_before_it_asks(bench: Bench) -> None:
    bench.turn(stop_ms=0)
    job = await bench.order(submit_delay_s=0.4)
    first = bench.start()

    async def asked() -> bool:
        return (await bench.counts(job))["asked"] == 1

    await until(asked, "the request")
    await first.stop()
    let_go = await bench.get(job)
    assert (let_go.state, let_go.lease_until) == (State.SUBMITTING, 0)

    async def taken() -> bool:
        return (await bench.counts(job))["paid"] == 1

    await until(taken, "the provider to take it")
    bench.start("two")
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_worker_that_is_stopped_finishes_what_is_nearly_done(bench: Bench) -> None:
    bench.turn(stop_ms=10_000)
    job = await bench.order(submit_delay_s=0.2, end="never")
    first = bench.start()
    await bench.until(job, State.SUBMITTING)
    await first.stop()
    assert (await bench.get(job)).state is State.RENDERING


async def test_two_workers_do_every_job_once(bench: Bench) -> None:
    jobs = [await bench.order(results=2) for _ in range(12)]
    bench.start("one")
    bench.start("two")
    for job in jobs:
        done = await bench.until(job, State.SUCCEEDED)
        assert (done.captured, len(await bench.items(job))) == (20, 2)
        assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_an_order_wakes_the_loop(bench: Bench) -> None:
    bench.turn(tick_ms=3_600_000)
    loop = bench.start()
    first = await bench.order()
    loop.wake()
    await bench.until(first, State.SUCCEEDED)


class _Endless:
    def __init__(self) -> None:
        self.began, self.stopped = asyncio.Event(), False

    async def run(self) -> Any:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped = True


async def _when(event: asyncio.Event, answer: str) -> str:
    await event.wait()
    return answer


def _raising(e: Exception) -> Callable[[int], Awaitable[None]]:
    async def renew(lease_until: int) -> None:
        raise e

    return renew
