"""How many parts each file may have on its way, so that one alone is fast and many together are not too much."""

import asyncio
from pathlib import Path
from typing import Any

import obstore
import pytest

import mutoscope.blobs.uploads as uploads
from mutoscope.blobs.uploads import PART_BYTES, PARTS_AT_ONCE, PUTS_AT_ONCE, Uploads

FILM_BYTES, POSTER_BYTES = 40 * PART_BYTES, 30_000


class Bucket:
    """Takes files until ``let_go`` is set; ``parts`` are those on their way, by key."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts: dict[str, int] = {}
        self.let_go = asyncio.Event()
        monkeypatch.setattr(obstore, "put_async", self._put)

    async def _put(self, _store: object, key: str, _source: Path, *, max_concurrency: int, **_: Any) -> None:
        self.parts[key] = max_concurrency
        await self.let_go.wait()
        del self.parts[key]


async def begun(up: Uploads, **sizes: int) -> list[asyncio.Task[None]]:
    """The puts of these files, as far as they go by themselves."""
    tasks = [asyncio.create_task(up.put(key, Path("film"), size, {})) for key, size in sizes.items()]
    await asyncio.sleep(0)
    return tasks


@pytest.fixture
async def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return Bucket(monkeypatch)


@pytest.fixture
def up() -> Uploads:
    nobody: Any = None
    return Uploads(nobody, nobody)


async def test_one_file_alone_gets_all_parts_but_one_for_each_that_may_come(bucket: Bucket, up: Uploads) -> None:
    alone = await begun(up, film=FILM_BYTES)
    assert bucket.parts == {"film": PARTS_AT_ONCE - (PUTS_AT_ONCE - 1)}
    bucket.let_go.set()
    await asyncio.gather(*alone)
    bucket.let_go.clear()
    again = await begun(up, again=FILM_BYTES)
    assert bucket.parts == {"again": PARTS_AT_ONCE - (PUTS_AT_ONCE - 1)}, "what has ended has given its parts back"
    bucket.let_go.set()
    await asyncio.gather(*again)


async def test_files_together_have_no_more_parts_on_their_way_than_all_may_have(bucket: Bucket, up: Uploads) -> None:
    films = {f"film-{n}": FILM_BYTES for n in range(PUTS_AT_ONCE + 2)}
    tasks = await begun(up, **films)
    assert len(bucket.parts) == PUTS_AT_ONCE, "the others wait"
    assert min(bucket.parts.values()) == 1
    assert sum(bucket.parts.values()) == PARTS_AT_ONCE
    bucket.let_go.set()
    await asyncio.gather(*tasks)
    assert bucket.parts == {}


async def test_a_file_of_one_part_leaves_the_rest_to_others(bucket: Bucket, up: Uploads) -> None:
    tasks = await begun(up, poster=POSTER_BYTES, nothing=0, film=FILM_BYTES)
    assert bucket.parts == {"poster": 1, "nothing": 1, "film": PARTS_AT_ONCE - 2}
    bucket.let_go.set()
    await asyncio.gather(*tasks)


async def test_a_file_that_fails_gives_its_parts_back(up: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("no")

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "_send", refuse)
        with pytest.raises(PermissionError):
            await up.put("film", Path("film"), FILM_BYTES, {})
    bucket = Bucket(monkeypatch)
    tasks = await begun(up, film=FILM_BYTES)
    assert bucket.parts == {"film": PARTS_AT_ONCE - (PUTS_AT_ONCE - 1)}
    bucket.let_go.set()
    await asyncio.gather(*tasks)
