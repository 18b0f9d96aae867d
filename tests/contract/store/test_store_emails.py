"""Addresses of people, and the links that are mailed to them."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs
from pymongo import MongoClient

import cast
from cast import NOON
from mutoscope.domain.errors import Conflict, WrongCredentials
from mutoscope.domain.ids import MINUTE, Clock
from mutoscope.domain.people import OneTimeLink, Person, Purpose
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

Opener = Callable[[Path, Clock], Awaitable[Store]]
LATER = NOON + MINUTE
HERS, OTHER = "Alice@studio.example", "other@studio.example"


def link(of: Person, secret_hash: str, email: str | None, purpose: Purpose = Purpose.RESET) -> OneTimeLink:
    return OneTimeLink(secret_hash=secret_hash, purpose=purpose, person_id=of.id, expires_at=LATER, email=email)


async def good(store: Store, *secrets: str) -> list[bool]:
    return [await store.people.link(secret, Purpose.RESET, NOON) is not None for secret in secrets]


async def test_an_address_is_set_changed_and_removed_and_the_one_before_is_told(store: Store, alice: Person) -> None:
    assert await store.people.set_email(alice.id, HERS, 1) is None
    assert await store.people.get(alice.id) == structs.replace(alice, email=HERS)
    assert await store.people.set_email(alice.id, OTHER, 1) == HERS
    assert await store.people.by_email(HERS, 10) == []
    assert await store.people.set_email(alice.id, None, 1) == OTHER
    assert await store.people.get(alice.id) == alice
    assert await store.people.by_email(OTHER, 10) == []


async def test_an_address_is_found_in_any_case_with_all_who_have_it_the_first_first(
    store: Store, alice: Person, bob: Person
) -> None:
    early = await store.people.add(cast.person("early", created_at=NOON - 1, email=HERS.upper()), None)
    await store.people.set_email(bob.id, HERS.lower(), 1)
    await store.people.set_email(alice.id, HERS, 1)
    found = await store.people.by_email("aLICE@Studio.example", 10)
    assert found[0] == early
    assert {person.id for person in found} == {alice.id, bob.id, early.id}
    assert await store.people.by_email(HERS, 1) == [early]
    assert await store.people.by_email("alice@studio.exampl", 10) == []
    assert await store.people.by_email("", 10) == []


async def test_an_address_is_set_for_nobody_who_is_gone_or_was_changed(store: Store, alice: Person) -> None:
    for id, version in (("usr_nobody", 1), (alice.id, 2)):
        with pytest.raises(Conflict):
            await store.people.set_email(id, HERS, version)
    assert await store.people.get(alice.id) == alice


async def test_no_other_change_sets_an_address_back(store: Store, alice: Person) -> None:
    """Who read the person before writes the address that is there."""
    await store.people.set_email(alice.id, HERS, 1)
    await store.people.change(structs.replace(alice, password_hash="new", email=OTHER), 1)
    now = await store.people.get(alice.id)
    assert now == structs.replace(alice, password_hash="new", email=HERS)
    assert [person.id for person in await store.people.by_email(HERS, 10)] == [alice.id]


async def test_changes_of_password_and_address_at_once_are_both_kept(store: Store, alice: Person) -> None:
    for n in range(6):
        before = await store.people.get(alice.id)
        assert before is not None
        changed = structs.replace(before, password_hash=f"hash {n}")
        await asyncio.gather(
            store.people.change(changed, 1), store.people.set_email(alice.id, f"a{n}@studio.example", 1)
        )
        now = await store.people.get(alice.id)
        assert now == structs.replace(alice, password_hash=f"hash {n}", email=f"a{n}@studio.example")


async def test_a_mailed_link_ends_those_that_were_mailed_before_and_no_others(
    store: Store, alice: Person, bob: Person
) -> None:
    await store.people.add_link(link(alice, "handed", None))
    await store.people.add_link(link(alice, "sign-in", None, Purpose.SIGN_IN))
    await store.people.add_link(link(bob, "his", HERS))
    await store.people.add_link(link(alice, "first", HERS))
    await store.people.add_link(link(alice, "second", OTHER))
    assert await good(store, "handed", "his", "first", "second") == [True, True, False, True]
    assert await store.people.link("sign-in", Purpose.SIGN_IN, NOON) is not None
    await store.people.add_link(link(alice, "handed too", None))
    assert await good(store, "handed", "second", "handed too") == [True, True, True]


async def test_of_links_that_are_mailed_at_once_one_is_left(store: Store, alice: Person) -> None:
    await asyncio.gather(*(store.people.add_link(link(alice, f"mailed {n}", HERS)) for n in range(8)))
    assert sum(await good(store, *(f"mailed {n}" for n in range(8)))) == 1


async def test_a_mailed_link_is_of_no_use_once_the_address_is_another(store: Store, alice: Person) -> None:
    await store.people.set_email(alice.id, HERS, 1)
    await store.people.add_link(link(alice, "mailed", HERS))
    await store.people.set_email(alice.id, OTHER, 1)
    new = structs.replace(alice, password_hash="new", token_version=2)
    with pytest.raises(WrongCredentials):
        await store.people.change(new, 1, "mailed", NOON)
    await store.people.set_email(alice.id, HERS, 1)
    await store.people.change(new, 1, "mailed", NOON)
    now = await store.people.get(alice.id)
    assert now == structs.replace(new, email=HERS)
    assert await good(store, "mailed") == [False]


async def test_addresses_and_mailed_links_are_loaded_into_mongodb(
    store: Store, alice: Person, tmp_path: Path, databases: Databases
) -> None:
    await store.people.set_email(alice.id, HERS, 1)
    await store.people.add_link(link(alice, "mailed", HERS))
    await store.backup(tmp_path / "copy.db")

    async def finish() -> None: ...

    name = databases.take()
    await load_mongo(databases.uri(name), cast.HandClock(), list(read_copy(tmp_path / "copy.db")), finish)
    loaded = await open_mongo(databases.uri(name), cast.HandClock(), SqliteCopies())
    assert await loaded.people.by_email(HERS.upper(), 10) == [structs.replace(alice, email=HERS)]
    assert await loaded.people.link("mailed", Purpose.RESET, NOON) == link(alice, "mailed", HERS)
    await loaded.close()
    with MongoClient[dict[str, object]](databases.uri(name)) as raw:
        people = raw.get_default_database()["mutoscope_people"]
        found = people.find({"email_key": HERS.lower()}).sort([("created_at", 1), ("_id", 1)]).limit(10)
        plan = str(found.explain()["queryPlanner"]["winningPlan"])
        assert "by_email" in plan
        assert "COLLSCAN" not in plan
        assert "SORT" not in plan.replace("sortPattern", "")
    databases.give_back(name)


async def test_the_embedded_database_finds_an_address_by_its_index(tmp_path: Path) -> None:
    await (await open_sqlite(tmp_path / "mutoscope.db", cast.HandClock())).close()
    with closing(sqlite3.connect(tmp_path / "mutoscope.db")) as raw:
        query = "SELECT document FROM people WHERE email_key = ? ORDER BY created_at, id LIMIT ?"
        plan = str(raw.execute(f"EXPLAIN QUERY PLAN {query}", ("x", 1)).fetchall())
    assert "people_email" in plan
    assert "TEMP B-TREE" not in plan


async def test_addresses_and_mailed_links_are_in_backups(store: Store, alice: Person, tmp_path: Path) -> None:
    await store.people.set_email(alice.id, HERS, 1)
    await store.people.add_link(link(alice, "mailed", HERS))
    await store.backup(tmp_path / "copy.db")
    copy = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    try:
        assert [person.email for person in await copy.people.by_email(HERS.lower(), 10)] == [HERS]
        found = await copy.people.link("mailed", Purpose.RESET, NOON)
        assert found == link(alice, "mailed", HERS)
    finally:
        await copy.close()
