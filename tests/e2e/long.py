"""A studio whose gallery is long: one real picture, under many records of many shapes."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import structs

import journey
from cast import media
from e2e.studio import StudioProcess
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Media
from mutoscope.store.sqlite import open_sqlite

EACH = 1_000
SHAPES = ((1280, 720), (720, 1280), (1024, 1024), (1280, 544), (900, 1200))


def long_studio(data: Path, count: int) -> StudioProcess:
    """Start it, with so many items (in thousands) beside the one that they share their files with."""
    first = StudioProcess(data)
    first.set_up()
    alice = first.someone("alice")
    id = alice.finished(model="local/still", prompt="A lamp by the sea", parameters={"size": "1280x720"})
    alice.api.close()
    first.stop()
    with ThreadPoolExecutor(1) as beside:  # Playwright keeps an event loop running in this thread.
        beside.submit(asyncio.run, _fill(data, id, count)).result()
    return StudioProcess(data)


async def _fill(data: Path, id: str, count: int) -> None:
    store, clock = await open_sqlite(data / "mutoscope.db", SystemClock()), SystemClock()
    try:
        like = await store.media.get(id)
        assert like is not None
        owner = await store.people.get(like.owner_id)
        assert owner is not None
        numbers = itertools.count(1)
        for _ in range(count // EACH):
            now = clock.now()
            job = await journey.at(store, owner, State.DEVELOPING, now, results=EACH, price_each=0)
            items = [
                _like(like, media(job, place, title=f"Number {next(numbers)}", created_at=now, updated_at=now))
                for place in range(EACH)
            ]
            await store.generations.publish(job.id, job.fence, now, items, 0)
    finally:
        await store.close()


def _like(like: Media, item: Media) -> Media:
    width, height = SHAPES[int(item.title.split()[1]) % len(SHAPES)]
    shaped = structs.replace(like.facts, width=width, height=height)
    return structs.replace(item, facts=shaped, files=like.files, placeholder=like.placeholder, previews=like.previews)
