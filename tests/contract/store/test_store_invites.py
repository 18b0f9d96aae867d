"""Invitations: so many accounts and no more, each in one commit with the use that it counts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

import cast
from cast import NOON
from mutoscope.domain.errors import Conflict, WrongCredentials
from mutoscope.domain.ids import HOUR
from mutoscope.domain.invites import KEPT_MS, Invite
from mutoscope.domain.people import Person
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases


def invite(secret_hash: str = "hash", **fields: object) -> Invite:
    made = {"id": cast.ids.new("inv"), "made_by": "usr_x", "uses": 2, "created_at": NOON, "expires_at": NOON + HOUR}
    return Invite(**({"secret_hash": secret_hash} | made | fields))


async def test_an_invitation_is_good_until_it_is_used_up_or_ends(store: Store) -> None:
    made = invite(tokens=7, note="friends")
    await store.invites.add(made)
    assert await store.invites.of_secret("hash", NOON + HOUR - 1) == made
    assert await store.invites.of_secret("hash", NOON + HOUR) is None
    assert await store.invites.of_secret("unknown", NOON) is None
    for name in ("dora", "erin"):
        await store.people.add(cast.person(name), None, None, "hash")
    assert await store.invites.of_secret("hash", NOON) is None
    assert await store.invites.all() == [structs.replace(made, used=2)]


async def test_of_many_who_use_the_last_ones_at_once_no_more_get_in(store: Store) -> None:
    await store.invites.add(invite(uses=3))
    people = [cast.person(f"guest{n}") for n in range(12)]
    answers = await asyncio.gather(
        *(store.people.add(person, cast.grant(person, 5), None, "hash") for person in people), return_exceptions=True
    )
    assert sum(isinstance(answer, Person) for answer in answers) == 3
    assert sum(isinstance(answer, WrongCredentials) for answer in answers) == 9
    assert [each.used for each in await store.invites.all()] == [3]
    for person, answer in zip(people, answers, strict=True):
        there = isinstance(answer, Person)
        assert (await store.people.get(person.id) is not None) is there
        assert (await store.ledger.balance(person.id)).available == (5 if there else 0)


async def test_an_account_that_is_refused_uses_nothing(store: Store, alice: Person) -> None:
    await store.invites.add(invite())
    with pytest.raises(Conflict):
        await store.people.add(cast.person("alice"), None, None, "hash")
    assert [each.used for each in await store.invites.all()] == [0]


@pytest.mark.parametrize(("secret", "created_at"), [("guess", NOON), ("hash", NOON + HOUR)], ids=["unknown", "ended"])
async def test_an_invitation_that_is_not_good_makes_no_account(store: Store, secret: str, created_at: int) -> None:
    await store.invites.add(invite())
    with pytest.raises(WrongCredentials):
        await store.people.add(cast.person("mallory", created_at=created_at), None, None, secret)
    assert await store.people.by_name("mallory") is None


async def test_one_that_was_taken_back_is_gone(store: Store) -> None:
    made = invite()
    await store.invites.add(made)
    assert await store.invites.revoke(made.id)
    assert not await store.invites.revoke(made.id)
    with pytest.raises(WrongCredentials):
        await store.people.add(cast.person("dora"), None, None, "hash")


async def test_those_that_ended_a_month_before_are_forgotten_when_another_is_made(store: Store) -> None:
    await store.invites.add(invite("old"))
    await store.invites.add(invite("kept", expires_at=NOON + HOUR + 1))
    newest = invite("new", created_at=NOON + HOUR + KEPT_MS, expires_at=NOON + HOUR + KEPT_MS + 1)
    await store.invites.add(newest)
    assert [each.secret_hash for each in await store.invites.all()] == ["new", "kept"]


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    name = databases.take()
    yield name
    databases.give_back(name)


async def test_backups_carry_them(store: Store, tmp_path: Path, databases: Databases, database: str) -> None:
    await store.invites.add(invite(note="夜空", tokens=3))
    await store.people.add(cast.person("dora"), None, None, "hash")
    kept = await store.invites.all()
    await store.backup(tmp_path / "copy.db")

    async def finish() -> None: ...

    uri = databases.uri(database)
    await load_mongo(uri, cast.HandClock(), list(read_copy(tmp_path / "copy.db")), finish)
    copies = [
        await open_sqlite(tmp_path / "copy.db", cast.HandClock()),
        await open_mongo(uri, cast.HandClock(), SqliteCopies()),
    ]
    for copy in copies:
        assert await copy.invites.all() == kept
        await copy.close()
