"""Token buckets: what a burst gives, when the next one comes, and that many at once get no more."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import cast
from cast import NOON
from mutoscope.domain.ids import SECOND
from mutoscope.domain.limits import Bucket, Rate, bucket
from mutoscope.store.mongo import open_mongo
from mutoscope.store.mongo.buckets import MongoBuckets
from mutoscope.store.mongo.engine import PREFIX
from mutoscope.store.port import Store
from mutoscope.store.sqlite.buckets import MemoryBuckets
from mutoscope.store.sqlite.engine import Engine
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import Databases, ReplicaSet

RATE = Rate(name="tried", burst=3, refill_ms=10 * SECOND)
HERE, THERE = bucket(RATE, "192.0.2.1"), bucket(RATE, "192.0.2.2")


async def empty(store: Store, which: Bucket = HERE) -> None:
    for _ in range(which.rate.burst):
        assert await store.buckets.take([which], NOON) == 0


async def test_a_burst_is_given_and_then_one_each_time_that_it_refills(store: Store) -> None:
    await empty(store)
    assert await store.buckets.take([HERE], NOON) == 10 * SECOND
    assert await store.buckets.take([HERE], NOON + 9_999) == 1
    assert await store.buckets.take([HERE], NOON + 10 * SECOND) == 0
    assert await store.buckets.take([HERE], NOON + 10 * SECOND) == 10 * SECOND
    assert await store.buckets.take([THERE], NOON) == 0


async def test_after_a_long_time_there_is_a_burst_again_and_no_more(store: Store) -> None:
    await empty(store)
    later = NOON + 1_000 * SECOND
    assert [await store.buckets.take([HERE], later) for _ in range(4)] == [0, 0, 0, 10 * SECOND]


async def test_looking_takes_nothing(store: Store) -> None:
    assert [await store.buckets.wait([HERE, THERE], NOON) for _ in range(5)] == [0] * 5
    await empty(store)
    assert await store.buckets.wait([HERE, THERE], NOON) == 10 * SECOND
    assert await store.buckets.wait([THERE], NOON) == 0


async def test_of_several_all_are_taken_or_none(store: Store) -> None:
    await empty(store)
    for order in ([HERE, THERE], [THERE, HERE]):
        assert await store.buckets.take(order, NOON) == 10 * SECOND
    await empty(store, THERE)


async def test_what_is_charged_without_being_there_is_a_debt(store: Store) -> None:
    for _ in range(5):
        await store.buckets.charge([HERE], NOON)
    assert await store.buckets.wait([HERE], NOON) == 30 * SECOND
    assert await store.buckets.take([HERE], NOON + 30 * SECOND) == 0


async def test_many_at_once_get_no_more_than_the_burst(store: Store) -> None:
    waits = await asyncio.gather(*(store.buckets.take([HERE], NOON) for _ in range(40)))
    assert waits.count(0) == 3
    assert await store.buckets.wait([HERE], NOON) == 10 * SECOND


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    name = databases.take()
    yield name
    databases.give_back(name)


async def test_processes_that_share_mongodb_share_the_buckets(databases: Databases, database: str) -> None:
    uri = databases.uri(database)
    stores = [await open_mongo(uri, cast.HandClock(), SqliteCopies()) for _ in range(3)]
    waits = await asyncio.gather(*(store.buckets.take([HERE], NOON) for store in stores for _ in range(10)))
    assert waits.count(0) == 3
    assert {await store.buckets.wait([HERE], NOON) for store in stores} == {10 * SECOND}
    for store in stores:
        await store.close()


async def test_rows_are_bounded_and_those_that_are_nearly_full_go_first(
    databases: Databases, database: str, mongod: ReplicaSet
) -> None:
    store = await open_mongo(databases.uri(database), cast.HandClock(), SqliteCopies())
    buckets = store.buckets
    assert isinstance(buckets, MongoBuckets)
    few = MongoBuckets(buckets._engine, most=20)
    await empty(store)
    for n in range(50):
        await buckets.charge([bucket(RATE, f"flood {n}")], NOON)
    await few.sweep(NOON)
    with mongod.members[0].client() as client:
        assert client[database][PREFIX + "buckets"].count_documents({}) <= 20
    assert await buckets.wait([HERE], NOON) == 10 * SECOND, "the one that matters most is kept"
    await few.sweep(NOON + 1_000 * SECOND)
    with mongod.members[0].client() as client:
        assert client[database][PREFIX + "buckets"].count_documents({}) == 0
    await store.close()


async def test_memory_is_bounded_and_those_that_are_nearly_full_go_first(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "data.db", cast.HandClock())
    engine.start(lambda _: 0, lambda _: None)
    buckets = MemoryBuckets(engine, most=100)
    for _ in range(3):
        await buckets.charge([HERE], NOON)
    for n in range(1_000):
        await buckets.charge([bucket(RATE, f"flood {n}")], NOON + n)
        assert len(buckets) <= 100
    assert await buckets.wait([HERE], NOON + 1_000) == 9 * SECOND
    await engine.close()
