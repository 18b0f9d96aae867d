"""Views: each viewer of an item once a day, and nothing kept of them afterwards."""

import asyncio
from pathlib import Path

from msgspec import structs

import cast
import journey
from cast import NOON
from contract.store.conftest import Opener
from mutoscope.domain.counting import Day, Look, day_of
from mutoscope.domain.ids import DAY
from mutoscope.domain.media import Media
from mutoscope.domain.people import Person
from mutoscope.store.mongo import load_mongo, open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies, read_copy
from servers.mongod import Databases

TODAY, TOMORROW = day_of(NOON), day_of(NOON + DAY)
SECRET = "5ec2e7" * 8
MANY = 1_000


def look(item: Media, viewer: str = "viewer-1") -> Look:
    return Look(media_id=item.id, viewer=viewer)


async def begin(store: Store, *days: Day) -> None:
    for day in days:
        await store.views.secret(day, SECRET)


async def views_of(store: Store, item: Media) -> int:
    found = await store.media.get(item.id)
    assert found is not None
    return found.views


async def test_a_viewer_counts_once_a_day_for_each_item(store: Store, alice: Person) -> None:
    one, other = await journey.published(store, alice, results=2)
    await begin(store, TODAY, TOMORROW)
    looks = [look(one), look(one, "viewer-2"), look(other), look(one)]
    assert await store.views.add(TODAY, looks, MANY) == 3
    assert await store.views.add(TODAY, [*looks, look(other, "viewer-2")], MANY) == 1
    assert await store.views.add(TOMORROW, [look(one)], MANY) == 1
    assert [await views_of(store, item) for item in (one, other)] == [3, 2]


async def test_a_view_is_no_new_version_and_no_event(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    place = await store.events.head()
    await journey.view(store, item)
    kept = await store.media.get(item.id)
    assert kept is not None
    assert (kept.views, kept.version, kept.updated_at) == (1, item.version, item.updated_at)
    assert await store.events.head() == place


async def test_looks_at_what_is_not_there_count_nowhere(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY)
    ghost = Look(media_id="med_nothing", viewer="viewer-1")
    assert await store.views.add(TODAY, [ghost], MANY) == 0
    assert await store.views.add(TODAY, [ghost, look(item)], MANY) == 1
    assert await store.views.add(TODAY, [], MANY) == 0


async def test_the_first_secret_of_a_day_is_that_of_all(store: Store) -> None:
    answers = await asyncio.gather(*(store.views.secret(TODAY, f"secret-{n}") for n in range(8)))
    assert len(set(answers)) == 1
    assert await store.views.secret(TODAY, "late") == answers[0]
    assert await store.views.secret(TOMORROW, "other") == "other"


async def test_a_day_that_is_full_takes_no_more(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY, TOMORROW)
    assert await store.views.add(TODAY, [look(item, f"viewer-{n}") for n in range(5)], most=3) == 3
    assert await store.views.add(TODAY, [look(item, "viewer-9")], most=3) == 0
    assert await store.views.add(TOMORROW, [look(item, "viewer-9")], most=3) == 1
    assert await views_of(store, item) == 4


async def test_what_is_pruned_is_forgotten_and_counts_no_more(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY, TOMORROW)
    for day in (TODAY, TOMORROW):
        await store.views.add(day, [look(item)], MANY)
    await store.views.prune(TOMORROW)
    assert await store.views.add(TODAY, [look(item, "late")], MANY) == 0
    assert await store.views.add(TOMORROW, [look(item)], MANY) == 0
    assert await store.views.secret(TOMORROW, "new") == SECRET
    assert await store.views.secret(TODAY, "new") == "new"
    assert await store.views.add(TODAY, [look(item)], MANY) == 1, "of the day before nobody was kept"
    assert await views_of(store, item) == 3


async def test_more_than_one_step_of_viewers_is_pruned(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY)
    for start in range(0, 12_000, 3_000):
        await store.views.add(TODAY, [look(item, f"viewer-{n}") for n in range(start, start + 3_000)], 20_000)
    await store.views.prune(TOMORROW)
    await begin(store, TODAY)
    assert await store.views.add(TODAY, [look(item, f"viewer-{n}") for n in range(0, 12_000, 1_000)], MANY) == 12


async def test_many_batches_at_once_count_each_viewer_once(store: Store, alice: Person) -> None:
    one, other = await journey.published(store, alice, results=2)
    await begin(store, TODAY)
    looks = [look(item, f"viewer-{n}") for n in range(20) for item in (one, other)]
    counted = await asyncio.gather(*(store.views.add(TODAY, looks[n:] + looks[:n], MANY) for n in range(6)))
    assert sum(counted) == len(looks)
    assert [await views_of(store, item) for item in (one, other)] == [20, 20]


async def test_looks_that_are_counted_while_the_item_is_changed_are_all_there(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY)

    async def change() -> None:
        current = item
        for n in range(5):
            current = await store.media.change(structs.replace(current, title=f"Title {n}"), current.version, NOON)

    counting = (store.views.add(TODAY, [look(item, f"viewer-{n}")], MANY) for n in range(8))
    await asyncio.gather(change(), *counting)
    found = await store.media.get(item.id)
    assert found is not None
    assert (found.views, found.title) == (8, "Title 4")


async def test_no_backup_holds_a_viewer_or_a_secret(
    store: Store, alice: Person, tmp_path: Path, databases: Databases
) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY)
    looks = [look(item, f"viewer-of-today-{n}") for n in range(300)]
    await store.views.add(TODAY, looks, MANY)
    await store.backup(tmp_path / "copy.db")
    content = (tmp_path / "copy.db").read_bytes()
    assert SECRET.encode() not in content
    assert b"viewer-of-today" not in content
    copy = await open_sqlite(tmp_path / "copy.db", cast.HandClock())
    assert await views_of(copy, item) == 300
    await copy.close()
    name, pages = databases.take(), list(read_copy(tmp_path / "copy.db"))

    async def finish() -> None: ...

    await load_mongo(databases.uri(name), cast.HandClock(), pages, finish)
    loaded = await open_mongo(databases.uri(name), cast.HandClock(), SqliteCopies())
    assert await views_of(loaded, item) == 300
    assert await loaded.views.add(TODAY, looks, MANY) == 0
    await loaded.close()
    databases.give_back(name)


async def test_what_was_pruned_is_in_no_free_page_of_a_backup(store: Store, alice: Person, tmp_path: Path) -> None:
    [item] = await journey.published(store, alice)
    await begin(store, TODAY)
    await store.views.add(TODAY, [look(item, f"viewer-of-today-{n}") for n in range(300)], MANY)
    await store.views.prune(TOMORROW)
    await store.backup(tmp_path / "copy.db")
    content = (tmp_path / "copy.db").read_bytes()
    assert SECRET.encode() not in content
    assert b"viewer-of-today" not in content


async def test_viewers_outlast_a_restart(opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    [item] = await journey.published(store, await journey.join(store, cast.alice()))
    await begin(store, TODAY)
    await store.views.add(TODAY, [look(item)], MANY)
    await store.close()
    store = await opener(folder, cast.HandClock())
    assert await store.views.secret(TODAY, "another") == SECRET
    assert await store.views.add(TODAY, [look(item)], MANY) == 0
    await store.close()
