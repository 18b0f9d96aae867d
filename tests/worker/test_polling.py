"""While the provider works: nothing stays in progress for ever, and no hiccup loses what is being made."""

import pytest

from mutoscope.domain.generation import FailureKind, State
from mutoscope.domain.ids import DAY, HOUR, MINUTE
from mutoscope.domain.ledger import Balance
from mutoscope.worker import moves
from worker.bench import GRANTED, Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_job_that_fails_at_the_provider_gives_the_tokens_back(bench: Bench) -> None:
    job = await bench.order(end="fail")
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert (failed.failure.kind, failed.failure.message) == (FailureKind.INVALID, "The stub could not make it.")
    assert await bench.was_released(job)


async def test_a_moderated_result_is_no_success(bench: Bench) -> None:
    job = await bench.order(end="moderate")
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.MODERATED
    assert await bench.was_released(job)


async def test_finished_without_a_result_and_without_a_word_is_no_success(bench: Bench) -> None:
    job = await bench.order(results=0)
    bench.start()
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.UNUSABLE


@pytest.mark.parametrize("how", ["busy", "rate_limit", "unauthorized"])
async def test_a_poll_that_fails_says_nothing_of_the_job(bench: Bench, how: str) -> None:
    job = await bench.order(poll=how, poll_times=3)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_job_that_never_finishes_ends_at_its_deadline_with_release(bench: Bench) -> None:
    job = await bench.order(end="never")
    bench.start()
    await bench.until_tried(job, State.RENDERING, 2)
    assert await bench.balance() == Balance(available=GRANTED - 10, held=10)
    bench.past(State.RENDERING)
    failed = await bench.until(job, State.FAILED)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.TIMED_OUT
    assert await bench.was_released(job)


async def test_what_was_finished_while_the_studio_was_off_for_days_is_fetched_and_kept(bench: Bench) -> None:
    bench.provider.minimum_poll_ms = 1_000
    job = await bench.order()
    before = bench.start()
    await bench.until(job, State.RENDERING)
    await before.stop()
    bench.clock.forward(3 * DAY)
    now_is = await bench.get(job)
    assert now_is.state is State.RENDERING
    bench.start("after")
    await bench.until(job, State.SUCCEEDED)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_progress_never_goes_backwards(bench: Bench) -> None:
    job = await bench.order(end="never", progress=[0.4, 0.2, 0.3, 0.6, 0.1])
    bench.start()
    seen: list[float] = []

    async def went_on() -> bool:
        now_is = await bench.get(job)
        seen.append(now_is.progress or 0.0)
        return now_is.attempts >= 6

    await until(went_on, "six polls")
    assert seen == sorted(seen)
    assert seen[-1] == 0.6


async def test_polls_are_not_closer_than_the_provider_allows(bench: Bench) -> None:
    bench.provider.minimum_poll_ms = 60_000
    job = await bench.order(end="never")
    bench.start()
    rendering = await bench.until(job, State.RENDERING)
    assert rendering.submitted_at is not None
    assert rendering.due_at - rendering.submitted_at >= 60_000


async def test_a_stub_that_is_killed_and_comes_back_is_asked_for_the_same_job(bench: Bench) -> None:
    from stubs.running import RunningStub

    mortal = RunningStub(bench.tmp_path / "mortal").start()
    try:
        await bench.provider.close()
        bench.provider = mortal.provider()
        job = await bench.order(finish_after_s=0.2)
        bench.start()
        await bench.until(job, State.RENDERING)
        mortal.kill()
        seen = (await bench.get(job)).attempts
        await bench.until_tried(job, State.RENDERING, seen + 2)
        mortal.start()
        await bench.until(job, State.SUCCEEDED)
        assert await bench.counts(job) == {"asked": 1, "paid": 1}
    finally:
        mortal.kill()


async def test_a_provider_that_wants_to_be_asked_next_week_is_asked_within_bounds(bench: Bench) -> None:
    bench.turn(retry_cap_ms=MINUTE)
    job = await bench.order()
    worker, provider = bench.worker(), bench.provider
    provider.minimum_poll_ms = 1_000
    for asked_ms, least_ms in ((7 * DAY, MINUTE), (0, 1_000), (None, 1_000)):
        pauses = [moves.next_poll_ms(worker, provider, job, asked_ms) for _ in range(200)]
        assert least_ms <= min(pauses) <= max(pauses) <= least_ms * 1.2
        # Those that began together do not stay together.
        assert len(set(pauses)) > 5


async def test_polls_that_were_late_together_are_spread_over_twice_their_pause(bench: Bench) -> None:
    job = await bench.order()
    worker, provider = bench.worker(), bench.provider
    provider.minimum_poll_ms = 1_000
    for late_ms, most_ms in ((0, 1_200), (500, 1_700), (DAY, 2_200)):
        pauses = [moves.next_poll_ms(worker, provider, job, late_ms=late_ms) for _ in range(500)]
        assert 1_000 <= min(pauses) <= max(pauses) <= most_ms
        assert max(pauses) - min(pauses) > (most_ms - 1_000) * 0.8


async def test_all_that_came_due_while_the_studio_was_off_is_asked_for_at_once_and_then_apart(bench: Bench) -> None:
    bench.provider.minimum_poll_ms = 60_000
    jobs = [await bench.order(end="never") for _ in range(12)]
    before = bench.start()
    for job in jobs:
        await bench.until(job, State.RENDERING)
    await before.stop()
    bench.clock.forward(HOUR)
    bench.start("after")
    for job in jobs:
        await bench.until_tried(job, State.RENDERING, 1)
    due = sorted([(await bench.get(job)).due_at for job in jobs])
    assert due[0] >= bench.clock.now() + 50_000
    # Without their lateness 12 s would be the most; with it, all twelve within that is one chance in thirty millions.
    assert due[-1] - due[0] > 12_000
