"""The store's revision: what was read after asking for it is exact while it stays the same.

A store that others write to as well has none, and says None always.
"""

import asyncio
from pathlib import Path

import cast
import journey
from cast import NOON
from mutoscope.domain.generation import State
from mutoscope.domain.people import Person
from mutoscope.store.port import Limits, Store
from mutoscope.store.sqlite import SqliteStore, open_sqlite
from mutoscope.store.sqlite.engine import Engine

LIMITS = Limits(per_provider={}, per_person=9)


async def test_looking_and_finding_nothing_to_do_is_no_change(store: Store, alice: Person) -> None:
    before = store.revision()
    await store.people.get(alice.id)
    assert await store.generations.claim(frozenset({State.QUEUED}), "w", NOON, NOON + 1, LIMITS) is None
    assert await store.media.claim_previews("w", NOON, NOON + 1) is None
    assert store.revision() == before


async def test_every_change_is_another_revision(store: Store, alice: Person) -> None:
    revisions = [store.revision()]
    item = (await journey.published(store, alice))[0]
    revisions.append(store.revision())
    await journey.view(store, item)
    revisions.append(store.revision())
    await store.generations.accept(cast.generation(alice), None, "")
    revisions.append(store.revision())
    await store.generations.claim(frozenset({State.QUEUED}), "w", NOON, NOON + 1, LIMITS)
    revisions.append(store.revision())
    known = [revision for revision in revisions if revision is not None]
    assert len(set(known)) == len(known)


async def test_what_was_read_at_a_revision_is_what_is_there_while_it_stays(store: Store, alice: Person) -> None:
    item = (await journey.published(store, alice))[0]
    seen: dict[int, set[int]] = {}
    over = asyncio.Event()

    async def look() -> None:
        while not over.is_set():
            revision = store.revision()
            found = await store.media.get(item.id)
            assert found is not None
            # The rule for whoever keeps an answer: it is given again only while the revision is that from before it.
            if revision is not None and store.revision() == revision:
                seen.setdefault(revision, set()).add(found.views)

    lookers = [asyncio.create_task(look()) for _ in range(4)]
    for _ in range(300):
        await journey.view(store, item)
    over.set()
    await asyncio.gather(*lookers)
    assert all(len(views) == 1 for views in seen.values()), seen


async def test_sqlite_knows_its_revision_while_nothing_is_committed(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "mutoscope.db", cast.HandClock())
    before = store.revision()
    await store.people.add(cast.alice(), None)
    assert before is not None
    assert store.revision() not in (before, None)
    await store.close()


async def test_the_revision_is_in_doubt_while_sqlite_commits_a_change_and_only_then(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(Engine, tmp_path / "engine.db", cast.HandClock())
    store = SqliteStore(engine)
    await store.open()
    during: list[int | None] = []
    await engine.write(
        lambda c: c.set_trace_callback(lambda sql: during.append(engine.revision()) if sql == "COMMIT" else None)
    )
    during.clear()
    before = engine.revision()
    await engine.write(lambda c: c.execute("DELETE FROM people").close())
    assert (during, engine.revision()) == ([before], before), "nobody was there to delete"
    await store.people.add(cast.alice(), None)
    assert during == [before, None]
    assert engine.revision() not in (before, None)
    await store.close()
