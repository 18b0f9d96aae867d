"""Many at once: clients that spend one balance, and jobs that wait."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import cast
from crash.studio import KilledStudio
from journey import accept, join
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import MediaLimits
from mutoscope.domain.generation import Generation, ProviderJob, State
from mutoscope.domain.ids import HOUR, SystemClock
from mutoscope.domain.ledger import Balance
from mutoscope.providers.port import Accepted, Order, Pending
from mutoscope.spool import Spool
from mutoscope.store.sqlite import open_sqlite
from mutoscope.worker.context import Numbers, Worker
from mutoscope.worker.loop import Loop
from stubs.running import RunningStub

CLIENTS, ORDERS_EACH = 64, 2
BALANCE, PRICE = 100, 3


@pytest.fixture
def studio(tmp_path: Path, stub: RunningStub) -> Iterator[KilledStudio]:
    with KilledStudio(tmp_path / "data", stub) as studio:
        studio.start()
        studio.people(tokens=BALANCE)
        yield studio


async def spend(studio: KilledStudio, client: int) -> list[tuple[int, str | None]]:
    """What a client of its own connection is told, order for order."""
    told: list[tuple[int, str | None]] = []
    async with httpx2.AsyncClient(base_url=studio.base_url, headers=studio.signed_in(), timeout=60) as http:
        for order in range(ORDERS_EACH):
            wish = {"model": "stub/picture", "prompt": f"{client} {order}"}
            answer = await http.post("/api/generations", json=wish)
            told.append((answer.status_code, answer.json().get("code")))
    return told


async def test_clients_that_spend_one_balance_at_once_never_overdraw_it(studio: KilledStudio) -> None:
    told = await asyncio.gather(*(spend(studio, client) for client in range(CLIENTS)))
    counts = Counter(answer for answers in told for answer in answers)
    affordable = BALANCE // PRICE
    assert counts == {(202, None): affordable, (402, "not_enough_tokens"): CLIENTS * ORDERS_EACH - affordable}
    studio.kill()
    store = await open_sqlite(studio.data / "mutoscope.db", SystemClock())
    try:
        assert await store.ledger.proof() == []
        alice = await store.people.by_name("alice")
        assert alice is not None
        balance = await store.ledger.balance(alice.id)
        # What was taken for jobs that had ended before the kill is no longer held, but spent.
        assert balance.available == BALANCE - affordable * PRICE
        assert balance.held <= affordable * PRICE
    finally:
        await store.close()


class Patient:
    """A provider where everything takes for ever."""

    name, minimum_poll_ms, idempotent_by_reference, repeats_free = "stub", 20, True, False

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.polled: set[str] = set()

    async def submit(self, order: Order) -> Accepted:
        return Accepted(job=ProviderJob(id=order.reference, reference=order.reference))

    async def poll(self, job: ProviderJob) -> Pending:
        self.polled.add(job.reference)
        return Pending(poll_after_ms=HOUR)


ROWS, DUE = 10_000, 400


async def test_ten_thousand_jobs_that_wait_are_rows_and_not_tasks(tmp_path: Path) -> None:
    clock = SystemClock()
    store = await open_sqlite(tmp_path / "mutoscope.db", clock)
    alice = await join(store, cast.alice(), ROWS)
    now = clock.now()
    waiting: dict[str, Any] = {"created_at": now, "updated_at": now, "stage_since": now, "provider": "stub"}
    waiting["price_each"] = 1

    async def put_down(number: int) -> Generation:
        """Half of them in the queue, half at the provider, and of those a few due."""
        if number % 2:
            return await accept(store, alice, due_at=now, **waiting)
        due_at = now if number < DUE * 2 else now + HOUR
        fields = {"state": State.RENDERING, "due_at": due_at, "submitted_at": now}
        job = ProviderJob(id=f"upstream {number}", reference=f"job {number}")
        return await accept(store, alice, job=job, **fields, **waiting)

    for start in range(0, ROWS, 500):
        await asyncio.gather(*(put_down(number) for number in range(start, start + 500)))
    provider, darkroom = Patient(slots=ROWS // 2), JailedDarkroom()
    loop = Loop(
        Worker(
            name="one",
            store=store,
            blobs=FolderBlobs(tmp_path / "media"),
            darkroom=darkroom,
            spool=Spool(tmp_path / "spool"),
            providers={"stub": provider},
            clock=clock,
            media_limits=MediaLimits(size_bytes=1, pixels=1, duration_s=1),
            numbers=Numbers(tick_ms=50, free_bytes=0, jobs_per_person=ROWS),
        )
    )
    tasks_before = len(asyncio.all_tasks())
    most_tasks = 0
    loop.start()
    async with asyncio.timeout(60):
        while len(provider.polled) < DUE:
            most_tasks = max(most_tasks, len(asyncio.all_tasks()) - tasks_before)
            await asyncio.sleep(0.02)
    jobs_in_memory = sum(isinstance(thing, Generation) for thing in gc.get_objects())
    await loop.stop()
    assert most_tasks < 250, "the lines bound what runs at once"
    assert jobs_in_memory < 250, "what waits is not in memory"
    assert await store.ledger.balance(alice.id) == Balance(available=0, held=ROWS)
    assert await store.ledger.proof() == []
    await darkroom.close()
    await store.close()
