"""Cancel is honoured in every stage, and its price is what the page said."""

import pytest

from mutoscope.domain.errors import WrongState
from mutoscope.domain.generation import State
from mutoscope.domain.ledger import Balance
from mutoscope.providers.port import ProviderJob
from worker.bench import GRANTED, Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _rendering(bench: Bench, **how: object) -> str:
    job = await bench.order(cancel_fee=3, **({"end": "never"} | how))  # pyright: ignore[reportArgumentType]
    bench.start()
    await bench.until(job, State.RENDERING)
    await bench.store.generations.cancel(job.id, bench.clock.now())
    return job.id


async def test_a_cancel_after_the_provider_began_costs_the_models_fee(bench: Bench) -> None:
    job = await bench.store.generations.get(await _rendering(bench))
    assert job is not None
    canceled = await bench.until(job, State.CANCELED)
    assert canceled.captured == 3
    assert await bench.balance() == Balance(available=GRANTED - 3, held=0)


async def test_a_cancel_of_a_queued_job_gives_everything_back(bench: Bench) -> None:
    job = await bench.order(cancel_fee=3)
    canceled = await bench.store.generations.cancel(job.id, bench.clock.now())
    assert canceled.state is State.CANCELED
    bench.start()
    other = await bench.order()
    await bench.until(other, State.SUCCEEDED)
    assert (await bench.counts(job))["asked"] == 0
    assert await bench.balance() == Balance(available=GRANTED - 10, held=0)


async def test_a_cancel_while_the_request_is_under_way_is_honoured_when_it_was_taken(bench: Bench) -> None:
    job = await bench.order(cancel_fee=3, submit_delay_s=0.2, end="never")
    bench.start()
    await bench.until(job, State.SUBMITTING)
    noted = await bench.store.generations.cancel(job.id, bench.clock.now())
    assert noted.state is State.SUBMITTING
    await bench.until(job, State.CANCELED)
    # The provider had not begun when alice asked.
    assert await bench.was_released(job)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_a_cancel_while_a_request_under_way_is_refused_does_not_wait_for_the_next_try(bench: Bench) -> None:
    job = await bench.order(submit="rate_limit", retry_after_s=3600, submit_delay_s=0.2)
    bench.start()
    await bench.until(job, State.SUBMITTING)
    await bench.store.generations.cancel(job.id, bench.clock.now())
    await bench.until(job, State.CANCELED)
    assert await bench.was_released(job)
    assert (await bench.counts(job))["asked"] == 1


async def test_what_was_finished_before_the_cancel_arrived_succeeds_and_is_charged(bench: Bench) -> None:
    job = await bench.store.generations.get(await _rendering(bench, cancel="finish_first"))
    assert job is not None
    done = await bench.until(job, State.SUCCEEDED)
    assert done.captured == 10


async def test_canceling_stands_until_the_provider_has_answered(bench: Bench) -> None:
    job = await bench.store.generations.get(await _rendering(bench, cancel="busy", cancel_times=3))
    assert job is not None
    canceled = await bench.until(job, State.CANCELED)
    assert canceled.captured == 3


async def test_a_provider_that_never_answers_a_cancel_cannot_hold_the_job_past_the_deadline(bench: Bench) -> None:
    job = await bench.store.generations.get(await _rendering(bench, cancel="ignore"))
    assert job is not None
    await bench.until_tried(job, State.CANCELING, 2)
    bench.past(State.CANCELING)
    canceled = await bench.until(job, State.CANCELED)
    assert canceled.captured == 3


async def test_a_job_that_the_provider_stopped_by_itself_costs_nothing(bench: Bench) -> None:
    job = await bench.order(cancel_fee=3, end="cancel", finish_after_s=0.05)
    bench.start()
    await bench.until(job, State.CANCELED)
    assert await bench.was_released(job)


async def test_bytes_that_come_after_a_cancel_are_kept_and_the_fee_stays_as_it_was(bench: Bench) -> None:
    job = await bench.store.generations.get(await _rendering(bench, end="finish", finish_after_s=0.5, cancel="late"))
    assert job is not None
    await bench.until(job, State.CANCELED)
    known = await bench.provider.find(job.id)
    assert isinstance(known, ProviderJob)
    await bench.store.generations.late(job.id, bench.clock.now(), known)
    done = await bench.until(job, State.SUCCEEDED)
    assert done.captured == 3
    assert [item.visibility for item in await bench.items(job)] == ["private"]
    assert await bench.balance() == Balance(available=GRANTED - 3, held=0)


async def test_a_late_success_does_not_overwrite_a_cancel(bench: Bench) -> None:
    job = await bench.order(finish_after_s=0.2, cancel="stop", cancel_fee=3)
    bench.start()

    async def wished() -> bool:
        try:
            await bench.store.generations.cancel(job.id, bench.clock.now())
        except WrongState:
            return False
        return True

    await bench.until(job, State.RENDERING)
    await until(wished, "the cancel")
    ended = await bench.until(job, State.CANCELED, State.SUCCEEDED)
    assert ended.captured == (3 if ended.state is State.CANCELED else 10)
    assert len(await bench.items(job)) == (ended.state is State.SUCCEEDED)


async def test_the_result_cannot_be_canceled_any_more_once_it_is_on_its_way(bench: Bench) -> None:
    job = await bench.order(body="silent", body_times=-1)
    bench.start()
    await bench.until(job, State.FETCHING)
    with pytest.raises(WrongState):
        await bench.store.generations.cancel(job.id, bench.clock.now())
