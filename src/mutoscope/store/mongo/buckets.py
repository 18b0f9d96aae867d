"""Buckets of limits, shared by all processes: a document each, changed in one operation."""

import random
from collections.abc import Sequence

from pymongo.errors import DuplicateKeyError

from mutoscope.domain.ids import Millis
from mutoscope.domain.limits import Bucket, wait_for
from mutoscope.store.mongo.engine import Connection, Document, Engine, Filter

COLLECTION = "buckets"
MOST = 200_000
"""How many are kept. When there are more, those that are nearly full again go first."""
SWEEP_EVERY = 200
"""A change in so many also sweeps, by chance."""


class MongoBuckets:
    """The buckets group of the port."""

    def __init__(self, engine: Engine, most: int = MOST) -> None:
        self._engine, self._most = engine, most

    async def wait(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        return await self._engine.read(lambda c: _wait(c, buckets, now))

    async def take(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        taken: list[Bucket] = []
        for each in buckets:
            wait_ms = await self._engine.step(lambda c, each=each: _take(c, each, now))
            if wait_ms:
                for done in taken:
                    await self._engine.step(lambda c, done=done: _give_back(c, done))
                return wait_ms
            taken.append(each)
        await self._perhaps_sweep(now)
        return 0

    async def charge(self, buckets: Sequence[Bucket], now: Millis) -> None:
        for each in buckets:
            await self._engine.step(lambda c, each=each: _move(c, {"_id": each.key}, each, now))
        await self._perhaps_sweep(now)

    async def sweep(self, now: Millis) -> None:
        """Forget those that are full, and of too many those that are nearly so."""
        await self._engine.step(lambda c: _sweep(c, now, self._most))

    async def _perhaps_sweep(self, now: Millis) -> None:
        if random.randrange(SWEEP_EVERY) == 0:  # noqa: S311  # chance is no secret
            await self.sweep(now)


async def _wait(c: Connection, buckets: Sequence[Bucket], now: Millis) -> Millis:
    found = await c[COLLECTION].all({"_id": {"$in": [each.key for each in buckets]}})
    full_at = {document["_id"]: int(document["full_at"]) for document in found}
    return max((wait_for(full_at.get(each.key, 0), each.rate, now) for each in buckets), default=0)


async def _take(c: Connection, bucket: Bucket, now: Millis) -> Millis:
    """Take one if there is one, in one operation; 0, or how long until there is."""
    rate = bucket.rate
    has_one = {"_id": bucket.key, "full_at": {"$lte": now + rate.depth_ms - rate.refill_ms}}
    while True:
        try:
            await _move(c, has_one, bucket, now)
            return 0
        except DuplicateKeyError:  # it is there, and has none; or somebody made it just now, and it may have one
            wait_ms = await _wait(c, [bucket], now)
            if wait_ms:
                return wait_ms


async def _move(c: Connection, which: Filter, bucket: Bucket, now: Millis) -> None:
    full_at: Document = {"$add": [{"$max": ["$full_at", now]}, bucket.rate.refill_ms]}
    await c[COLLECTION].update(which, [{"$set": {"full_at": full_at}}], upsert=True)


async def _give_back(c: Connection, bucket: Bucket) -> None:
    await c[COLLECTION].update({"_id": bucket.key}, {"$inc": {"full_at": -bucket.rate.refill_ms}})


async def _sweep(c: Connection, now: Millis, most: int) -> None:
    await c[COLLECTION].delete({"full_at": {"$lte": now}})
    surplus = await c[COLLECTION].count({}, 10 * most) - most
    if surplus > 0:
        nearest: list[Filter] = [{"$sort": {"full_at": 1}}, {"$limit": surplus}]
        [found] = await c[COLLECTION].aggregate(*nearest, {"$group": {"_id": None, "last": {"$max": "$full_at"}}})
        await c[COLLECTION].delete({"full_at": {"$lte": found["last"]}})
