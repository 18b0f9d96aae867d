"""Calls of fal's at the studio's own address: each only wakes a job, or finds one whose answer was lost."""

import asyncio

import pytest

from contract.providers.vendors import VendorBench
from mutoscope.domain.errors import Forged
from mutoscope.domain.generation import Generation, State
from mutoscope.services.hooks import Hooks
from stubs.fal import call_about

pytestmark = pytest.mark.asyncio(loop_scope="session")

OURS = pytest.mark.offers(lambda offer: offer.upstream.startswith("fal-ai/"))
ID = "024ca5b1-45d3-4afd-883e-ad3abe2a1c4d"


async def hear(vendor: VendorBench, job: Generation, how: str = "right") -> str:
    """What the public route makes of a call about the job."""
    call = vendor.admin("GET", "webhook", {"reference": job.prompt, "how": how})
    bench = vendor.bench
    hooks = Hooks(bench.store, {vendor.name: vendor.provider}, bench.clock, lambda: None)
    return await hooks.receive(vendor.name, job.id, call["headers"], call["body"].encode())


@OURS
async def test_a_call_wakes_the_job_and_a_repeated_or_late_one_does_nothing(vendor: VendorBench) -> None:
    vendor.provider.minimum_poll_ms = 60_000
    job = await vendor.order(finish_after_s=0.1)
    await vendor.ended(job, State.RENDERING)
    await asyncio.sleep(0.2)
    for how in ("forged", "old"):
        with pytest.raises(Forged):
            await hear(vendor, job, how)
    assert await hear(vendor, job) == "woken"
    await vendor.bench.until(job, State.SUCCEEDED)
    assert await hear(vendor, job) == "idle"
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@OURS
async def test_a_call_that_comes_before_the_job_is_done_says_nothing_of_how_it_stands(vendor: VendorBench) -> None:
    vendor.provider.minimum_poll_ms = 60_000
    job = await vendor.order(finish_after_s=600)
    await vendor.ended(job, State.RENDERING)
    # Its words say that all is done.
    assert await hear(vendor, job) == "woken"
    assert await hear(vendor, job) == "repeated"
    assert (await vendor.settled(job, turns=1)).state is State.RENDERING


@OURS
async def test_a_call_finds_the_job_whose_answer_was_lost(vendor: VendorBench) -> None:
    job = await vendor.order(submit="drop_after")
    await vendor.ended(job, State.OUTCOME_UNKNOWN)
    assert await hear(vendor, job) == "found"
    await vendor.bench.until(job, State.SUCCEEDED)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@OURS
async def test_a_call_that_came_before_the_answer_was_lost_finds_the_job_too(vendor: VendorBench) -> None:
    job = await vendor.order(submit="drop_after", submit_delay_s=0.5)
    vendor.bench.start()
    await vendor.bench.until(job, State.SUBMITTING)
    call = call_about(ID)
    bench = vendor.bench
    hooks = Hooks(bench.store, {vendor.name: vendor.provider}, bench.clock, lambda: None)
    assert await hooks.receive(vendor.name, job.id, call["headers"], call["body"].encode()) == "idle"
    # It names a request that the stub does not have, so it can be told apart from one that nobody knows.
    assert await vendor.failed(job) == "expired"
