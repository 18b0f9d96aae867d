"""The store tries itself: something is written, read back and taken away, and nobody sees it."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

import cast
import journey
from disks import fill, small_disk
from mutoscope.domain.events import PUBLIC, to_person
from mutoscope.domain.ids import MINUTE, Clock, SystemClock
from mutoscope.domain.people import Person
from mutoscope.store.port import Store, StoreUnavailable
from mutoscope.store.sqlite import open_sqlite

Opener = Callable[[Path, Clock], Awaitable[Store]]


async def test_a_store_says_what_it_is_in_one_line(store: Store) -> None:
    said = await store.check()
    assert said.strip()
    assert "\n" not in said


async def test_nobody_sees_that_a_store_tried_itself(store: Store, alice: Person) -> None:
    await journey.published(store, alice)
    before = await store.stats.totals(), await store.events.head(), await store.ledger.balance(alice.id)
    await store.check()
    assert (await store.stats.totals(), await store.events.head(), await store.ledger.balance(alice.id)) == before
    assert await store.events.after(before[1], [PUBLIC, to_person(alice.id)], 9) == ([], before[1])


async def test_many_may_try_it_at_once(store: Store) -> None:
    assert all(await asyncio.gather(*(store.check() for _ in range(8))))


async def test_the_databases_time_is_near_ours_or_ours(store: Store) -> None:
    # Not the hand clock of the tests: a database tells the time of the machine that it is on.
    told = await store.time()
    assert told is None or abs(told - SystemClock().now()) < MINUTE


async def test_a_closed_store_cannot_be_tried(opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    await store.close()
    for call in (store.check(), store.time()):
        with pytest.raises(StoreUnavailable):
            await call


async def test_sqlite_says_its_version_file_and_schema_and_leaves_no_row(tmp_path: Path) -> None:
    clock = cast.HandClock()
    store = await open_sqlite(tmp_path / "mutoscope.db", clock)
    said = await store.check()
    assert said.startswith(f"SQLite {sqlite3.sqlite_version}, file mutoscope.db, 0.")
    await store.close()
    with closing(sqlite3.connect(tmp_path / "mutoscope.db")) as file:
        schema = file.execute("PRAGMA user_version").fetchone()[0]
        assert said.endswith(f" MB, schema {schema}")
        assert file.execute("SELECT count(*) FROM links").fetchone() == (0,)


async def test_what_a_killed_check_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    clock = cast.HandClock()
    await (await open_sqlite(tmp_path / "mutoscope.db", clock)).close()
    with closing(sqlite3.connect(tmp_path / "mutoscope.db")) as file, file:
        file.execute("INSERT INTO links VALUES ('left', 'check', ?, '{}')", (clock.now() - 1,))
    store = await open_sqlite(tmp_path / "mutoscope.db", clock)
    await store.check()
    await store.close()
    with closing(sqlite3.connect(tmp_path / "mutoscope.db")) as file:
        assert file.execute("SELECT count(*) FROM links").fetchone() == (0,)


async def test_sqlite_on_a_full_disk_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = await open_sqlite(disk / "mutoscope.db", cast.HandClock())
        filler = fill(disk)
        with pytest.raises(StoreUnavailable, match="full"):
            await store.check()
        filler.unlink()
        assert await store.check()
        await store.close()
