"""The stream of events: who is told what, and how a client goes on."""

import asyncio

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from mutoscope.domain.events import PUBLIC, Event, to_person
from mutoscope.domain.generation import State
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Visibility
from mutoscope.domain.people import Person
from mutoscope.store.port import Patch, Store

S = State
LATER = NOON + MINUTE


class Ear:
    """Hears what an audience is told from now on."""

    def __init__(self, store: Store, cursor: str, *audiences: str) -> None:
        self._store, self.cursor, self._audiences = store, cursor, audiences

    async def heard(self) -> list[tuple[str, str]]:
        answer = await self._store.events.after(self.cursor, self._audiences, 1_000)
        assert answer is not None
        found, self.cursor = answer
        return [(event.kind, event.id) for event in found]


async def listen(store: Store, *audiences: str) -> Ear:
    return Ear(store, await store.events.head(), *audiences)


async def test_an_owner_hears_of_every_step_of_a_job(store: Store, alice: Person) -> None:
    ear = await listen(store, to_person(alice.id))
    job = await journey.accept(store, alice)
    assert await ear.heard() == [("generation", job.id), ("tokens", alice.id)]
    job = await journey.claim(store)
    assert await ear.heard() == []
    for to in (S.SUBMITTING, S.RENDERING, S.FETCHING, S.DEVELOPING):
        job = await journey.step(store, job, to)
        assert await ear.heard() == [("generation", job.id)]
        if not job.lease_until:
            job = await journey.claim(store)
    await store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], captured=10)
    assert sorted(await ear.heard()) == [("generation", job.id), ("media", job.media_ids[0]), ("tokens", alice.id)]


async def test_strangers_hear_of_nothing_but_listed_items(store: Store, alice: Person, bob: Person) -> None:
    public, his = await listen(store, PUBLIC), await listen(store, to_person(bob.id))
    [item] = await journey.published(store, alice)
    await journey.published(store, alice, visibility=Visibility.PRIVATE)
    await journey.published(store, alice, visibility=Visibility.UNLISTED)
    assert await public.heard() == [("media", item.id)]
    assert await his.heard() == []


async def test_an_event_for_two_audiences_of_one_listener_comes_once(store: Store, alice: Person) -> None:
    both = await listen(store, PUBLIC, to_person(alice.id))
    [item] = await journey.published(store, alice)
    assert (await both.heard()).count(("media", item.id)) == 1


async def test_the_public_hears_of_an_item_that_leaves_the_gallery_and_not_after(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    public, hers = await listen(store, PUBLIC), await listen(store, to_person(alice.id))
    item = await store.media.change(structs.replace(item, hidden=True), item.version, LATER)
    assert await public.heard() == [("media", item.id)]
    await store.media.change(structs.replace(item, title="Out of sight"), item.version, LATER)
    assert await public.heard() == []
    assert await hers.heard() == [("media", item.id)] * 2


async def test_balances_that_change_are_told(store: Store, alice: Person) -> None:
    ear = await listen(store, to_person(alice.id))
    await store.ledger.post(cast.grant(alice, 1, "gift"))
    await store.ledger.post(cast.grant(alice, 1, "gift"))
    assert await ear.heard() == [("tokens", alice.id)]
    failed = await journey.failed(store, alice)
    heard = await ear.heard()
    assert heard.count(("tokens", alice.id)) == 2
    assert heard[-1] == ("generation", failed.id) or ("generation", failed.id) in heard


async def test_what_people_do_not_see_is_not_told(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.RENDERING)
    ear = await listen(store, to_person(alice.id))
    await store.generations.renew(job.id, job.fence, LATER)
    job = await store.generations.postpone(job.id, job.fence, S.RENDERING, NOON, NOON)
    await store.generations.wake(job.id, NOON)
    job = await journey.claim(store)
    assert await ear.heard() == []
    await store.generations.postpone(job.id, job.fence, S.RENDERING, NOON, NOON, Patch(progress=0.25))
    assert await ear.heard() == [("generation", job.id)]


async def test_what_was_refused_is_not_told(store: Store, alice: Person) -> None:
    ear = await listen(store, to_person(alice.id))
    with pytest.raises(Exception, match="tokens"):
        await journey.accept(store, alice, price_each=1_000)
    assert await ear.heard() == []


async def test_events_carry_the_version_of_the_thing(store: Store, alice: Person) -> None:
    head = await store.events.head()
    job = await journey.at(store, alice, S.FETCHING)
    answer = await store.events.after(head, [to_person(alice.id)], 100)
    assert answer is not None
    assert [event.version for event in answer[0] if event.id == job.id] == [1, 2, 3, 4]
    assert job.version == 4


async def test_events_are_read_in_pages_and_from_any_of_them(store: Store, alice: Person) -> None:
    cursor = head = await store.events.head()
    for n in range(7):
        await store.ledger.post(cast.grant(alice, 1, f"gift-{n}"))
    whole: list[Event] = []
    while True:
        answer = await store.events.after(cursor, [to_person(alice.id)], 3)
        assert answer is not None
        page, cursor = answer
        if not page:
            break
        whole += page
    assert [event.version for event in whole] == sorted({event.version for event in whole})
    assert len(whole) == 7
    answer = await store.events.after(head, [to_person(alice.id)], 100)
    assert answer is not None
    assert answer[0] == whole
    rest = await store.events.after(whole[3].cursor, [to_person(alice.id)], 100)
    assert rest is not None
    assert rest[0] == whole[4:]


async def test_a_cursor_moves_past_what_others_were_told(store: Store, alice: Person, bob: Person) -> None:
    head = await store.events.head()
    await store.ledger.post(cast.grant(alice, 1))
    answer = await store.events.after(head, [to_person(bob.id)], 10)
    assert answer is not None
    assert answer == ([], await store.events.head())
    assert answer[1] != head


async def test_nobody_hears_nothing(store: Store, alice: Person) -> None:
    head = await store.events.head()
    await store.ledger.post(cast.grant(alice, 1))
    answer = await store.events.after(head, [], 10)
    assert answer is not None
    assert answer[0] == []


@pytest.mark.parametrize("cursor", ["", "nonsense", "é", "WzEsMl0", "WzAsMV0", "Wzk5OTk5OTksMF0", "x" * 10_000])
async def test_an_unknown_cursor_asks_for_a_resync(store: Store, alice: Person, cursor: str) -> None:
    assert await store.events.after(cursor, [to_person(alice.id)], 10) is None


async def test_a_cursor_older_than_what_is_kept_asks_for_a_resync(store: Store, alice: Person) -> None:
    old = await store.events.head()
    await journey.failed(store, alice, NOON)
    await journey.failed(store, alice, LATER)
    await store.events.prune(LATER)
    assert await store.events.after(old, [to_person(alice.id)], 10) is None


async def test_the_newest_place_survives_pruning(store: Store, alice: Person) -> None:
    head = await store.events.head()
    await store.events.prune(LATER)
    assert await store.events.after(head, [to_person(alice.id)], 10) == ([], head)
    await store.ledger.post(cast.grant(alice, 1))
    answer = await store.events.after(head, [to_person(alice.id)], 10)
    assert answer is not None
    assert len(answer[0]) == 1


async def test_the_first_events_of_a_new_store_are_heard(store: Store) -> None:
    head = await store.events.head()
    dora = await journey.join(store, cast.person("dora"))
    answer = await store.events.after(head, [to_person(dora.id)], 10)
    assert answer is not None
    assert [event.kind for event in answer[0]] == ["tokens"]


async def test_whoever_waits_is_woken_by_a_commit(store: Store, alice: Person) -> None:
    cursor = await store.events.head()
    waiting = [asyncio.create_task(store.events.wait(cursor, 60)) for _ in range(5)]
    await asyncio.sleep(0)
    await store.ledger.post(cast.grant(alice, 1))
    await asyncio.wait_for(asyncio.gather(*waiting), 30)
    answer = await store.events.after(cursor, [to_person(alice.id)], 10)
    assert answer is not None
    assert len(answer[0]) == 1


async def test_waiting_returns_at_once_when_there_is_something(store: Store, alice: Person) -> None:
    cursor = await store.events.head()
    await store.ledger.post(cast.grant(alice, 1))
    await asyncio.wait_for(store.events.wait(cursor, 3_600), 30)
    await asyncio.wait_for(store.events.wait("nonsense", 3_600), 30)


async def test_waiting_ends_with_its_time(store: Store, alice: Person) -> None:
    await asyncio.wait_for(store.events.wait(await store.events.head(), 0.01), 30)
