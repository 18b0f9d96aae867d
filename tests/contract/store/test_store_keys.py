"""API keys, and sessions in a list."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

import cast
from cast import NOON
from mutoscope.domain.errors import Conflict
from mutoscope.domain.ids import HOUR, MINUTE
from mutoscope.domain.keys import ApiKey, Scope
from mutoscope.domain.people import Person, Session
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

LIMIT = 3


def key(of: Person, secret_hash: str = "hash", **fields: object) -> ApiKey:
    made = {"id": cast.ids.new("key"), "name": "uploader", "scopes": (Scope.READ,), "token_version": of.token_version}
    return ApiKey(**({"person_id": of.id, "secret_hash": secret_hash, "created_at": NOON} | made | fields))


def session(of: Person, secret_hash: str, **fields: object) -> Session:
    made = {"created_at": NOON, "expires_at": NOON + HOUR, "user_agent": "Lynx"}
    return Session(**({"secret_hash": secret_hash, "person_id": of.id} | made | fields))


async def test_a_key_gives_itself_and_its_person(store: Store, alice: Person, bob: Person) -> None:
    made = key(alice, scopes=(Scope.GENERATE, Scope.ADMIN))
    await store.keys.add(made, LIMIT)
    await store.keys.add(key(bob, "other"), LIMIT)
    assert await store.keys.of_secret("hash", NOON) == (made, alice)
    assert await store.keys.of_secret("unknown", NOON) is None
    assert await store.keys.of_person(alice.id) == [made]


async def test_a_key_ends_at_its_moment(store: Store, alice: Person) -> None:
    made = key(alice, expires_at=NOON + MINUTE)
    await store.keys.add(made, LIMIT)
    assert await store.keys.of_secret("hash", NOON + MINUTE - 1) is not None
    assert await store.keys.of_secret("hash", NOON + MINUTE) is None
    assert await store.keys.of_person(alice.id) == [made], "it is listed until it is revoked"


async def test_keys_are_listed_with_the_newest_first(store: Store, alice: Person) -> None:
    made = [key(alice, f"{n}", created_at=NOON + at) for n, at in enumerate((0, 2, 1))]
    for each in made:
        await store.keys.add(each, LIMIT)
    assert await store.keys.of_person(alice.id) == [made[1], made[2], made[0]]


async def test_a_key_is_revoked_once_and_by_its_person_alone(store: Store, alice: Person, bob: Person) -> None:
    made = key(alice)
    await store.keys.add(made, LIMIT)
    assert not await store.keys.revoke(bob.id, made.id)
    assert await store.keys.of_secret("hash", NOON) is not None
    assert await store.keys.revoke(alice.id, made.id)
    assert await store.keys.of_secret("hash", NOON) is None
    assert not await store.keys.revoke(alice.id, made.id)


async def test_of_many_who_make_the_last_keys_at_once_no_more_than_the_limit_do(store: Store, alice: Person) -> None:
    answers = await asyncio.gather(
        *(store.keys.add(key(alice, f"hash {n}"), LIMIT) for n in range(10)), return_exceptions=True
    )
    assert answers.count(None) == LIMIT
    assert sum(isinstance(answer, Conflict) for answer in answers) == 10 - LIMIT
    assert len(await store.keys.of_person(alice.id)) == LIMIT


async def test_nobody_gets_no_key(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.keys.add(key(cast.alice()), LIMIT)
    assert await store.keys.of_secret("hash", NOON) is None


async def test_the_last_use_only_moves_on(store: Store, alice: Person) -> None:
    made = key(alice)
    await store.keys.add(made, LIMIT)
    for now in (NOON + 5, NOON + 9, NOON + 7):
        await store.keys.use(made.id, now)
    await store.keys.use("key_unknown", NOON)
    assert await store.keys.of_person(alice.id) == [structs.replace(made, used_at=NOON + 9)]


async def test_keys_end_with_sessions_when_the_token_version_goes_up(store: Store, alice: Person, bob: Person) -> None:
    await store.keys.add(key(alice), LIMIT)
    await store.keys.add(key(bob, "his"), LIMIT)
    await store.people.change(structs.replace(alice, password_hash="new"), 1)
    assert await store.keys.of_secret("hash", NOON) is not None
    await store.people.change(structs.replace(alice, token_version=2), 1)
    assert await store.keys.of_person(alice.id) == []
    assert await store.keys.of_secret("his", NOON) is not None


async def test_a_key_or_session_that_was_on_its_way_when_everything_ended_opens_nothing(
    store: Store, alice: Person
) -> None:
    await store.people.change(structs.replace(alice, token_version=2), 1)
    await store.keys.add(key(alice, token_version=1), LIMIT)
    await store.people.open_session(session(alice, "late", token_version=1))
    await store.people.open_session(session(alice, "now", token_version=2))
    assert await store.keys.of_secret("hash", NOON) is None
    assert await store.people.session("late", NOON) is None
    assert await store.people.session("now", NOON) is not None


async def test_a_suspended_persons_key_opens_nothing(store: Store, alice: Person) -> None:
    await store.keys.add(key(alice), LIMIT)
    await store.people.change(structs.replace(alice, suspended_at=NOON), 1)
    assert await store.keys.of_secret("hash", NOON) is None


async def test_the_sessions_of_a_person_are_listed_with_the_newest_first(
    store: Store, alice: Person, bob: Person
) -> None:
    made = [session(alice, f"{n}", created_at=NOON + at) for n, at in enumerate((0, 2, 1))]
    over = session(alice, "over", expires_at=NOON + MINUTE)
    for each in (*made, over, session(bob, "his")):
        await store.people.open_session(each)
    assert await store.people.sessions_of(alice.id, NOON + MINUTE) == [made[1], made[2], made[0]]


async def test_the_use_of_a_session_is_noted(store: Store, alice: Person) -> None:
    made = session(alice, "hers")
    await store.people.open_session(made)
    await store.people.use_session("hers", NOON + 5)
    await store.people.use_session("unknown", NOON + 5)
    noted = structs.replace(made, used_at=NOON + 5)
    assert await store.people.session("hers", NOON) == (noted, alice)
    assert await store.people.sessions_of(alice.id, NOON) == [noted]


async def test_all_sessions_but_one_are_ended(store: Store, alice: Person, bob: Person) -> None:
    for secret, person in (("one", alice), ("two", alice), ("his", bob)):
        await store.people.open_session(session(person, secret))
    await store.people.close_sessions(alice.id, "two")
    found = [await store.people.session(secret, NOON) is not None for secret in ("one", "two", "his")]
    assert found == [False, True, True]


async def test_a_backup_carries_keys(store: Store, alice: Person, tmp_path: Path) -> None:
    made = key(alice, expires_at=NOON + HOUR, used_at=NOON)
    await store.keys.add(made, LIMIT)
    await store.backup(tmp_path / "copy.db")
    copy = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    assert await copy.keys.of_secret("hash", NOON) == (made, alice)
    await copy.close()


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    name = databases.take()
    yield name
    databases.give_back(name)


async def test_keys_are_loaded_into_mongodb(
    store: Store, alice: Person, tmp_path: Path, databases: Databases, database: str
) -> None:
    made = key(alice, used_at=NOON)
    await store.keys.add(made, LIMIT)
    await store.backup(tmp_path / "copy.db")

    async def finish() -> None: ...

    uri = databases.uri(database)
    await load_mongo(uri, cast.HandClock(), list(read_copy(tmp_path / "copy.db")), finish)
    loaded = await open_mongo(uri, cast.HandClock(), SqliteCopies())
    assert await loaded.keys.of_secret("hash", NOON) == (made, alice)
    await loaded.close()
