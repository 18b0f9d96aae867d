"""Every provider, over real HTTP against its stub: whatever it says or does, nothing is paid twice and nothing is lost."""

import asyncio

import pytest

from contract.providers.vendors import PRICE, VendorBench, sample, stored
from mutoscope.domain.generation import State
from mutoscope.domain.ledger import Balance
from mutoscope.domain.media import Variant
from stubs.vendor import KEY, padded
from worker.bench import GRANTED

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = pytest.mark.offers(lambda offer: offer.at_once)
POLLED = pytest.mark.offers(lambda offer: not offer.at_once)
SEVERAL = pytest.mark.offers(lambda offer: "several" not in offer.cannot)
ENDS = (State.SUCCEEDED, State.FAILED, State.CANCELED, State.OUTCOME_UNKNOWN)


async def test_a_result_is_kept_byte_for_byte_and_paid_once(vendor: VendorBench) -> None:
    job = await vendor.order(finish_after_s=0.2)
    done = await vendor.ended(job, State.SUCCEEDED)
    [item] = await vendor.bench.items(job)
    assert item.facts.kind is vendor.offer.kind
    assert await stored(vendor, item.files[Variant.MASTER].key) == sample(vendor.stub.folder, vendor.offer.kind)
    assert (done.captured, vendor.counts(job)) == (PRICE, {"asked": 1, "paid": 1})


async def test_a_result_of_ordinary_size_is_kept_whole(vendor: VendorBench) -> None:
    job = await vendor.order(body="large")
    await vendor.ended(job, State.SUCCEEDED)
    [item] = await vendor.bench.items(job)
    assert await stored(vendor, item.files[Variant.MASTER].key) == padded(sample(vendor.stub.folder, vendor.offer.kind))
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@SEVERAL
async def test_several_results_come_in_order(vendor: VendorBench) -> None:
    job = await vendor.order(results=3)
    await vendor.ended(job, State.SUCCEEDED)
    assert len(await vendor.bench.items(job)) == len(job.media_ids)
    assert vendor.counts(job)["paid"] == 1


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("moderate", "moderated"), ("refuse", "invalid"), ("unauthorized", "unauthorized"),
        ("credit", "out_of_credit"), ("retired", "retired"),
    ],
)  # fmt: skip
async def test_a_refusal_is_an_answer_that_gives_the_tokens_back(vendor: VendorBench, how: str, kind: str) -> None:
    job = await vendor.order(submit=how)
    assert await vendor.failed(job) == vendor.offer.status_of.get(how, kind)
    assert vendor.counts(job) == {"asked": 1, "paid": 0}


async def test_a_moderated_result_is_no_success(vendor: VendorBench) -> None:
    job = await vendor.order(end="moderate")
    # A provider that moderates nothing just has no result.
    expected = "unusable" if "moderate_result" in vendor.offer.cannot else "moderated"
    assert await vendor.failed(job) == expected
    assert await vendor.bench.items(job) == []


@POLLED
async def test_a_job_that_fails_at_the_provider_gives_the_tokens_back(vendor: VendorBench) -> None:
    job = await vendor.order(end="fail")
    assert await vendor.failed(job)


async def test_an_order_that_comes_too_soon_waits_as_long_as_it_is_told(vendor: VendorBench) -> None:
    job = await vendor.order(submit="rate_limit", submit_times=1, retry_after_s=2)
    began = asyncio.get_running_loop().time()
    await vendor.ended(job, State.SUCCEEDED)
    assert asyncio.get_running_loop().time() - began >= 2
    assert vendor.counts(job) == {"asked": 2, "paid": 1}


async def test_an_order_that_comes_too_soon_is_sent_again_without_being_told_when(vendor: VendorBench) -> None:
    job = await vendor.order(submit="rate_limit", submit_times=2)
    await vendor.ended(job, State.SUCCEEDED)
    assert vendor.counts(job) == {"asked": 3, "paid": 1}


async def test_a_provider_that_stumbles_over_an_order_is_never_paid_twice(vendor: VendorBench) -> None:
    job = await vendor.order(submit="busy", submit_times=1)
    ended = await vendor.ended(job, State.SUCCEEDED, State.OUTCOME_UNKNOWN)
    assert vendor.counts(job)["paid"] == (ended.state is State.SUCCEEDED)


@pytest.mark.parametrize("how", ["drop_before", "drop_after", "strange", "see_other"])
async def test_a_lost_answer_is_never_a_second_paid_job(vendor: VendorBench, how: str) -> None:
    job = await vendor.order(submit=how, submit_times=1)
    ended = await vendor.ended(job, State.SUCCEEDED, State.OUTCOME_UNKNOWN)
    if "find" in vendor.offer.cannot:
        assert ended.state is State.OUTCOME_UNKNOWN
    now_is = await vendor.settled(job)
    assert now_is.state is ended.state
    counts = vendor.counts(job)
    assert counts["paid"] == (1 if how != "drop_before" or ended.state is State.SUCCEEDED else 0)
    assert counts["asked"] == 1 or vendor.provider.idempotent_by_reference or "find" not in vendor.offer.cannot


@POLLED
@pytest.mark.parametrize("how", ["cut", "wrong_length", "silent", "error"])
async def test_bytes_that_break_off_are_fetched_again_and_never_made_again(vendor: VendorBench, how: str) -> None:
    job = await vendor.order(body=how)
    await vendor.ended(job, State.SUCCEEDED)
    [item] = await vendor.bench.items(job)
    assert await stored(vendor, item.files[Variant.MASTER].key) == sample(vendor.stub.folder, vendor.offer.kind)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@AT_ONCE
@pytest.mark.parametrize("how", ["cut", "wrong_length", "silent"])
async def test_an_answer_that_breaks_off_within_its_result_is_never_asked_for_again(
    vendor: VendorBench, how: str
) -> None:
    job = await vendor.order(body=how)
    # That a body is cut cannot always be told: then what there is of it is no picture.
    ended = await vendor.ended(job, State.FAILED, State.OUTCOME_UNKNOWN)
    assert how == "cut" or ended.state is State.OUTCOME_UNKNOWN
    await vendor.settled(job)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@pytest.mark.parametrize("how", ["wrong_type", "other_kind"])
async def test_a_result_that_is_something_else_is_no_success(vendor: VendorBench, how: str) -> None:
    job = await vendor.order(body=how, body_times=-1)
    ended = await vendor.ended(job, *ENDS)
    assert ended.state in {State.FAILED, State.OUTCOME_UNKNOWN}
    assert vendor.counts(job)["paid"] == 1


@POLLED
async def test_a_dead_address_is_renewed(vendor: VendorBench) -> None:
    job = await vendor.order(body="expired", body_times=2)
    if "fresh_address" in vendor.offer.cannot:
        assert await vendor.failed(job) == "expired"
    else:
        await vendor.ended(job, State.SUCCEEDED)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@POLLED
async def test_a_result_that_is_gone_for_good_gives_the_tokens_back_and_says_so(vendor: VendorBench) -> None:
    job = await vendor.order(body="expired", body_times=-1)
    assert await vendor.failed(job) == "expired"
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@POLLED
@pytest.mark.parametrize("how", ["busy", "rate_limit", "unauthorized", "word", "page_400", "page_404", "page_422"])
async def test_a_question_that_is_not_answered_says_nothing_of_the_job(vendor: VendorBench, how: str) -> None:
    job = await vendor.order(poll=how, poll_times=2, finish_after_s=0.1)
    await vendor.ended(job, State.SUCCEEDED)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@POLLED
async def test_a_cancel_stops_what_is_being_made_and_takes_the_fee(vendor: VendorBench) -> None:
    job = await vendor.order(finish_after_s=600, cancel_fee=4)
    await vendor.ended(job, State.RENDERING)
    await vendor.bench.store.generations.cancel(job.id, vendor.bench.clock.now())
    canceled = await vendor.bench.until(job, State.CANCELED)
    assert canceled.captured == 4
    assert await vendor.bench.balance() == Balance(available=GRANTED - 4, held=0)


@POLLED
async def test_what_was_finished_before_the_cancel_came_is_kept_and_paid(vendor: VendorBench) -> None:
    vendor.provider.minimum_poll_ms = 60_000
    job = await vendor.order(finish_after_s=0.0, cancel="finish_first")
    await vendor.ended(job, State.RENDERING)
    await asyncio.sleep(0.1)
    await vendor.bench.store.generations.cancel(job.id, vendor.bench.clock.now())
    done = await vendor.bench.until(job, State.SUCCEEDED)
    assert done.captured == PRICE


async def test_a_job_that_waits_is_canceled_without_a_word_to_the_provider(vendor: VendorBench) -> None:
    job = await vendor.order()
    canceled = await vendor.bench.store.generations.cancel(job.id, vendor.bench.clock.now())
    assert canceled.state is State.CANCELED
    vendor.bench.start()
    assert (await vendor.settled(job, turns=2)).state is State.CANCELED
    assert vendor.counts(job) == {"asked": 0, "paid": 0}


@SEVERAL
async def test_of_several_results_those_that_were_not_withheld_are_kept_and_paid(vendor: VendorBench) -> None:
    job = await vendor.order(results=3, outputs=2)
    done = await vendor.ended(job, State.SUCCEEDED)
    assert (len(await vendor.bench.items(job)), done.captured) == (2, 2 * PRICE)


async def test_the_key_is_told_to_nobody(vendor: VendorBench, capfd: pytest.CaptureFixture[str]) -> None:
    for how in ("moderate", "unauthorized", "drop_after", "strange"):
        job = await vendor.order(submit=how)
        ended = await vendor.ended(job, *ENDS)
        assert KEY not in str(ended)
    said = capfd.readouterr()
    assert KEY not in said.out + said.err
