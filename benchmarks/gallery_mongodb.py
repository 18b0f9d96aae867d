"""The gallery page and a two-word search over 100,000 items on MongoDB, first and deepest page, at 1 and at 8 clients, over HTTP.

The items are those of the benchmark `gallery`, put in through the store's operations and brought over as `mutoscope
restore` does it. The baseline of the pages is the driver alone: 50 documents by their ids from the same mongod, in turns.
"""

import asyncio
import random
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from pymongo import AsyncMongoClient

from benchmarks.claim import Claim
from benchmarks.gallery import PAGE, SEED, fill, measure
from benchmarks.serving import StudioServer
from mutoscope.domain.ids import SystemClock
from mutoscope.store.mongo import load_mongo
from mutoscope.store.sqlite.portable import read_copy
from servers.mongod import ReplicaSet

SECRET = secrets.token_hex(32)


@contextmanager
def mongod(folder: Path) -> Iterator[ReplicaSet]:
    """A mongod of one member, on files in the folder."""
    running = ReplicaSet(folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()


async def load(uri: str, copy: Path) -> None:
    """All rows of a data file into the empty database."""

    async def nothing() -> None:
        pass

    await load_mongo(uri, SystemClock(), read_copy(copy), nothing)


async def asked(uri: str, base_url: str) -> list[Claim]:
    """All figures of the studio at that address over that database."""
    dice = random.Random(SEED)
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        media = client.get_default_database()["mutoscope_media"]
        ids = [document["_id"] async for document in media.find({}, ["_id"])]

        async def by_ids() -> None:
            found = await media.find({"_id": {"$in": dice.sample(ids, PAGE)}}).to_list()
            assert len(found) == PAGE

        return await measure(base_url, by_ids, keeps=False)


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        asyncio.run(fill(data))
        with mongod(folder / "mongod") as running:
            asyncio.run(load(running.uri(), data / "mutoscope.db"))
            with StudioServer(folder / "studio", MONGODB_URI=running.uri(), JWT_SECRET=SECRET) as server:
                yield from uvloop.run(asked(running.uri(), server.base_url))
