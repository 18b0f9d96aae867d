"""Likes: one for each person and item, counted in the commit that makes it."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from mutoscope.domain import search
from mutoscope.domain.errors import Invalid, NotFound
from mutoscope.domain.events import to_person
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.people import Person
from mutoscope.domain.search import Query
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases


async def likes_of(store: Store, item: Media) -> int:
    found = await store.media.get(item.id)
    assert found is not None
    return found.likes


async def test_a_like_is_counted_once_and_taken_back_once(store: Store, alice: Person, bob: Person) -> None:
    one, other = await journey.published(store, alice, results=2)
    for person in (alice, bob, bob):
        after = await store.likes.add(person.id, one.id, NOON)
    assert (after.likes, after.version, after.updated_at) == (2, one.version, one.updated_at)
    assert await store.media.get(one.id) == after
    assert await store.likes.liked(bob.id, [one.id, other.id, "med_nothing"]) == {one.id}
    assert await store.likes.liked(bob.id, []) == frozenset()
    for _ in range(2):
        assert (await store.likes.remove(bob.id, one.id, NOON)).likes == 1
    assert await store.likes.liked(bob.id, [one.id]) == frozenset()
    assert await store.likes.liked(alice.id, [one.id]) == {one.id}
    assert (await store.likes.remove(bob.id, other.id, NOON)).likes == 0


async def test_what_is_not_there_cannot_be_liked(store: Store, alice: Person) -> None:
    for change in (store.likes.add, store.likes.remove):
        with pytest.raises(NotFound):
            await change(alice.id, "med_nothing", NOON)


async def test_thirty_two_likes_of_one_person_at_once_are_one(store: Store, alice: Person, bob: Person) -> None:
    [item] = await journey.published(store, alice)
    await asyncio.gather(*(store.likes.add(bob.id, item.id, NOON) for _ in range(32)))
    assert await likes_of(store, item) == 1
    await asyncio.gather(*(store.likes.remove(bob.id, item.id, NOON) for _ in range(32)))
    assert await likes_of(store, item) == 0


async def test_likes_of_many_people_at_once_are_all_counted(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    people = [await journey.join(store, cast.person(f"person-{n}"), tokens=0) for n in range(12)]
    await asyncio.gather(*(store.likes.add(person.id, item.id, NOON) for person in people))
    assert await likes_of(store, item) == 12


async def test_giving_and_taking_back_at_once_leaves_a_count_that_fits_what_is_kept(
    store: Store, alice: Person, bob: Person
) -> None:
    [item] = await journey.published(store, alice)
    for _ in range(4):
        await asyncio.gather(
            *(way(bob.id, item.id, NOON) for way in (store.likes.add, store.likes.remove) for _ in range(4))
        )
        assert await likes_of(store, item) == len(await store.likes.liked(bob.id, [item.id]))


async def test_what_one_likes_is_listed_newest_like_first_in_pages(store: Store, alice: Person, bob: Person) -> None:
    items = await journey.published(store, alice, results=3)
    for moment, place in enumerate((1, 0, 2)):
        await store.likes.add(bob.id, items[place].id, NOON + moment)
    await store.likes.add(alice.id, items[0].id, NOON)
    await store.likes.add(bob.id, items[1].id, NOON + 9)  # which changes nothing
    first = await store.likes.list(bob.id, None, 2)
    rest = await store.likes.list(bob.id, first.next, 2)
    assert [item.id for item in (*first.items, *rest.items)] == [items[place].id for place in (2, 0, 1)]
    assert rest.next is None
    assert (first.items[1].likes, first.items[0].likes) == (2, 1)
    with pytest.raises(Invalid):
        await store.likes.list(bob.id, "nonsense", 2)


async def test_likes_of_one_moment_are_in_an_order_that_pages_keep(store: Store, alice: Person) -> None:
    items = await journey.published(store, alice, results=4)
    for item in items:
        await store.likes.add(alice.id, item.id, NOON)
    seen, cursor = list[str](), None
    for _ in range(4):
        page = await store.likes.list(alice.id, cursor, 1)
        seen, cursor = [*seen, *(item.id for item in page.items)], page.next
    assert (sorted(seen), cursor) == (sorted(item.id for item in items), None)


async def test_the_person_alone_is_told_of_a_like_and_of_one_that_changes_nothing_nobody(
    store: Store, alice: Person, bob: Person
) -> None:
    [item] = await journey.published(store, alice)
    place = await store.events.head()
    for _ in range(2):
        await store.likes.add(bob.id, item.id, NOON)
    for audience, told in ((to_person(bob.id), [item.id]), (to_person(alice.id), []), ("public", [])):
        answer = await store.events.after(place, [audience], 10)
        assert answer is not None
        assert [event.id for event in answer[0]] == told, audience


async def test_the_gallery_is_sorted_by_likes_in_pages(store: Store, alice: Person, bob: Person) -> None:
    one, two, three = await journey.published(store, alice, results=3)
    for person, item in ((alice, two), (bob, two), (bob, one)):
        await store.likes.add(person.id, item.id, NOON)
    seen, cursor = list[str](), None
    for _ in range(3):
        page = await store.media.search(search.GALLERY, Query(sort="liked"), False, cursor, 1)
        seen, cursor = [*seen, *(item.id for item in page.items)], page.next
    assert (seen, cursor) == ([two.id, one.id, three.id], None)


async def test_a_like_outlasts_what_becomes_of_the_item(store: Store, alice: Person, bob: Person) -> None:
    [item] = await journey.published(store, alice)
    await store.likes.add(bob.id, item.id, NOON)
    private = structs.replace(item, visibility=Visibility.PRIVATE)
    assert (await store.media.change(private, item.version, NOON)).likes == 1
    assert [found.visibility for found in (await store.likes.list(bob.id, None, 9)).items] == [Visibility.PRIVATE]


async def test_a_backup_carries_likes_into_either_kind_of_store(
    store: Store, alice: Person, bob: Person, tmp_path: Path, databases: Databases
) -> None:
    one, other = await journey.published(store, alice, results=2)
    await store.likes.add(bob.id, other.id, NOON)
    await store.likes.add(bob.id, one.id, NOON + 1)
    wanted = (await store.likes.list(bob.id, None, 9)).items
    await store.backup(tmp_path / "copy.db")
    name, pages = databases.take(), list(read_copy(tmp_path / "copy.db"))

    async def finish() -> None: ...

    await load_mongo(databases.uri(name), cast.HandClock(), pages, finish)
    copies = (
        await open_mongo(databases.uri(name), cast.HandClock(), SqliteCopies()),
        await open_sqlite(tmp_path / "copy.db", cast.HandClock()),
    )
    for copy in copies:
        assert (await copy.likes.list(bob.id, None, 9)).items == wanted
        assert (await copy.likes.add(bob.id, one.id, NOON)).likes == 1
        await copy.close()
    databases.give_back(name)
