"""Share links."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from mutoscope.domain.collections import Add
from mutoscope.domain.errors import Conflict, Invalid
from mutoscope.domain.ids import HOUR, MINUTE
from mutoscope.domain.people import Person
from mutoscope.domain.sharing import ShareLink
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

LIMIT = 3
ITEM, OTHER = cast.ids.new("med"), cast.ids.new("med")


def link(of: Person, secret_hash: str = "hash", **fields: object) -> ShareLink:
    made = {"id": cast.ids.new("shr"), "target": ITEM, "made_by": of.id, "created_at": NOON}
    return ShareLink(**({"owner_id": of.id, "secret_hash": secret_hash} | made | fields))


async def test_a_link_is_found_by_its_secret_and_by_its_id(store: Store, alice: Person, bob: Person) -> None:
    made = link(alice, password_hash="$argon2id$x", expires_at=NOON + HOUR)
    await store.shares.add(made, LIMIT)
    await store.shares.add(link(bob, "other"), LIMIT)
    assert await store.shares.of_secret("hash", NOON) == made
    assert await store.shares.get(made.id, NOON) == made
    assert await store.shares.of_secret("unknown", NOON) is None
    assert await store.shares.get(cast.ids.new("shr"), NOON) is None


async def test_a_link_opens_nothing_from_its_moment_on_and_is_still_listed(store: Store, alice: Person) -> None:
    made = link(alice, expires_at=NOON + MINUTE)
    await store.shares.add(made, LIMIT)
    for now, found in ((NOON + MINUTE - 1, made), (NOON + MINUTE, None)):
        assert await store.shares.of_secret("hash", now) == found
        assert await store.shares.get(made.id, now) == found
    assert await store.shares.of_target(ITEM) == [made]


async def test_a_link_is_revoked_by_its_owner_or_by_who_may_all_and_keeps_its_moment(
    store: Store, alice: Person, bob: Person
) -> None:
    mine, hers = link(alice), link(alice, "hers")
    for each in (mine, hers):
        await store.shares.add(each, LIMIT)
    assert not await store.shares.revoke(mine.id, bob.id, NOON + 1)
    assert await store.shares.get(mine.id, NOON) == mine
    assert await store.shares.revoke(mine.id, alice.id, NOON + 2)
    assert await store.shares.revoke(mine.id, alice.id, NOON + 3)
    assert await store.shares.revoke(hers.id, None, NOON + 4)
    assert not await store.shares.revoke(cast.ids.new("shr"), None, NOON)
    assert await store.shares.of_secret("hash", NOON) is None
    assert await store.shares.get(hers.id, NOON) is None
    assert [each.revoked_at for each in await store.shares.of_target(ITEM)] == [NOON + 4, NOON + 2]


async def test_the_links_of_a_target_and_of_an_owner_are_listed_with_the_newest_first(
    store: Store, alice: Person, bob: Person
) -> None:
    made = [link(alice, f"{n}", target=target) for n, target in enumerate((ITEM, OTHER, ITEM))]
    for each in (*made, link(bob, "his", target=cast.ids.new("med"))):
        await store.shares.add(each, LIMIT)
    assert await store.shares.of_target(ITEM) == [made[2], made[0]]
    first = await store.shares.of_owner(alice.id, None, 2)
    rest = await store.shares.of_owner(alice.id, first.next, 2)
    assert (list(first.items), list(rest.items), rest.next) == ([made[2], made[1]], [made[0]], None)
    with pytest.raises(Invalid):
        await store.shares.of_owner(alice.id, "nonsense", 2)


async def test_of_many_who_make_the_last_links_at_once_no_more_than_the_limit_do(store: Store, alice: Person) -> None:
    answers = await asyncio.gather(
        *(store.shares.add(link(alice, f"hash {n}"), LIMIT) for n in range(10)), return_exceptions=True
    )
    assert answers.count(None) == LIMIT
    assert sum(isinstance(answer, Conflict) for answer in answers) == 10 - LIMIT
    assert len(await store.shares.of_target(ITEM)) == LIMIT
    await store.shares.add(link(alice, "elsewhere", target=OTHER), LIMIT)


async def test_links_that_have_ended_make_room(store: Store, alice: Person) -> None:
    ended, revoked, good = link(alice, "1", expires_at=NOON + 5), link(alice, "2"), link(alice, "3")
    for each in (ended, revoked, good):
        await store.shares.add(each, LIMIT)
    await store.shares.revoke(revoked.id, None, NOON)
    late = link(alice, "4", created_at=NOON + 5)
    await store.shares.add(late, LIMIT)
    assert await store.shares.of_target(ITEM) == [late, good]


async def test_nobody_gets_no_link(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.shares.add(link(cast.alice()), LIMIT)
    assert await store.shares.of_target(ITEM) == []


async def test_the_links_of_somebody_suspended_open_nothing_until_they_are_back(store: Store, alice: Person) -> None:
    made = link(alice)
    await store.shares.add(made, LIMIT)
    await store.people.change(structs.replace(alice, suspended_at=NOON), 1)
    assert await store.shares.of_secret("hash", NOON) is None
    assert await store.shares.get(made.id, NOON) is None
    await store.people.change(alice, 1)
    assert await store.shares.get(made.id, NOON) == made


async def test_the_last_use_only_moves_on(store: Store, alice: Person) -> None:
    made = link(alice)
    await store.shares.add(made, LIMIT)
    for now in (NOON + 5, NOON + 9, NOON + 7):
        await store.shares.use(made.id, now)
    await store.shares.use("shr_unknown", NOON)
    assert await store.shares.get(made.id, NOON) == structs.replace(made, used_at=NOON + 9)


async def test_a_collection_says_whether_an_item_stands_in_it(store: Store, alice: Person) -> None:
    held, other = [(await journey.published(store, alice))[0] for _ in range(2)]
    full, bare = cast.collection(alice), cast.collection(alice)
    for each in (full, bare):
        await store.collections.add(each, 9)
    await store.collections.rearrange(full.id, Add((held.id,)), None, NOON)
    asked = [(full.id, held.id), (full.id, other.id), (bare.id, held.id), (cast.ids.new("col"), held.id)]
    assert [await store.collections.holds(*each) for each in asked] == [True, False, False, False]


async def test_a_backup_carries_share_links(store: Store, alice: Person, tmp_path: Path) -> None:
    made = link(alice, expires_at=NOON + HOUR, used_at=NOON, password_hash="$argon2id$x")
    await store.shares.add(made, LIMIT)
    await store.backup(tmp_path / "copy.db")
    copy = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    assert await copy.shares.of_secret("hash", NOON) == made
    await copy.close()


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    name = databases.take()
    yield name
    databases.give_back(name)


async def test_share_links_are_loaded_into_mongodb(
    store: Store, alice: Person, tmp_path: Path, databases: Databases, database: str
) -> None:
    made = link(alice, revoked_at=NOON + 1)
    await store.shares.add(made, LIMIT)
    await store.backup(tmp_path / "copy.db")

    async def finish() -> None: ...

    uri = databases.uri(database)
    await load_mongo(uri, cast.HandClock(), list(read_copy(tmp_path / "copy.db")), finish)
    loaded = await open_mongo(uri, cast.HandClock(), SqliteCopies())
    assert await loaded.shares.of_target(ITEM) == [made]
    await loaded.close()
