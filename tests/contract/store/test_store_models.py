"""Models that are gone: kept once, told to everyone, carried along by backups."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import cast
import journey
from cast import NOON
from mutoscope.domain.catalogue import Retired
from mutoscope.domain.events import PUBLIC
from mutoscope.domain.ids import Clock
from mutoscope.domain.people import Person
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

Opener = Callable[[Path, Clock], Awaitable[Store]]
SAID = Retired(model="fal/wan", upstream="wan-1", why="410 Gone", at=NOON)


async def retire(store: Store, said: Retired = SAID) -> bool:
    return await store.models.retire(said.model, said.upstream, said.why, said.at)


async def heard(store: Store, since: str) -> list[tuple[str, str, int]]:
    found = await store.events.after(since, [PUBLIC], 99)
    assert found is not None
    return [(event.kind, event.id, event.version) for event in found[0]]


async def test_a_model_is_retired_once_and_the_first_word_stays(store: Store) -> None:
    assert await store.models.retired() == []
    since = await store.events.head()
    assert await retire(store)
    assert not await store.models.retire("fal/wan", "wan-1", "another reason", NOON + 5)
    assert await store.models.retired() == [SAID]
    assert await heard(store, since) == [("model", "fal/wan", NOON)]


async def test_many_who_are_refused_at_once_retire_it_once(store: Store) -> None:
    since = await store.events.head()
    new = await asyncio.gather(*(retire(store) for _ in range(8)))
    assert sorted(new) == [False] * 7 + [True]
    assert await store.models.retired() == [SAID]
    assert len(await heard(store, since)) == 1


async def test_another_upstream_of_the_same_model_is_kept_beside_it(store: Store) -> None:
    later = Retired(model="fal/wan", upstream="wan-0", why="", at=NOON + 1)
    odd = Retired(model="a:b\n", upstream="$c.d", why="\0", at=NOON)
    for said in (SAID, later, odd):
        assert await retire(store, said)
    assert await store.models.retired() == [odd, later, SAID]


async def test_a_model_that_is_restored_may_be_retired_again(store: Store) -> None:
    assert not await store.models.restore("fal/wan", NOON)
    await retire(store)
    await retire(store, Retired(model="fal/wan", upstream="wan-2", why="", at=NOON))
    other = Retired(model="fal/wan-mini", upstream="wan-1", why="", at=NOON)
    await retire(store, other)
    since = await store.events.head()
    assert await store.models.restore("fal/wan", NOON + 1)
    assert await store.models.retired() == [other]
    assert await heard(store, since) == [("model", "fal/wan", NOON + 1)]
    assert not await store.models.restore("fal/wan", NOON + 2)
    assert await retire(store)


async def test_what_was_retired_is_known_after_a_restart(opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    await retire(store)
    await store.close()
    store = await opener(folder, cast.HandClock())
    assert await store.models.retired() == [SAID]
    await store.close()


async def test_a_backup_carries_it(store: Store, alice: Person, tmp_path: Path) -> None:
    await journey.published(store, alice)
    await retire(store)
    await store.backup(tmp_path / "copy.db")
    copy = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    assert await copy.models.retired() == [SAID]
    await copy.close()


@pytest.fixture
def database(databases: Databases) -> str:
    return databases.take()


async def test_it_is_loaded_into_mongodb_also_at_the_second_try(
    store: Store, tmp_path: Path, databases: Databases, database: str
) -> None:
    await retire(store)
    await store.backup(tmp_path / "copy.db")
    uri, pages = databases.uri(database), list(read_copy(tmp_path / "copy.db"))

    async def break_off() -> None:
        raise RuntimeError("killed")

    async def finish() -> None: ...

    with pytest.raises(RuntimeError, match="killed"):
        await load_mongo(uri, cast.HandClock(), pages, break_off)
    await load_mongo(uri, cast.HandClock(), pages, finish)
    loaded = await open_mongo(uri, cast.HandClock(), SqliteCopies())
    assert await loaded.models.retired() == [SAID]
    await loaded.close()
    databases.give_back(database)
