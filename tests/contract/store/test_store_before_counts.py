"""A store of the release before views and likes were kept, opened by this one."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest
from pymongo import MongoClient

import cast
import journey
from contract.store.conftest import Opener
from mutoscope.domain import search
from mutoscope.domain.search import Query
from mutoscope.store.mongo import open_mongo
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import Databases

Before = tuple[Opener, Callable[[], None]]
"""Opens a store, and makes of a closed one what the release before had made of it."""


def sqlite(request: pytest.FixtureRequest) -> Generator[Before]:
    file: Path = request.getfixturevalue("tmp_path") / "mutoscope.db"

    def go_back() -> None:
        with closing(sqlite3.connect(file)) as raw:
            raw.executescript(
                "DROP TABLE share_links; DROP TABLE collections; DROP INDEX people_email; ALTER TABLE people DROP COLUMN email_key;"  # what came still later
                "DROP INDEX media_by_likes; ALTER TABLE media DROP COLUMN likes; DROP TABLE likes; DROP TABLE viewers;"
                "DROP TABLE view_days; PRAGMA user_version = 7"
            )

    yield lambda _, clock: open_sqlite(file, clock), go_back


def mongo(request: pytest.FixtureRequest) -> Generator[Before]:
    databases: Databases = request.getfixturevalue("databases")
    name = databases.take()

    def go_back() -> None:
        with MongoClient[dict[str, object]](databases.uri(name)) as raw:
            database = raw.get_default_database()
            database["mutoscope_media"].update_many({}, {"$unset": {"likes": 1}})
            database["mutoscope_media"].drop_index("by_likes")
            for collection in ("likes", "viewers", "view_days"):
                database.drop_collection(f"mutoscope_{collection}")
            database["mutoscope_schema"].update_one({}, {"$set": {"version": 5}})

    yield lambda _, clock: open_mongo(databases.uri(name), clock, SqliteCopies()), go_back
    databases.give_back(name)


@pytest.fixture(params=[sqlite, mongo])
def before(request: pytest.FixtureRequest) -> Generator[Before]:
    yield from request.param(request)


async def test_items_of_before_are_liked_by_nobody_and_can_be_seen_liked_and_sorted(
    before: Before, tmp_path: Path, clock: cast.HandClock
) -> None:
    opener, go_back = before
    store = await opener(tmp_path, clock)
    alice = await journey.join(store, cast.alice())
    one, two = await journey.published(store, alice, results=2)
    await store.close()
    go_back()
    store = await opener(tmp_path, clock)
    await store.likes.add(alice.id, one.id, cast.NOON)
    await journey.view(store, one)
    seen, cursor = list[tuple[str, int, int]](), None
    for _ in range(2):
        page = await store.media.search(search.GALLERY, Query(sort="liked"), False, cursor, 1)
        seen, cursor = [*seen, *((item.id, item.views, item.likes) for item in page.items)], page.next
    assert (seen, cursor) == ([(one.id, 1, 1), (two.id, 0, 0)], None)
    await store.close()
