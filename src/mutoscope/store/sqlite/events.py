"""The stream of what happened: one row for each event, appended in the commit that made it happen."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import mutoscope.store.cursors as cursors
from mutoscope.domain.errors import Invalid
from mutoscope.domain.events import PUBLIC, Event, EventKind, to_person
from mutoscope.domain.ids import Millis
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.sqlite.engine import CLOSED, Engine

START = (0, 0)
"""The place before the first event."""


def append(
    c: sqlite3.Connection, kind: EventKind, thing: str, version: int, person_id: str, at: Millis, public: bool = False
) -> None:
    """Tell the person, and everyone when it is public."""
    c.execute(
        "INSERT INTO events (kind, thing, version, audience, public, at) VALUES (?, ?, ?, ?, ?, ?)",
        (kind, thing, version, to_person(person_id), public, at),
    )


def latest(c: sqlite3.Connection) -> int:
    """The id of the newest event, 0 before the first."""
    return c.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]


class SqliteEvents:
    """The events group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest = 0
        self._news = asyncio.Event()

    def tell(self, latest: int) -> None:
        """Wake whoever waits, when there is something newer. Runs in the event loop after each commit."""
        if latest != self._latest:
            self._latest = latest
            self.wake()

    def wake(self) -> None:
        """Let everyone who waits look again."""
        self._news.set()
        self._news = asyncio.Event()

    async def head(self) -> str:
        return await self._engine.read(_head)

    async def after(self, cursor: str, audiences: Sequence[str], limit: int) -> tuple[Sequence[Event], str] | None:
        place = _place(cursor)
        return None if place is None else await self._engine.read(lambda c: _after(c, place, audiences, limit))

    async def wait(self, cursor: str, timeout_s: float) -> None:
        if self._engine.closed:
            raise StoreUnavailable(CLOSED)
        news, place = self._news, _place(cursor)
        if place is None or place[0] != self._latest:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await news.wait()

    async def prune(self, before: Millis) -> None:
        # The newest stays: it is the place from which everyone who is up to date goes on.
        await self._engine.write(
            lambda c: c.execute(
                "DELETE FROM events WHERE at < ? AND id < (SELECT max(id) FROM events)", (before,)
            ).close()
        )


def _place(cursor: str) -> tuple[int, int] | None:
    try:
        return cursors.read(cursor, tuple[cursors.Number, cursors.Number])
    except Invalid:
        return None


def _head(c: sqlite3.Connection) -> str:
    newest = c.execute("SELECT id, mark FROM events ORDER BY id DESC LIMIT 1").fetchone()
    return cursors.write(*(newest or START))


def _known(c: sqlite3.Connection, place: tuple[int, int]) -> bool:
    if place == START:
        return c.execute("SELECT coalesce(min(id), 1) FROM events").fetchone()[0] == 1
    return c.execute("SELECT 1 FROM events WHERE (id, mark) = (?, ?)", place).fetchone() is not None


def _after(
    c: sqlite3.Connection, place: tuple[int, int], audiences: Sequence[str], limit: int
) -> tuple[Sequence[Event], str] | None:
    if not _known(c, place):
        return None
    marks = ", ".join("?" * len(audiences))
    rows = c.execute(
        f"SELECT id, mark, kind, thing, version FROM events WHERE id > ? AND (audience IN ({marks}) OR public AND ?)"  # noqa: S608
        " ORDER BY id LIMIT ?",
        (place[0], *audiences, PUBLIC in audiences, limit),
    ).fetchall()
    found = [
        Event(cursor=cursors.write(id, mark), kind=kind, id=thing, version=version)
        for id, mark, kind, thing, version in rows
    ]
    return found, found[-1].cursor if len(found) == limit and found else _head(c)
