"""Views: whose look counts, gathered for a few seconds and written together.

A view is one commit's part: a change of any row empties what is kept for strangers, so that a commit for each look would
leave nothing of it. What was gathered and not written when a process is killed is lost; a stop writes it.
"""

import asyncio
import secrets
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

import structlog

from mutoscope.domain.counting import VIEWERS_MOST, Day, Look, Visitor, day_of, is_ahead, is_robot, look_of
from mutoscope.domain.ids import Clock, Millis
from mutoscope.domain.limits import VIEWS_FROM_ADDRESS, bucket, taken_from, wait_for
from mutoscope.domain.media import Media
from mutoscope.domain.rights import Viewer
from mutoscope.store.port import Store, StoreUnavailable

GATHER_S = 5.0
"""How old a look is at most when it is written; a count is behind by that."""
GATHERED_MOST = 20_000
"""Looks that wait, while the database is away too; beyond it they are lost."""
TOGETHER = 500
"""Looks in one commit."""
SOURCES_MOST = 50_000
"""Addresses whose rate is remembered; of more, all are forgiven."""
SECRET_BYTES = 32

log = structlog.get_logger("mutoscope.counting")


class Counting:
    """The views that one process hears of. ``key`` is the studio's, and the same in all of its processes."""

    def __init__(self, store: Store, clock: Clock, key: bytes, gather_s: float = GATHER_S) -> None:
        self._store, self._clock, self._key, self._gather_s = store, clock, key, gather_s
        self._gathered: dict[tuple[Day, Look], None] = {}
        self._secret: tuple[Day, str] | None = None
        self._full_at: dict[str, Millis] = {}
        self._writing: asyncio.Task[None] | None = None
        self.counted = 0
        """How many this process has counted."""

    async def viewed(self, viewer: Viewer, item: Media, visitor: Visitor) -> None:
        """Somebody who may see the item looks at it. Nothing tells them whether that counts: not the owner's own looks, not
        robots', not what a browser fetches ahead, not the operator's at the socket, and each viewer once a day.
        """
        owns = viewer.person_id is not None and viewer.person_id == item.owner_id
        if owns or visitor.source is None or is_robot(visitor.user_agent) or is_ahead(visitor.purpose):
            return
        day = day_of(self._clock.now())
        try:
            look = look_of(item.id, viewer.person_id, visitor, self._key, await self._secret_of(day))
        except StoreUnavailable as e:
            log.warning("a view is not counted", why=str(e))
            return
        known = (day, look) in self._gathered
        if not known and len(self._gathered) < GATHERED_MOST and self._may(visitor.source):
            self._gathered[day, look] = None
            self._write_later()

    async def flush(self) -> None:
        """Write what was gathered. What could not be written stays: a look that was written after all counts once."""
        waiting = list(self._gathered)
        for day in dict.fromkeys(day for day, _ in waiting):
            for looks in _chunks(look for on, look in waiting if on == day):
                self.counted += await self._store.views.add(day, looks, VIEWERS_MOST)
                for look in looks:
                    self._gathered.pop((day, look), None)

    async def close(self) -> None:
        """Write what was gathered, for the last time."""
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        try:
            await self.flush()
        except StoreUnavailable as e:
            log.warning("views are lost", count=len(self._gathered), why=str(e))

    async def _secret_of(self, day: Day) -> str:
        if self._secret is None or self._secret[0] != day:
            self._secret = (day, await self._store.views.secret(day, secrets.token_hex(SECRET_BYTES)))
        return self._secret[1]

    def _may(self, source: str) -> bool:
        """Take one from what an address may add. In this process's memory: what has to hold is that it has an end."""
        rate, now = VIEWS_FROM_ADDRESS, self._clock.now()
        if len(self._full_at) >= SOURCES_MOST:
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        if len(self._full_at) >= SOURCES_MOST:
            self._full_at.clear()
        key = bucket(rate, source).key
        full_at = self._full_at.get(key, 0)
        if wait_for(full_at, rate, now):
            return False
        self._full_at[key] = taken_from(full_at, rate, now)
        return True

    def _write_later(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._gathered:
            await asyncio.sleep(self._gather_s)
            try:
                await self.flush()
            except StoreUnavailable as e:
                log.warning("views wait", count=len(self._gathered), why=str(e))


def _chunks(looks: Iterable[Look]) -> Iterable[list[Look]]:
    rest = iter(looks)
    while chunk := list(islice(rest, TOGETHER)):
        yield chunk
