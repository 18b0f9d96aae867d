"""Tokens: entries, balances, statements, and the proof that they add up."""

import asyncio

import pytest

import cast
import journey
from cast import NOON
from mutoscope.domain import ledger
from mutoscope.domain.errors import IdempotencyMismatch, Invalid, NotEnoughTokens
from mutoscope.domain.generation import State
from mutoscope.domain.ledger import Balance
from mutoscope.domain.people import Person
from mutoscope.store.port import Store


async def test_a_stranger_has_nothing(store: Store) -> None:
    assert await store.ledger.balance("usr_nobody") == Balance(available=0, held=0)
    assert (await store.ledger.statement("usr_nobody", None, 10)).items == []


async def test_a_grant_is_booked_once(store: Store, alice: Person) -> None:
    gift = cast.grant(alice, 50, "voucher-1")
    assert await store.ledger.post(gift) is True
    assert await store.ledger.post(gift) is False
    assert await store.ledger.balance(alice.id) == Balance(available=150, held=0)


async def test_a_reference_that_was_used_for_another_amount_or_person_is_refused(
    store: Store, alice: Person, bob: Person
) -> None:
    before = await store.ledger.balance(bob.id)
    await store.ledger.post(cast.grant(alice, 5, "march"))
    for entry in (cast.grant(alice, 6, "march"), cast.grant(bob, 5, "march")):
        with pytest.raises(IdempotencyMismatch):
            await store.ledger.post(entry)
    assert await store.ledger.balance(bob.id) == before
    assert await store.ledger.proof() == []


async def test_the_same_grant_from_many_hands_at_once_is_booked_once(store: Store, alice: Person) -> None:
    gift = cast.grant(alice, 50, "voucher-1")
    answers = await asyncio.gather(*(store.ledger.post(gift) for _ in range(16)))
    assert answers.count(True) == 1
    assert (await store.ledger.balance(alice.id)).available == 150


async def test_one_reference_serves_entries_of_different_kinds(store: Store, alice: Person) -> None:
    assert await store.ledger.post(cast.grant(alice, 50, "case-1"))
    assert await store.ledger.post(ledger.adjust(alice.id, -20, "case-1", "a correction", NOON))
    assert (await store.ledger.balance(alice.id)).available == 130


async def test_an_adjustment_cannot_go_below_what_is_available(store: Store, alice: Person) -> None:
    await journey.accept(store, alice, price_each=60)
    with pytest.raises(NotEnoughTokens):
        await store.ledger.post(ledger.adjust(alice.id, -41, "case-1", "too much", NOON))
    assert await store.ledger.balance(alice.id) == Balance(available=40, held=60)
    # What was refused left no trace: the reference is free.
    assert await store.ledger.post(ledger.adjust(alice.id, -40, "case-1", "all of it", NOON))
    assert await store.ledger.balance(alice.id) == Balance(available=0, held=60)


async def test_someone_without_an_account_cannot_be_charged(store: Store) -> None:
    with pytest.raises(NotEnoughTokens):
        await store.ledger.post(ledger.adjust("usr_nobody", -1, "case-1", "nothing there", NOON))


async def test_sixty_four_adjustments_at_once_never_overdraw(store: Store, alice: Person) -> None:
    answers = await asyncio.gather(
        *(store.ledger.post(ledger.adjust(alice.id, -3, f"case-{n}", "a try", NOON)) for n in range(64)),
        return_exceptions=True,
    )
    assert answers.count(True) == 33
    assert sum(isinstance(answer, NotEnoughTokens) for answer in answers) == 31
    assert await store.ledger.balance(alice.id) == Balance(available=1, held=0)


async def test_a_statement_shows_what_was_available_after_each_entry(store: Store, alice: Person, bob: Person) -> None:
    job = await journey.at(store, alice, State.DEVELOPING, results=4)
    await store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], captured=15)
    await store.ledger.post(cast.grant(bob, 5))
    lines = (await store.ledger.statement(alice.id, None, 10)).items
    told = [(entry.kind.value, entry.amount, after) for entry, after in lines]
    assert told == [("release", 25, 85), ("capture", 15, 60), ("hold", 40, 60), ("grant", 100, 100)]
    assert {entry.memo for entry, _ in lines[:3]} == {cast.MODEL}


async def test_a_statement_is_read_in_pages(store: Store, alice: Person) -> None:
    for n in range(1, 8):
        await store.ledger.post(cast.grant(alice, n, f"gift-{n}"))
    amounts: list[int] = []
    cursor = None
    while True:
        page = await store.ledger.statement(alice.id, cursor, 3)
        amounts += [entry.amount for entry, _ in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert amounts == [7, 6, 5, 4, 3, 2, 1, 100]


async def test_an_entry_comes_back_as_it_was_posted(store: Store, alice: Person) -> None:
    gift = cast.grant(alice, 5, "gift-é夜")
    await store.ledger.post(gift)
    assert (await store.ledger.statement(alice.id, None, 1)).items[0] == (gift, 105)


@pytest.mark.parametrize("cursor", ["nonsense", "WyJ4Il0", "WzEsMl0"])
async def test_a_cursor_that_is_none_of_ours_is_refused_by_the_statement(
    store: Store, alice: Person, cursor: str
) -> None:
    with pytest.raises(Invalid):
        await store.ledger.statement(alice.id, cursor, 3)


async def test_the_ledger_adds_up_in_every_state_of_a_job(store: Store, alice: Person) -> None:
    for state in journey.WAYS:
        await journey.at(store, alice, state)
        assert await store.ledger.proof() == []
    failed = await journey.failed(store, alice)
    assert await store.ledger.proof() == []
    await store.generations.late(failed.id, NOON, cast.job(failed))
    assert await store.ledger.proof() == []
