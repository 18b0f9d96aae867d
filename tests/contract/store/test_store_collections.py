"""Collections: their limits, their order, and what becomes of items in them."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from contract.store.conftest import Opener
from mutoscope.domain.collections import ITEMS_OF_ONE, Add, Arrange, Collection, Held, Move, Remove
from mutoscope.domain.errors import Conflict, Invalid, NotFound
from mutoscope.domain.events import PUBLIC, to_person
from mutoscope.domain.generation import State
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.people import Person
from mutoscope.store.mongo import MongoStore, load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import SqliteStore, open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

LATER = NOON + MINUTE
LIMIT = 3


async def kept(store: Store, owner: Person, **fields: object) -> Collection:
    """A collection of that owner's."""
    made = cast.collection(owner, **fields)
    await store.collections.add(made, 200)
    return made


async def items(store: Store, owner: Person, count: int = 3, **fields: object) -> list[Media]:
    """Items of that owner's, which cost nothing."""
    job = await journey.at(store, owner, State.DEVELOPING, results=count, price_each=0)
    made = [cast.media(job, position, **fields) for position in range(count)]
    await store.generations.publish(job.id, job.fence, NOON, made, captured=0)
    return made


async def filled(store: Store, owner: Person, count: int = 3) -> tuple[Collection, list[str]]:
    """A collection, and the ids of the items in it."""
    made, found = await kept(store, owner), await items(store, owner, count)
    ids = [item.id for item in found]
    return await store.collections.rearrange(made.id, Add(tuple(ids)), None, NOON), ids


async def order(store: Store, collection: Collection) -> list[str]:
    return [item.id for item in (await store.collections.held([collection.id]))[collection.id]]


async def delete_for_good(store: Store, media_id: str) -> None:
    """Nothing in the studio does it yet: this is what it would come to."""
    if isinstance(store, SqliteStore):
        await store._engine.write(lambda c: c.execute("DELETE FROM media WHERE id = ?", (media_id,)).close())
    elif isinstance(store, MongoStore):
        await store._engine.step(lambda c: c["media"].delete({"_id": media_id}))


async def test_a_collection_is_kept_as_it_was_made(store: Store, alice: Person, bob: Person) -> None:
    made = await kept(store, alice, title="Nachtzüge — 夜行", description="a\nb", visibility=Visibility.UNLISTED)
    other, his = await kept(store, alice), await kept(store, bob)
    assert await store.collections.get(made.id) == made
    assert await store.collections.get("col_nothing") is None
    assert await store.collections.of_person(alice.id) == [made, other]
    assert await store.collections.of_person(bob.id) == [his]
    assert await order(store, made) == []


async def test_of_many_who_make_the_last_ones_at_once_no_more_than_the_limit_do(store: Store, alice: Person) -> None:
    answers = await asyncio.gather(
        *(store.collections.add(cast.collection(alice), LIMIT) for _ in range(10)), return_exceptions=True
    )
    assert answers.count(None) == LIMIT
    assert sum(isinstance(answer, Conflict) for answer in answers) == 10 - LIMIT
    assert len(await store.collections.of_person(alice.id)) == LIMIT


async def test_nobody_has_no_collection(store: Store) -> None:
    made = cast.collection(cast.alice())
    with pytest.raises(Conflict):
        await store.collections.add(made, LIMIT)
    assert await store.collections.get(made.id) is None


async def test_a_change_replaces_words_visibility_and_cover(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice)
    wanted = structs.replace(
        made, title="Docks", description="cranes", visibility=Visibility.PUBLIC, cover_id=ids[1], version=99
    )
    changed = await store.collections.change(wanted, made.version, LATER)
    assert changed == structs.replace(wanted, version=made.version + 1, updated_at=LATER)
    assert await store.collections.get(made.id) == changed
    assert await order(store, made) == ids


async def test_a_change_of_an_old_version_or_of_none_is_refused(store: Store, alice: Person) -> None:
    made = await kept(store, alice)
    first = await store.collections.change(structs.replace(made, title="First"), made.version, LATER)
    with pytest.raises(Conflict):
        await store.collections.change(structs.replace(made, title="Second"), made.version, LATER)
    with pytest.raises(Conflict):
        await store.collections.change(cast.collection(alice), 1, LATER)
    assert await store.collections.get(made.id) == first


async def test_items_come_in_the_order_that_they_were_given_in_and_each_once(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice)
    assert (made.version, made.updated_at) == (2, NOON)
    more = [item.id for item in await items(store, alice)]
    wish = Add((more[2], ids[0], more[0], more[2]))
    added = await store.collections.rearrange(made.id, wish, made.version, LATER)
    assert (added.version, added.updated_at) == (3, LATER)
    assert await order(store, made) == [*ids, more[2], more[0]]
    assert await store.collections.rearrange(made.id, wish, None, LATER + 1) == added
    assert await store.collections.get(made.id) == added


async def test_an_item_that_is_not_there_does_not_come(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice)
    assert await store.collections.rearrange(made.id, Add(("med_nothing",)), None, LATER) == made
    assert await order(store, made) == ids


async def test_an_item_may_be_in_many_collections(store: Store, alice: Person, bob: Person) -> None:
    made, ids = await filled(store, alice)
    his = await kept(store, bob)
    await store.collections.rearrange(his.id, Add((ids[1],)), None, LATER)
    found = await store.collections.held([his.id, made.id, "col_nothing"])
    assert {id: [item.id for item in there] for id, there in found.items()} == {
        his.id: [ids[1]],
        made.id: ids,
        "col_nothing": [],
    }


async def test_what_is_held_says_what_decides_who_sees_it(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice)
    item = await store.media.get(ids[1])
    assert item is not None
    await store.media.change(
        structs.replace(item, visibility=Visibility.PRIVATE, hidden=True, trashed_at=LATER), item.version, LATER
    )
    held = (await store.collections.held([made.id]))[made.id]
    assert held[0] == Held(id=ids[0], owner_id=alice.id, visibility=Visibility.PUBLIC, hidden=False, trashed_at=None)
    assert held[1] == Held(id=ids[1], owner_id=alice.id, visibility=Visibility.PRIVATE, hidden=True, trashed_at=LATER)


async def test_items_are_moved_taken_out_and_arranged(store: Store, alice: Person) -> None:
    made, (a, b, c, d) = await filled(store, alice, 4)
    steps = (
        (Move(id=d, beside=b, after=False), [a, d, b, c]),
        (Move(id=a, beside=c, after=True), [d, b, c, a]),
        (Remove((b, "med_nothing")), [d, c, a]),
        (Arrange((a, d, c)), [a, d, c]),
        (Add((b,)), [a, d, c, b]),
        (Arrange((b, a)), [b, a, d, c]),
    )
    for number, (step, after) in enumerate(steps):
        changed = await store.collections.rearrange(made.id, step, made.version + number, LATER)
        assert changed.version == made.version + number + 1
        assert await order(store, made) == after, step


async def test_a_step_on_top_of_an_old_version_changes_nothing(store: Store, alice: Person) -> None:
    made, (a, b, c) = await filled(store, alice)
    moved = await store.collections.rearrange(made.id, Move(id=c, beside=a, after=False), made.version, LATER)
    for step in (Add((b,)), Remove((a,)), Move(id=b, beside=c, after=True), Arrange((c, b, a))):
        with pytest.raises(Conflict) as refused:
            await store.collections.rearrange(made.id, step, made.version, LATER)
        assert refused.value.extra == {"version": moved.version}
    assert await order(store, made) == [c, a, b]


@pytest.mark.parametrize("step", [Move(id="x", beside="y", after=True), Arrange(("x",))])
async def test_a_step_that_is_refused_changes_nothing(store: Store, alice: Person, step: Move | Arrange) -> None:
    made, ids = await filled(store, alice)
    with pytest.raises((Invalid, NotFound)):
        await store.collections.rearrange(made.id, step, None, LATER)
    assert await store.collections.get(made.id) == made
    assert await order(store, made) == ids


async def test_of_many_moves_that_saw_the_same_version_one_wins(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice, 6)
    answers = await asyncio.gather(
        *(
            store.collections.rearrange(made.id, Move(id=id, beside=ids[-1], after=True), made.version, LATER)
            for id in ids[:-1]
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Collection) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 4
    assert sorted(await order(store, made)) == sorted(ids)


async def test_many_who_add_at_once_all_find_their_place(store: Store, alice: Person) -> None:
    made, found = await kept(store, alice), await items(store, alice, 8)
    added = await asyncio.gather(
        *(store.collections.rearrange(made.id, Add((item.id,)), None, LATER) for item in found)
    )
    assert sorted(await order(store, made)) == sorted(item.id for item in found)
    assert sorted(each.version for each in added) == list(range(2, 10))


async def test_a_collection_holds_so_many_and_one_more_is_refused_whole(store: Store, alice: Person) -> None:
    made, found = await kept(store, alice), await items(store, alice, ITEMS_OF_ONE + 2)
    ids = tuple(item.id for item in found)
    full = await store.collections.rearrange(made.id, Add(ids[: ITEMS_OF_ONE - 1]), None, LATER)
    with pytest.raises(Conflict):
        await store.collections.rearrange(made.id, Add(ids[ITEMS_OF_ONE - 1 : ITEMS_OF_ONE + 1]), None, LATER)
    assert await store.collections.get(made.id) == full
    await store.collections.rearrange(made.id, Add(ids[:ITEMS_OF_ONE]), None, LATER)
    await store.collections.rearrange(made.id, Move(id=ids[ITEMS_OF_ONE - 1], beside=ids[0], after=False), None, LATER)
    assert await order(store, made) == [ids[ITEMS_OF_ONE - 1], *ids[: ITEMS_OF_ONE - 1]]


async def test_an_item_that_is_trashed_or_changed_keeps_its_place(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice)
    item = await store.media.get(ids[0])
    assert item is not None
    gone = await store.media.change(structs.replace(item, trashed_at=LATER), item.version, LATER)
    assert await order(store, made) == ids
    await store.media.change(structs.replace(gone, trashed_at=None), gone.version, LATER)
    assert [held.trashed_at for held in (await store.collections.held([made.id]))[made.id]] == [None] * 3
    assert await store.collections.get(made.id) == made


async def test_an_item_that_is_deleted_for_good_leaves_every_collection(store: Store, alice: Person) -> None:
    made, (a, b, c) = await filled(store, alice)
    await delete_for_good(store, b)
    assert await order(store, made) == [a, c]
    assert [item.id for item in await store.media.all_of([c, b, a])] == [c, a]
    [d] = [item.id for item in await items(store, alice, 1)]
    await store.collections.rearrange(made.id, Add((d, b)), None, LATER)
    await store.collections.rearrange(made.id, Arrange((d, c, a)), None, LATER)
    assert await order(store, made) == [d, c, a]


async def test_a_cover_that_is_taken_out_is_no_cover_any_more(store: Store, alice: Person) -> None:
    made, ids = await filled(store, alice)
    covered = await store.collections.change(structs.replace(made, cover_id=ids[2]), made.version, LATER)
    await store.collections.rearrange(made.id, Remove((ids[0],)), None, LATER)
    still = await store.collections.get(made.id)
    assert still is not None
    assert still.cover_id == covered.cover_id == ids[2]
    after = await store.collections.rearrange(made.id, Remove((ids[2],)), None, LATER)
    assert after.cover_id is None
    assert await store.collections.get(made.id) == after


async def test_a_collection_is_deleted_and_its_items_stay(store: Store, alice: Person, bob: Person) -> None:
    made, ids = await filled(store, alice)
    his = await kept(store, bob)
    await store.collections.rearrange(his.id, Add(tuple(ids)), None, LATER)
    with pytest.raises(Conflict):
        await store.collections.delete(made.id, made.version - 1, LATER)
    assert await store.collections.delete(made.id, made.version, LATER)
    assert not await store.collections.delete(made.id, None, LATER)
    assert await store.collections.get(made.id) is None
    assert await order(store, made) == []
    assert await order(store, his) == ids
    assert [item.id for item in await store.media.all_of(ids)] == ids
    with pytest.raises(NotFound):
        await store.collections.rearrange(made.id, Add(tuple(ids)), None, LATER)


async def test_its_owner_hears_of_each_change_and_nobody_else_does(store: Store, alice: Person, bob: Person) -> None:
    found = await items(store, alice, 2)
    head = await store.events.head()
    made = await kept(store, alice, visibility=Visibility.PUBLIC)
    for _ in range(2):
        await store.collections.rearrange(made.id, Add((found[0].id, found[1].id)), None, LATER)
    await store.collections.change(structs.replace(made, title="Docks"), 2, LATER)
    await store.collections.delete(made.id, None, LATER)
    heard = await store.events.after(head, [to_person(alice.id)], 100)
    assert heard is not None
    told = [(event.kind, event.id, event.version) for event in heard[0] if event.kind == "collection"]
    assert told == [("collection", made.id, version) for version in (1, 2, 3, 4)]
    others = await store.events.after(head, [PUBLIC, to_person(bob.id)], 100)
    assert others is not None
    assert [event for event in others[0] if event.kind == "collection"] == []


async def test_collections_are_there_when_a_store_is_opened_again(
    opener: Opener, tmp_path: Path, clock: cast.HandClock
) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    store = await opener(folder, clock)
    made, ids = await filled(store, await journey.join(store, cast.alice()))
    await store.collections.rearrange(made.id, Arrange((ids[2],)), None, LATER)
    await store.close()
    store = await opener(folder, clock)
    assert await order(store, made) == ids
    await store.close()


async def carried(store: Store, alice: Person) -> tuple[Collection, list[str], Collection]:
    """A collection with an order and a cover, and an empty one."""
    made, ids = await filled(store, alice)
    await store.collections.rearrange(made.id, Arrange(tuple(reversed(ids))), None, LATER)
    made = await store.collections.change(structs.replace(made, cover_id=ids[1]), 3, LATER)
    return made, ids[::-1], await kept(store, alice)


async def test_a_backup_carries_collections_with_order_and_cover(
    store: Store, alice: Person, tmp_path: Path, databases: Databases
) -> None:
    made, ids, empty = await carried(store, alice)
    await store.backup(tmp_path / "copy.db")

    async def finish() -> None: ...

    name = databases.take()
    await load_mongo(databases.uri(name), cast.HandClock(), list(read_copy(tmp_path / "copy.db")), finish)
    for copy in (
        await open_mongo(databases.uri(name), cast.HandClock(), SqliteCopies()),
        await open_sqlite(tmp_path / "copy.db", cast.HandClock()),
    ):
        assert await copy.collections.of_person(alice.id) == [made, empty]
        assert await order(copy, made) == ids
        assert await copy.collections.rearrange(made.id, Remove((ids[0],)), made.version, LATER)
        await copy.close()
    databases.give_back(name)
