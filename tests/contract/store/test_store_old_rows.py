"""Jobs that were written before a field came, read as they were meant."""

import sqlite3
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest
from pymongo import MongoClient

import cast
import journey
from mutoscope.domain.ids import Clock
from mutoscope.domain.source import SourceFit
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import Databases

Opener = Callable[[Path, Clock], Awaitable[Store]]
WIDE = SourceFit(width=1024, height=576, crop=True, format="jpeg")


def sqlite(request: pytest.FixtureRequest) -> Generator[tuple[Opener, Callable[[], int]]]:
    file: Path = request.getfixturevalue("tmp_path") / "mutoscope.db"

    def age() -> int:
        with closing(sqlite3.connect(file)) as raw, raw:
            removed = "UPDATE generations SET document = json_remove(document, '$.pinned.source')"
            return raw.execute(f"{removed} WHERE json_type(document, '$.pinned.source') IS NOT NULL").rowcount

    yield lambda _, clock: open_sqlite(file, clock), age


def mongo(request: pytest.FixtureRequest) -> Generator[tuple[Opener, Callable[[], int]]]:
    databases: Databases = request.getfixturevalue("databases")
    name = databases.take()

    def age() -> int:
        with MongoClient[dict[str, object]](databases.uri(name)) as raw:
            generations = raw.get_default_database()["mutoscope_generations"]
            return generations.update_many({}, {"$unset": {"pinned.source": 1}}).modified_count

    yield lambda _, clock: open_mongo(databases.uri(name), clock, SqliteCopies()), age
    databases.give_back(name)


@pytest.fixture(params=[sqlite, mongo])
def aged(request: pytest.FixtureRequest) -> Generator[tuple[Opener, Callable[[], int]]]:
    yield from request.param(request)


async def test_what_a_picture_becomes_is_kept_and_a_job_of_before_is_claimed_without_it(
    aged: tuple[Opener, Callable[[], int]], tmp_path: Path, clock: cast.HandClock
) -> None:
    opener, age = aged
    store = await opener(tmp_path, clock)
    alice = await journey.join(store, cast.alice())
    job = await journey.accept(store, alice, pinned=cast.pinned(source=WIDE))
    found = await store.generations.get(job.id)
    assert found is not None
    assert found.pinned == cast.pinned(source=WIDE)
    await store.close()
    assert age() == 1
    store = await opener(tmp_path, clock)
    claimed = await journey.claim(store)
    assert claimed.id == job.id
    assert claimed.pinned == cast.pinned(source=None)
    await store.close()
