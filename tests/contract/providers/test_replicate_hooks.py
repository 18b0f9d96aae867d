"""What becomes of Replicate's calls: right, forged, old, repeated, out of order, and of a job whose answer was lost."""

import asyncio
from typing import Any

import httpx2
import pytest

from contract.providers.vendors import VendorBench
from mutoscope.domain.errors import Forged
from mutoscope.domain.generation import Generation, State
from mutoscope.services.hooks import Hooks

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLLED = pytest.mark.offers(lambda offer: offer.upstream == "black-forest-labs/flux-schnell")


class Front:
    """The public route's service, at a vendor bench."""

    def __init__(self, vendor: VendorBench) -> None:
        self.vendor = vendor
        bench = vendor.bench
        self.hooks = Hooks(bench.store, {vendor.name: vendor.provider}, bench.clock, lambda: None)

    def call(self, job: Generation, how: str = "right") -> dict[str, Any]:
        """What Replicate sends about the job."""
        query = {"reference": job.prompt, "how": how}
        return httpx2.get(f"{self.vendor.stub.address}/admin/webhook", params=query).raise_for_status().json()

    async def hear(self, job: Generation, call: dict[str, Any]) -> str:
        """What becomes of it."""
        return await self.hooks.receive(self.vendor.name, job.id, call["headers"], call["body"].encode())


@POLLED
async def test_a_call_wakes_the_job_and_a_repeated_one_does_nothing(vendor: VendorBench) -> None:
    vendor.provider.minimum_poll_ms = 60_000
    front, job = Front(vendor), await vendor.order(finish_after_s=0.1)
    await vendor.ended(job, State.RENDERING)
    await asyncio.sleep(0.2)
    for how in ("forged", "old"):
        with pytest.raises(Forged):
            await front.hear(job, front.call(job, how))
    call = front.call(job)
    assert await front.hear(job, call) == "woken"
    await vendor.bench.until(job, State.SUCCEEDED)
    # The same again, and one that comes late: about how it stood before.
    assert await front.hear(job, call) == "idle"
    assert await front.hear(job, front.call(job)) == "idle"
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@POLLED
async def test_a_call_out_of_order_says_nothing_of_how_the_job_stands(vendor: VendorBench) -> None:
    vendor.provider.minimum_poll_ms = 60_000
    front, job = Front(vendor), await vendor.order(finish_after_s=600)
    await vendor.ended(job, State.RENDERING)
    early = front.call(job)
    lying = {**early, "body": early["body"].replace('"processing"', '"succeeded"')}
    with pytest.raises(Forged):
        await front.hear(job, lying)
    assert await front.hear(job, early) == "woken"
    assert await front.hear(job, early) == "repeated"
    assert (await vendor.settled(job, turns=1)).state is State.RENDERING


@POLLED
async def test_a_call_finds_the_job_whose_answer_was_lost(vendor: VendorBench) -> None:
    front, job = Front(vendor), await vendor.order(submit="drop_after")
    await vendor.ended(job, State.OUTCOME_UNKNOWN)
    # Or the worker was just looking, and found what the call has written down.
    assert await front.hear(job, front.call(job)) in {"found", "idle"}
    await vendor.bench.until(job, State.SUCCEEDED)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}
