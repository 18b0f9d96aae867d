"""A pool of ComfyUI servers: one job for one reference, servers that go, and lose their jobs, progress as it is told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from contract.providers.comfyui import (
    MANNERS,
    SDXL,
    Open,
    Pool,
    blank,
    counts,
    failing,
    finished,
    opening,
    script,
    started_anew,
    two_servers,
    until,
)
from contract.providers.vendors import PRICE, VendorBench, order_for
from mutoscope.domain.generation import FailureKind, ProviderJob, State
from mutoscope.providers.port import Canceled, Finished, Gone, Pending

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def stubs_of_a_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with two_servers(tmp_path_factory.mktemp) as both:
        yield both


@pytest.fixture
def pool(stubs_of_a_pool: Pool) -> Pool:
    return started_anew(stubs_of_a_pool)


@pytest_asyncio.fixture(loop_scope="session")
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    async for open in opening(tmp_path / "workflows"):
        yield open


@pytest.mark.parametrize("manner", MANNERS)
async def test_the_same_reference_is_the_same_job_however_often_it_is_sent(
    opened: Open, pool: Pool, tmp_path: Path, manner: str
) -> None:
    script(pool[0], finish_after_s=0.2)
    one, other = opened(pool[0].address + manner), opened(pool[0].address + manner)
    first = await one.submit(blank(tmp_path))
    assert await other.submit(blank(tmp_path)) == first
    await until(lambda: finished(one, first.job))
    assert await other.submit(blank(tmp_path)) == first
    assert counts(pool[0], first.job.reference) == {"asked": 1, "paid": 1}


async def test_jobs_go_to_the_server_that_has_the_fewest_and_are_found_at_any(
    opened: Open, pool: Pool, tmp_path: Path
) -> None:
    for stub in pool:
        script(stub, finish_after_s=600)
    provider = opened(pool[0].address, pool[1].address)
    assert provider.slots == 4
    jobs = [(await provider.submit(blank(tmp_path, f"gen_{n}"))).job for n in range(6)]
    servers = [job.data["server"] for job in jobs]
    assert servers.count(pool[0].address) == servers.count(pool[1].address) == 3
    for job in jobs:
        found = await opened(pool[1].address, pool[0].address).find(job.reference)
        assert isinstance(found, ProviderJob)
        assert (found.id, found.data["server"]) == (job.id, job.data["server"])
    assert isinstance(await provider.find("gen_none"), Gone)


async def test_a_server_that_is_down_gets_no_jobs_and_those_that_it_has_wait(
    opened: Open, pool: Pool, tmp_path: Path
) -> None:
    script(pool[0], finish_after_s=600)
    job = (await opened(pool[0].address).submit(blank(tmp_path))).job
    provider = opened(pool[0].address, pool[1].address)
    pool[0].kill()
    assert (await failing(provider.poll(job))).kind is FailureKind.UNAVAILABLE
    assert (await failing(provider.cancel(job))).kind is FailureKind.UNAVAILABLE
    # It may be the one that has it.
    assert (await failing(provider.find("gen_two"))).kind is FailureKind.UNAVAILABLE
    assert (await provider.submit(blank(tmp_path, "gen_two"))).job.data["server"] == pool[1].address
    pool[1].kill()
    assert (await failing(provider.submit(blank(tmp_path, "gen_three")))).kind is FailureKind.UNAVAILABLE


async def test_a_job_whose_servers_address_was_changed_is_found_at_the_new_one(
    opened: Open, pool: Pool, tmp_path: Path
) -> None:
    job = (await opened(pool[0].address).submit(blank(tmp_path))).job
    renamed = opened(pool[0].address.replace("127.0.0.1", "localhost"), pool[1].address)
    answer = await until(lambda: finished(renamed, job))
    assert answer.outputs[0].url.startswith("http://localhost:")
    elsewhere = opened(pool[1].address)
    assert (await failing(elsewhere.poll(job))).kind is FailureKind.EXPIRED
    assert isinstance(await elsewhere.cancel(job), Canceled)
    assert (await failing(anext(elsewhere.open(answer.outputs[0])))).kind is FailureKind.EXPIRED


@pytest.mark.offers(lambda offer: offer.upstream == "wan22-words")
async def test_a_server_that_is_started_anew_makes_its_jobs_again(vendor: VendorBench) -> None:
    job = await vendor.order(finish_after_s=1.5)
    await vendor.ended(job, State.RENDERING)
    vendor.stub.kill()
    vendor.stub.start()
    done = await vendor.ended(job, State.SUCCEEDED)
    assert done.captured == PRICE
    assert vendor.counts(job) == {"asked": 2, "paid": 2}
    assert len(await vendor.bench.items(job)) == 1


@pytest.mark.parametrize("manner", MANNERS)
async def test_progress_is_told_while_it_is_made_and_only_the_steps_count(
    opened: Open, pool: Pool, tmp_path: Path, manner: str
) -> None:
    script(pool[0], finish_after_s=3)
    provider = opened(pool[0].address + manner)
    job = (await provider.submit(order_for(tmp_path, SDXL, {}))).job
    told: list[float] = []

    async def heard() -> bool:
        answer = await provider.poll(job)
        if isinstance(answer, Pending) and answer.progress is not None:
            told.append(answer.progress)
        return isinstance(answer, Finished)

    await until(heard)
    assert told == sorted(told)
    assert len(set(told)) > 5
    assert told[0] < 0.5
    assert 0.8 < told[-1] < 1


async def test_who_starts_to_listen_late_hears_of_jobs_that_another_process_ordered(
    opened: Open, pool: Pool, tmp_path: Path
) -> None:
    script(pool[0], finish_after_s=8)
    job = (await opened(pool[0].address).submit(order_for(tmp_path, SDXL, {}))).job
    other = opened(pool[0].address)

    async def heard() -> float | None:
        answer = await other.poll(job)
        assert isinstance(answer, Pending)
        return answer.progress

    assert 0 < await until(heard) < 1


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("waits_s", [0, 0.4])
async def test_a_cancel_takes_a_job_out_of_the_queue_or_interrupts_it(
    opened: Open, pool: Pool, tmp_path: Path, manner: str, waits_s: float
) -> None:
    # The stub's jobs wait for a tenth of their time.
    script(pool[0], finish_after_s=600 if waits_s == 0 else 3)
    provider = opened(pool[0].address + manner)
    job, left = [(await provider.submit(blank(tmp_path, name))).job for name in ("gen_one", "gen_two")]
    await asyncio.sleep(waits_s)
    assert isinstance(await provider.cancel(job), Canceled)
    assert isinstance(await provider.cancel(job), Canceled)
    assert isinstance(await provider.poll(left), Pending)


@pytest.mark.offers(lambda offer: offer.upstream == "sdxl")
async def test_a_job_that_somebody_stopped_at_the_server_costs_nothing(vendor: VendorBench) -> None:
    job = await vendor.order(end="cancel", finish_after_s=0.2)
    ended = await vendor.ended(job, State.CANCELED)
    assert ended.captured == 0
