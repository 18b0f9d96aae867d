"""Unlocks: one purchase, its refund, and what comes between."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from contract.store.conftest import Opener
from mutoscope.domain.errors import (
    IdempotencyMismatch,
    Invalid,
    NotEnoughTokens,
    NotFound,
    PriceChanged,
    Refused,
    WrongState,
)
from mutoscope.domain.events import to_person
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.ledger import Balance, EntryKind, adjust
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.people import Person
from mutoscope.domain.unlocking import Unlock
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

LATER = NOON + MINUTE
SHARE = 20


async def locked(store: Store, owner: Person, price: int = 50, **fields: object) -> Media:
    """A film of that owner for sale; it cost its owner nothing."""
    job = await journey.at(store, owner, journey.State.DEVELOPING, price_each=0)
    await store.generations.publish(
        job.id, job.fence, NOON, [cast.media(job, unlock_price=price, **fields)], captured=0
    )
    return (await store.media.of_generation(job.id))[0]


async def available(store: Store, *people: Person) -> list[int]:
    return [(await store.ledger.balance(person.id)).available for person in people]


async def buy(store: Store, buyer: Person, item: Media, price: int = 50, share: int = SHARE, **fields: str) -> Unlock:
    return (await store.unlocks.buy(cast.wish(buyer, item, price, **fields), share, LATER))[0]


async def unlocks_of(store: Store, item: Media) -> int:
    found = await store.media.get(item.id)
    assert found is not None
    return found.unlocks


async def test_a_purchase_debits_the_buyer_credits_the_owner_keeps_the_right_and_counts(
    store: Store, alice: Person, bob: Person
) -> None:
    item = await locked(store, alice)
    unlock, stood_before = await store.unlocks.buy(cast.wish(bob, item, 50), SHARE, LATER)
    assert (unlock.price, unlock.share, unlock.earned, stood_before) == (50, 10, 40, False)
    assert await available(store, alice, bob) == [140, 50]
    assert await store.unlocks.bought(bob.id, [item.id, "med_nothing"]) == {item.id}
    assert await store.unlocks.bought(alice.id, [item.id]) == frozenset()
    assert await store.unlocks.bought(bob.id, []) == frozenset()
    assert await unlocks_of(store, item) == 1


async def test_both_sides_read_of_a_purchase_and_its_refund_in_their_statements(
    store: Store, alice: Person, bob: Person
) -> None:
    item = await locked(store, alice)
    unlock = await buy(store, bob, item)
    await store.unlocks.refund(unlock.id, LATER)
    told = {}
    for person in (alice, bob):
        lines = (await store.ledger.statement(person.id, None, 2)).items
        told[person.name] = [(entry.kind.value, entry.amount, after) for entry, after in lines]
        assert {(entry.reference, entry.memo) for entry, _ in lines} == {(unlock.id, item.id)}
    assert told == {
        "alice": [("reversal", 40, 100), ("earning", 40, 140)],
        "bob": [("refund", 50, 100), ("unlock", 50, 50)],
    }


@pytest.mark.parametrize(("share", "earned"), [(0, 50), (1, 50), (33, 34), (100, 0)])
async def test_the_house_keeps_its_share_rounded_down(
    store: Store, alice: Person, bob: Person, share: int, earned: int
) -> None:
    unlock = await buy(store, bob, await locked(store, alice), share=share)
    assert unlock.earned == earned
    assert await available(store, alice, bob) == [100 + earned, 50]
    await store.unlocks.refund(unlock.id, LATER)
    assert await available(store, alice, bob) == [100, 100]


async def test_what_was_bought_before_is_the_same_right_and_costs_nothing(
    store: Store, alice: Person, bob: Person
) -> None:
    item = await locked(store, alice)
    first = await buy(store, bob, item)
    hidden = await store.media.change(structs.replace(item, hidden=True, unlock_price=70), item.version, LATER)
    for price in (50, 70):
        assert await store.unlocks.buy(cast.wish(bob, hidden, price), SHARE, LATER) == (first, True)
    assert await available(store, bob) == [50]
    assert await unlocks_of(store, item) == 1


async def test_sixteen_clicks_at_once_are_one_purchase(store: Store, alice: Person, bob: Person) -> None:
    item = await locked(store, alice, 5)
    answers = await asyncio.gather(*(store.unlocks.buy(cast.wish(bob, item), SHARE, LATER) for _ in range(16)))
    assert len({unlock.id for unlock, _ in answers}) == 1
    assert [stood_before for _, stood_before in answers].count(False) == 1
    assert await available(store, alice, bob) == [104, 95]
    assert await unlocks_of(store, item) == 1


async def test_many_items_bought_at_once_never_overdraw_one_balance(store: Store, alice: Person, bob: Person) -> None:
    items = [await locked(store, alice, 30) for _ in range(8)]
    answers = await asyncio.gather(
        *(store.unlocks.buy(cast.wish(bob, item, 30), SHARE, LATER) for item in items), return_exceptions=True
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 3
    assert sum(isinstance(answer, NotEnoughTokens) for answer in answers) == 5
    assert await available(store, alice, bob) == [100 + 3 * 24, 10]
    assert len(await store.unlocks.bought(bob.id, [item.id for item in items])) == 3


async def test_two_people_who_buy_of_each_other_at_once_both_get_it(store: Store, alice: Person, bob: Person) -> None:
    of_alice, of_bob = await locked(store, alice, 5), await locked(store, bob, 5)
    wishes = [cast.wish(bob, of_alice), cast.wish(alice, of_bob)]
    await asyncio.gather(*(store.unlocks.buy(wish, SHARE, LATER) for wish in wishes))
    assert await available(store, alice, bob) == [99, 99]


@pytest.mark.parametrize(
    ("fields", "price", "refusal"),
    [
        ({}, 49, PriceChanged),
        ({}, 51, PriceChanged),
        ({"hidden": True}, 50, NotFound),
        ({"trashed_at": NOON}, 50, NotFound),
        ({"visibility": Visibility.PRIVATE}, 50, NotFound),
        ({"unlock_price": 0}, 0, WrongState),
        ({"unlock_price": 0, "is_blurred": True}, 50, WrongState),
        ({"unlock_price": 101}, 101, NotEnoughTokens),
    ],
)
async def test_what_cannot_be_bought_like_this_takes_nothing_and_leaves_no_trace(
    store: Store, alice: Person, bob: Person, fields: dict[str, object], price: int, refusal: type[Refused]
) -> None:
    item = await locked(store, alice)
    if fields:
        item = await store.media.change(structs.replace(item, **fields), item.version, LATER)
    with pytest.raises(refusal):
        await buy(store, bob, item, price)
    assert await available(store, alice, bob) == [100, 100]
    assert await store.unlocks.bought(bob.id, [item.id]) == frozenset()
    assert (await store.unlocks.list(None, None, 9)).items == []
    assert await unlocks_of(store, item) == 0


async def test_a_price_that_changed_in_between_is_told_and_can_be_confirmed(
    store: Store, alice: Person, bob: Person
) -> None:
    item = await locked(store, alice)
    await store.media.change(structs.replace(item, unlock_price=60), item.version, LATER)
    with pytest.raises(PriceChanged) as caught:
        await buy(store, bob, item)
    assert caught.value.extra == {"price": 60}
    assert (await buy(store, bob, item, 60)).price == 60


async def test_nobody_buys_their_own_or_what_is_not_there(store: Store, alice: Person, bob: Person) -> None:
    item = await locked(store, alice)
    with pytest.raises(WrongState):
        await buy(store, alice, item)
    with pytest.raises(NotFound):
        await buy(store, bob, cast.media(cast.generation(alice)))
    assert await available(store, alice, bob) == [100, 100]


async def test_a_purchase_and_a_change_of_price_at_once_leave_one_of_the_two_prices_paid(
    store: Store, alice: Person, bob: Person
) -> None:
    for _ in range(8):
        item = await locked(store, alice, 5)
        raised = store.media.change(structs.replace(item, unlock_price=6), item.version, LATER)
        bought, _ = await asyncio.gather(
            store.unlocks.buy(cast.wish(bob, item), SHARE, LATER), raised, return_exceptions=True
        )
        assert isinstance(bought, tuple | PriceChanged)
        assert (await unlocks_of(store, item) == 1) is isinstance(bought, tuple)


async def test_a_key_buys_once_also_after_a_refund(store: Store, alice: Person, bob: Person) -> None:
    item, other = await locked(store, alice), await locked(store, alice)
    first = await buy(store, bob, item, key="k")
    assert await store.unlocks.buy(cast.wish(bob, item, 50, key="k"), SHARE, LATER) == (first, True)
    for wrong in (cast.wish(bob, item, 40, key="k"), cast.wish(bob, other, 50, key="k")):
        with pytest.raises(IdempotencyMismatch):
            await store.unlocks.buy(wrong, SHARE, LATER)
    refunded = await store.unlocks.refund(first.id, LATER)
    assert await store.unlocks.buy(cast.wish(bob, item, 50, key="k"), SHARE, LATER) == (refunded, True)
    assert await available(store, bob) == [100]


async def test_one_key_on_many_items_at_once_buys_one(store: Store, alice: Person, bob: Person) -> None:
    items = [await locked(store, alice, 5) for _ in range(6)]
    answers = await asyncio.gather(
        *(store.unlocks.buy(cast.wish(bob, item, key="k"), SHARE, LATER) for item in items), return_exceptions=True
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert sum(isinstance(answer, IdempotencyMismatch) for answer in answers) == 5
    assert await available(store, bob) == [95]


async def test_a_refund_takes_the_right_back_and_it_can_be_bought_again(
    store: Store, alice: Person, bob: Person
) -> None:
    item = await locked(store, alice)
    first = await buy(store, bob, item)
    refunded = await store.unlocks.refund(first.id, LATER)
    assert (refunded.refunded_at, refunded.taken_back) == (LATER, 40)
    assert await available(store, alice, bob) == [100, 100]
    assert await store.unlocks.bought(bob.id, [item.id]) == frozenset()
    assert await unlocks_of(store, item) == 0
    again = await buy(store, bob, item)
    assert again.id != first.id
    assert await available(store, alice, bob) == [140, 50]
    assert await store.unlocks.bought(bob.id, [item.id]) == {item.id}
    assert await unlocks_of(store, item) == 1


@pytest.mark.parametrize("left", [0, 15])
async def test_of_a_seller_who_spent_it_a_refund_takes_what_is_there_and_the_house_bears_the_rest(
    store: Store, alice: Person, bob: Person, left: int
) -> None:
    unlock = await buy(store, bob, await locked(store, alice))
    await store.ledger.post(adjust(alice.id, left - 140, "spent", "elsewhere", LATER))
    refunded = await store.unlocks.refund(unlock.id, LATER)
    assert refunded.taken_back == left
    assert await available(store, alice, bob) == [0, 100]
    assert await store.ledger.balance(alice.id) == Balance(available=0, held=0)


async def test_a_refund_happens_once_however_many_ask(store: Store, alice: Person, bob: Person) -> None:
    unlock = await buy(store, bob, await locked(store, alice))
    answers = await asyncio.gather(*(store.unlocks.refund(unlock.id, LATER) for _ in range(8)))
    assert set(answers) == {answers[0]}
    assert await available(store, alice, bob) == [100, 100]
    with pytest.raises(NotFound):
        await store.unlocks.refund("unl_nothing", LATER)


async def test_the_buyer_alone_is_told_that_the_item_is_another_now(store: Store, alice: Person, bob: Person) -> None:
    item = await locked(store, alice)
    place = await store.events.head()
    await buy(store, bob, item)
    for person, kinds in ((alice, ["tokens"]), (bob, ["tokens", "media"])):
        answer = await store.events.after(place, [to_person(person.id)], 10)
        assert answer is not None
        assert sorted(event.kind for event in answer[0]) == sorted(kinds)
    public = await store.events.after(place, ["public"], 10)
    assert public is not None
    assert public[0] == []


async def test_unlocks_are_listed_newest_first_in_pages(store: Store, alice: Person, bob: Person) -> None:
    items = [await locked(store, alice, 5) for _ in range(3)]
    made = [
        (await store.unlocks.buy(cast.wish(bob, item), SHARE, LATER + place))[0] for place, item in enumerate(items)
    ]
    await store.unlocks.refund(made[0].id, LATER)
    first = await store.unlocks.list(None, None, 2)
    rest = await store.unlocks.list(None, first.next, 2)
    assert [unlock.id for unlock in (*first.items, *rest.items)] == [unlock.id for unlock in reversed(made)]
    assert rest.next is None
    assert [unlock.id for unlock in (await store.unlocks.list(items[1].id, None, 9)).items] == [made[1].id]
    with pytest.raises(Invalid):
        await store.unlocks.list(None, "nonsense", 2)


async def test_the_proof_sees_entries_without_an_unlock_and_those_of_the_wrong_amount(
    opener: Opener, tmp_path: Path
) -> None:
    folder = tmp_path / "forged"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    alice, bob = await journey.join(store, cast.alice()), await journey.join(store, cast.bob())
    unlock = await buy(store, bob, await locked(store, alice))
    assert await store.ledger.proof() == []
    await store.ledger.post(structs.replace(cast.grant(bob, 1, "unl_forged"), kind=EntryKind.EARNING))
    await store.ledger.post(structs.replace(cast.grant(bob, 1, unlock.id), kind=EntryKind.REVERSAL))
    wrong = await store.ledger.proof()
    await store.close()
    assert sorted(wrong) == sorted(
        [
            "unl_forged: there is a earning entry and no unlock",
            f"{unlock.id}: the reversal entries come to 1 and not 0",
        ]
    )


async def test_a_backup_carries_unlocks_and_who_waits_for_a_blur_into_either_kind_of_store(
    store: Store, alice: Person, bob: Person, tmp_path: Path, databases: Databases
) -> None:
    kept, refunded = await locked(store, alice), await locked(store, alice)
    await buy(store, bob, kept, key="k")
    await store.unlocks.refund((await buy(store, bob, refunded)).id, LATER)
    wanted = (await store.unlocks.list(None, None, 9)).items
    await store.backup(tmp_path / "copy.db")
    name, pages = databases.take(), list(read_copy(tmp_path / "copy.db"))

    async def break_off() -> None:
        raise RuntimeError("killed")

    async def finish() -> None: ...

    with pytest.raises(RuntimeError, match="killed"):
        await load_mongo(databases.uri(name), cast.HandClock(), pages, break_off)
    await load_mongo(databases.uri(name), cast.HandClock(), pages, finish)
    copies = (
        await open_mongo(databases.uri(name), cast.HandClock(), SqliteCopies()),
        await open_sqlite(tmp_path / "copy.db", cast.HandClock()),
    )
    for copy in copies:
        assert (await copy.unlocks.list(None, None, 9)).items == wanted
        assert await copy.unlocks.bought(bob.id, [kept.id, refunded.id]) == {kept.id}
        waiting = [await copy.media.claim_blur(LATER, LATER + MINUTE) for _ in range(3)]
        assert {taken.item.id for taken in waiting if taken} == {kept.id, refunded.id}
        assert await copy.ledger.proof() == []
        await copy.close()
    databases.give_back(name)
