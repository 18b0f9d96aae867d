"""Views: a document for each viewer of an item and day, counted on the items in the transaction that makes it.

The ids begin with the day, in digits of one length, so that what is old is the beginning of their index.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from pymongo.errors import DuplicateKeyError

from mutoscope.domain.counting import Day, Look
from mutoscope.store.mongo.engine import Connection, Engine

DAYS, VIEWERS = "view_days", "viewers"


class MongoViews:
    """The views group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def secret(self, day: Day, fresh: str) -> str:
        return await self._engine.step(lambda c: _secret(c, day, fresh))

    async def add(self, day: Day, looks: Sequence[Look], most: int) -> int:
        return await self._engine.write(lambda c: _add(c, day, looks, most)) if looks else 0

    async def prune(self, before: Day) -> None:
        await self._engine.step(lambda c: c[DAYS].delete({"_id": {"$lt": before}}))
        await self._engine.step(lambda c: c[VIEWERS].delete({"_id": {"$lt": _begin(before)}}))


def _begin(day: Day) -> str:
    return f"{day:06}:"


async def _secret(c: Connection, day: Day, fresh: str) -> str:
    with suppress(DuplicateKeyError):  # another process was first: its secret counts
        await c[DAYS].update({"_id": day}, {"$setOnInsert": {"secret": fresh, "seen": 0}}, upsert=True)
    kept = await c[DAYS].one({"_id": day})
    return kept["secret"] if kept else fresh


async def _add(c: Connection, day: Day, looks: Sequence[Look], most: int) -> int:
    kept = await c[DAYS].one({"_id": day})
    room = most - int(kept["seen"]) if kept else 0
    ids = {f"{_begin(day)}{look.media_id}:{look.viewer}": look.media_id for look in looks}
    there = {seen["_id"] for seen in await c[VIEWERS].all({"_id": {"$in": list(ids)}}, fields=["_id"])}
    known = {item["_id"] for item in await c["media"].all({"_id": {"$in": list({*ids.values()})}}, fields=["_id"])}
    new = [id for id, media_id in ids.items() if id not in there and media_id in known][: max(room, 0)]
    if not new:
        return 0
    await c[VIEWERS].insert(*({"_id": id} for id in new))
    for media_id, count in sorted(Counter(ids[id] for id in new).items()):
        await c["media"].update({"_id": media_id}, {"$inc": {"views": count}})
    await c[DAYS].update({"_id": day}, {"$inc": {"seen": len(new)}})
    return len(new)
