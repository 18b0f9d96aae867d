"""Many clients at once unlock and order from one balance: one server on SQLite, four processes on MongoDB."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2
import pytest

import cast
import journey
from crash.many import Process
from crash.studio import CATALOGUE, KilledStudio
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.unlocking import Unlock
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import GenerationFilter, Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import ReplicaSet
from servers.s3 import S3Server, place_in
from stubs.running import RunningStub

CLIENTS, ROUNDS, PROCESSES = 64, 2, 4
ITEMS, ITEM_PRICE, JOB_PRICE, BALANCE = 12, 7, 3, 100
SHARE = 1
"""What the house keeps of an unlock of 7 tokens: 20 percent, rounded down."""

Told = tuple[str, int, str | None]


async def for_sale(store: Store) -> list[str]:
    """Bob's items, with a price; they cost him nothing."""
    bob = await journey.join(store, cast.bob(), 0)
    ids = []
    for _ in range(ITEMS):
        job = await journey.at(store, bob, journey.State.DEVELOPING, price_each=0)
        item = cast.media(job, unlock_price=ITEM_PRICE)
        await store.generations.publish(job.id, job.fence, cast.NOON, [item], captured=0)
        ids.append(item.id)
    return ids


async def spend(base_url: str, headers: dict[str, str], items: Sequence[str], client: int) -> list[Told]:
    """What a client of its own connection is told: it unlocks what others unlock too, and orders."""
    told: list[Told] = []
    async with httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=90) as http:
        for turn in range(ROUNDS):
            item = items[(client + turn) % len(items)]
            wish = {"model": "stub/picture", "prompt": f"{client} {turn}"}
            for what, path, body in (
                (item, f"/api/media/{item}/unlock", {"price": ITEM_PRICE}),
                ("job", "/api/generations", wish),
            ):
                answer = await http.post(path, json=body)
                told.append((what, answer.status_code, answer.json().get("code")))
    return told


async def check(store: Store, told: list[Told]) -> None:
    """No overdraft, nothing bought twice, and all that was spent is found again, to the token."""
    counts = Counter(told)
    assert {(status, code) for _, status, code in counts} <= {
        (201, None), (200, None), (202, None), (402, "not_enough_tokens")
    }  # fmt: skip
    unlocks: list[Unlock] = list((await store.unlocks.list(None, None, 500)).items)
    bought = Counter(unlock.media_id for unlock in unlocks)
    assert set(bought.values()) == {1}, "an item was bought twice"
    assert {what: number for (what, status, _), number in counts.items() if status == 201} == dict(bought)
    alice, bob = await store.people.by_name("alice"), await store.people.by_name("bob")
    assert alice is not None
    assert bob is not None
    jobs: list[Generation] = list((await store.generations.list(GenerationFilter(owner_id=alice.id), None, 500)).items)
    ordered = sum(number for (what, status, _), number in counts.items() if (what, status) == ("job", 202))
    assert len(jobs) == ordered
    balance = await store.ledger.balance(alice.id)
    assert balance.available == BALANCE - ITEM_PRICE * len(unlocks) - JOB_PRICE * len(jobs)
    assert 0 <= balance.available < ITEM_PRICE, "somebody was refused who could have paid"
    assert balance.held == sum(job.hold for job in jobs if job.captured is None)
    assert (await store.ledger.balance(bob.id)).available == (ITEM_PRICE - SHARE) * len(unlocks)
    assert await store.ledger.proof() == []
    for id in bought:
        item = await store.media.get(id)
        assert item is not None
        assert item.unlocks == 1


async def test_on_one_server_with_sqlite(tmp_path: Path, stub: RunningStub) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = await open_sqlite(data / "mutoscope.db", SystemClock())
    items = await for_sale(store)
    await store.close()
    with KilledStudio(data, stub) as studio:
        await asyncio.to_thread(studio.start)
        await asyncio.to_thread(studio.people, BALANCE)
        told = await asyncio.gather(
            *(spend(studio.base_url, studio.signed_in(), items, client) for client in range(CLIENTS))
        )
        await asyncio.to_thread(studio.kill)
    store = await open_sqlite(data / "mutoscope.db", SystemClock())
    try:
        await check(store, [answer for answers in told for answer in answers])
    finally:
        await store.close()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    server = S3Server("ministack", tmp_path / "bucket")
    yield server
    server.stop()


@pytest.fixture
def processes(tmp_path: Path, stub: RunningStub, mongod: ReplicaSet, s3: S3Server) -> Iterator[list[Process]]:
    """Four processes that serve, over one database."""
    place = place_in(s3.name, s3.endpoint, "many-unlocks")
    environment = os.environ | {
        "MUTOSCOPE_PORT": "0", "MUTOSCOPE_SIGN_UP_GRANT": "0", "MUTOSCOPE_PER_PERSON_JOBS": "16",
        "MUTOSCOPE_ORDERS_PER_MINUTE": "6000",
        "MONGODB_URI": mongod.uri("many-unlocks"), "JWT_SECRET": random.Random(7).randbytes(32).hex(),
        "AWS_S3_BUCKET": place.bucket, "AWS_ENDPOINT_URL": place.endpoint or "",
        "AWS_ACCESS_KEY_ID": place.access_key_id or "", "AWS_SECRET_ACCESS_KEY": place.secret_access_key or "",
    }  # fmt: skip
    running = [
        Process(f"web-{number}", tmp_path, environment, [stub.address, "can-be-asked"]) for number in range(PROCESSES)
    ]
    assert all((process.data / "catalogue.toml").read_text() == CATALOGUE for process in running)
    try:
        for process in running:
            process.begin()
        assert all(process.ready() for process in running), "see the logs in the test's folder"
        yield running
    finally:
        for process in running:
            process.kill()


async def test_on_four_processes_with_mongodb(
    tmp_path: Path, stub: RunningStub, mongod: ReplicaSet, processes: list[Process]
) -> None:
    store = await open_mongo(mongod.uri("many-unlocks"), SystemClock(), SqliteCopies())
    try:
        items = await for_sale(store)
        studio = KilledStudio(processes[0].data, stub)
        await asyncio.to_thread(studio.people, BALANCE)
        told = await asyncio.gather(
            *(
                spend(processes[client % PROCESSES].base_url, studio.signed_in(), items, client)
                for client in range(CLIENTS)
            )
        )
        await check(store, [answer for answers in told for answer in answers])
    finally:
        await store.close()
