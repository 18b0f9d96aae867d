"""Buckets of limits, in memory: the data file has one process, a restart may forget them, and a write to the disk for each
wrong password would be a gift to whoever sends many.
"""

import heapq
from collections.abc import Sequence

from mutoscope.domain.ids import Millis
from mutoscope.domain.limits import Bucket, taken_from, wait_for
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.sqlite.engine import CLOSED, Engine

MOST = 100_000
"""How many are kept, about 15 MB. When there are more, those that are nearly full again go first."""


class MemoryBuckets:
    """The buckets group of the port."""

    def __init__(self, engine: Engine, most: int = MOST) -> None:
        self._engine, self._most = engine, most
        self._full_at: dict[str, Millis] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    async def wait(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        if self._engine.closed:
            raise StoreUnavailable(CLOSED)
        return max((wait_for(self._full_at.get(each.key, 0), each.rate, now) for each in buckets), default=0)

    async def take(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        wait_ms = await self.wait(buckets, now)
        if not wait_ms:
            await self.charge(buckets, now)
        return wait_ms

    async def charge(self, buckets: Sequence[Bucket], now: Millis) -> None:
        if self._engine.closed:
            raise StoreUnavailable(CLOSED)
        for each in buckets:
            self._full_at[each.key] = taken_from(self._full_at.get(each.key, 0), each.rate, now)
        if len(self._full_at) > self._most:
            self._forget(now)

    def _forget(self, now: Millis) -> None:
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        surplus = len(self._full_at) - self._most * 9 // 10
        for key in heapq.nsmallest(surplus, self._full_at, key=self._full_at.__getitem__) if surplus > 0 else ():
            del self._full_at[key]
