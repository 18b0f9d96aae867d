"""Accounts, sessions and one-time links."""

import asyncio

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from mutoscope.domain import search
from mutoscope.domain.errors import Conflict, WrongCredentials
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.people import OneTimeLink, Person, Purpose, Role, Session
from mutoscope.store.port import Store

LATER = NOON + MINUTE


def session(of: Person, secret_hash: str = "hash", expires_at: int = LATER) -> Session:
    return Session(secret_hash=secret_hash, person_id=of.id, created_at=NOON, expires_at=expires_at, user_agent="Lynx")


def link(purpose: Purpose = Purpose.SET_UP, secret_hash: str = "secret") -> OneTimeLink:
    return OneTimeLink(secret_hash=secret_hash, purpose=purpose, person_id=None, expires_at=LATER)


async def test_an_account_is_made_with_its_grant(store: Store) -> None:
    alice = cast.alice()
    assert await store.people.add(alice, cast.grant(alice, 25)) == alice
    assert await store.people.get(alice.id) == alice
    assert (await store.ledger.balance(alice.id)).available == 25


async def test_a_person_is_found_by_name_in_any_case(store: Store, alice: Person) -> None:
    assert await store.people.by_name("ALICE") == alice
    assert await store.people.by_name("alic") is None
    assert await store.people.get("usr_nobody") is None


async def test_a_name_that_is_taken_is_refused_whole(store: Store, alice: Person) -> None:
    second = cast.person("Alice")
    with pytest.raises(Conflict):
        await store.people.add(second, cast.grant(second, 25))
    assert await store.people.get(second.id) is None
    assert (await store.ledger.balance(second.id)).available == 0


async def test_of_many_who_want_a_name_at_once_one_gets_it(store: Store) -> None:
    answers = await asyncio.gather(
        *(store.people.add(cast.person("dora"), None) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(answer, Person) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7


async def test_the_first_administrator_is_the_one_who_came_first(store: Store, alice: Person) -> None:
    assert await store.people.first_admin() is None
    carol = await store.people.add(cast.carol(), None)
    await store.people.add(cast.person("dora", Role.ADMIN, created_at=NOON - 1), None)
    await store.people.add(cast.person("erin", Role.ADMIN, created_at=NOON + 1), None)
    first = await store.people.first_admin()
    assert first is not None
    assert first.name == "dora"
    await store.people.change(structs.replace(first, role=Role.USER), first.token_version)
    assert await store.people.first_admin() == carol


async def test_a_set_up_link_makes_one_administrator(store: Store) -> None:
    await store.people.add_link(link())
    carol = await store.people.add(cast.carol(), None, "secret")
    assert await store.people.first_admin() == carol
    with pytest.raises(WrongCredentials):
        await store.people.add(cast.person("mallory", Role.ADMIN), None, "secret")


async def test_of_many_with_one_set_up_link_one_gets_in(store: Store) -> None:
    await store.people.add_link(link())
    answers = await asyncio.gather(
        *(store.people.add(cast.person(f"admin{n}", Role.ADMIN), None, "secret") for n in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Person) for answer in answers) == 1
    assert sum(isinstance(answer, WrongCredentials | Conflict) for answer in answers) == 7


async def test_a_set_up_link_is_refused_once_there_is_an_administrator(store: Store) -> None:
    await store.people.add_link(link())
    await store.people.add(cast.carol(), None)
    with pytest.raises(Conflict):
        await store.people.add(cast.person("mallory", Role.ADMIN), None, "secret")
    assert await store.people.by_name("mallory") is None


@pytest.mark.parametrize(
    ("purpose", "secret", "created_at"),
    [(Purpose.SIGN_IN, "secret", NOON), (Purpose.SET_UP, "guess", NOON), (Purpose.SET_UP, "secret", LATER)],
    ids=["another purpose", "unknown", "expired"],
)
async def test_a_link_that_is_not_good_lets_nobody_in(
    store: Store, purpose: Purpose, secret: str, created_at: int
) -> None:
    await store.people.add_link(link(purpose))
    with pytest.raises(WrongCredentials):
        await store.people.add(cast.person("mallory", Role.ADMIN, created_at=created_at), None, secret)
    assert await store.people.by_name("mallory") is None


async def test_a_link_is_not_used_up_by_an_account_that_was_refused(store: Store, alice: Person) -> None:
    await store.people.add_link(link())
    with pytest.raises(Conflict):
        await store.people.add(cast.person("alice", Role.ADMIN), None, "secret")
    assert await store.people.add(cast.carol(), None, "secret")


async def test_a_link_is_used_by_exactly_one_of_many(store: Store) -> None:
    made = link(Purpose.SIGN_IN)
    await store.people.add_link(made)
    answers = await asyncio.gather(*(store.people.use_link("secret", Purpose.SIGN_IN, NOON) for _ in range(16)))
    assert [answer for answer in answers if answer] == [made]


async def test_a_link_is_refused_for_another_purpose_and_after_its_time(store: Store) -> None:
    await store.people.add_link(link(Purpose.SIGN_IN))
    assert await store.people.use_link("secret", Purpose.SET_UP, NOON) is None
    assert await store.people.use_link("secret", Purpose.SIGN_IN, LATER) is None
    assert await store.people.use_link("secret", Purpose.SIGN_IN, LATER - 1) is not None


async def test_a_session_gives_its_person_until_it_ends(store: Store, alice: Person) -> None:
    await store.people.open_session(session(alice))
    assert await store.people.session("hash", LATER - 1) == (session(alice), alice)
    assert await store.people.session("hash", LATER) is None
    assert await store.people.session("other", NOON) is None


async def test_a_closed_session_is_gone_and_closing_it_twice_is_harmless(store: Store, alice: Person) -> None:
    await store.people.open_session(session(alice))
    await store.people.close_session("hash")
    await store.people.close_session("hash")
    assert await store.people.session("hash", NOON) is None


async def test_closing_all_sessions_of_a_person_leaves_the_others(store: Store, alice: Person, bob: Person) -> None:
    for secret, person in (("one", alice), ("two", alice), ("three", bob)):
        await store.people.open_session(session(person, secret))
    await store.people.close_sessions(alice.id)
    found = [await store.people.session(secret, NOON) is not None for secret in ("one", "two", "three")]
    assert found == [False, False, True]


async def test_a_suspended_person_has_no_session(store: Store, alice: Person) -> None:
    await store.people.open_session(session(alice))
    await store.people.change(structs.replace(alice, suspended_at=NOON), 1)
    assert await store.people.session("hash", NOON) is None
    await store.people.change(alice, 1)
    assert await store.people.session("hash", NOON) is not None


async def test_sessions_end_when_the_token_version_goes_up(store: Store, alice: Person, bob: Person) -> None:
    await store.people.open_session(session(alice, "hers"))
    await store.people.open_session(session(bob, "his"))
    await store.people.change(structs.replace(alice, password_hash="new"), 1)
    assert await store.people.session("hers", NOON) is not None
    await store.people.change(structs.replace(alice, token_version=2), 1)
    assert await store.people.session("hers", NOON) is None
    assert await store.people.session("his", NOON) is not None


async def test_a_new_name_is_found_and_the_old_one_is_free(store: Store, alice: Person) -> None:
    renamed = structs.replace(alice, name="Alicia")
    await store.people.change(renamed, 1)
    assert await store.people.by_name("alicia") == renamed
    assert await store.people.by_name("alice") is None


async def test_a_name_that_someone_else_has_cannot_be_taken_over(store: Store, alice: Person, bob: Person) -> None:
    with pytest.raises(Conflict):
        await store.people.change(structs.replace(alice, name="BOB"), 1)
    assert await store.people.get(alice.id) == alice


async def test_items_are_found_by_their_owners_new_name(store: Store, alice: Person) -> None:
    await journey.published(store, alice)
    await store.people.change(structs.replace(alice, name="alicia"), 1)

    async def found(text: str) -> int:
        return len((await store.media.search(search.GALLERY, search.parse(text), False, None, 10)).items)

    assert (await found("owner:alice"), await found("owner:alicia")) == (0, 1)


async def test_of_two_changes_at_once_the_second_is_refused(store: Store, alice: Person) -> None:
    changes = [structs.replace(alice, password_hash=f"hash {n}", token_version=2) for n in range(8)]
    answers = await asyncio.gather(*(store.people.change(c, 1) for c in changes), return_exceptions=True)
    assert answers.count(None) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7
    assert await store.people.get(alice.id) == changes[answers.index(None)]


async def test_looking_at_a_link_does_not_use_it_up(store: Store) -> None:
    made = link(Purpose.RESET)
    await store.people.add_link(made)
    assert [await store.people.link("secret", Purpose.RESET, NOON) for _ in range(2)] == [made, made]
    assert await store.people.link("secret", Purpose.SIGN_IN, NOON) is None
    assert await store.people.link("secret", Purpose.RESET, LATER) is None


async def test_a_reset_link_changes_its_person_once_and_ends_all_their_links(
    store: Store, alice: Person, bob: Person
) -> None:
    for secret, person in (("one", alice), ("two", alice), ("his", bob)):
        await store.people.add_link(structs.replace(link(Purpose.RESET, secret), person_id=person.id))
    changed = [structs.replace(alice, password_hash=f"hash {n}", token_version=2) for n in range(6)]
    answers = await asyncio.gather(
        *(store.people.change(each, 1, "one", NOON) for each in changed), return_exceptions=True
    )
    assert answers.count(None) == 1
    assert sum(isinstance(answer, Conflict | WrongCredentials) for answer in answers) == 5
    now = await store.people.get(alice.id)
    assert now == changed[answers.index(None)]
    for secret in ("one", "two", "his"):
        with pytest.raises(WrongCredentials):
            await store.people.change(structs.replace(now, token_version=3), 2, secret, NOON)
    assert await store.people.get(alice.id) == now
    assert await store.people.link("his", Purpose.RESET, NOON) is not None, "a refusal uses up nothing"
