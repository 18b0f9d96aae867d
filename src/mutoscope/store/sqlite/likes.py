"""Likes, and how many an item has, always changed in one commit."""

import sqlite3
from collections.abc import Sequence

import mutoscope.store.cursors as cursors
import mutoscope.store.sqlite.events as events
import mutoscope.store.sqlite.items as items
from mutoscope.domain.errors import NotFound
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.store.port import Page
from mutoscope.store.sqlite.engine import Engine

READ = "SELECT person_id, media_id, at FROM likes ORDER BY person_id, media_id"


class SqliteLikes:
    """The likes group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, person_id: str, media_id: str, now: Millis) -> Media:
        return await self._engine.write(lambda c: _add(c, person_id, media_id, now))

    async def remove(self, person_id: str, media_id: str, now: Millis) -> Media:
        return await self._engine.write(lambda c: _remove(c, person_id, media_id, now))

    async def liked(self, person_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        return await self._engine.read(lambda c: _liked(c, person_id, media_ids))

    async def list(self, person_id: str, cursor: str | None, limit: int) -> Page[Media]:
        before = cursors.read(cursor, tuple[cursors.Number, str]) if cursor else None
        return await self._engine.read(lambda c: _list(c, person_id, before, limit))


def _add(c: sqlite3.Connection, person_id: str, media_id: str, now: Millis) -> Media:
    item = _known(c, media_id)
    new = c.execute(
        "INSERT INTO likes (person_id, media_id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (person_id, media_id, now),
    ).rowcount
    return _count(c, item, 1, person_id, now) if new else item


def _remove(c: sqlite3.Connection, person_id: str, media_id: str, now: Millis) -> Media:
    item = _known(c, media_id)
    gone = c.execute("DELETE FROM likes WHERE person_id = ? AND media_id = ?", (person_id, media_id)).rowcount
    return _count(c, item, -1, person_id, now) if gone else item


def _known(c: sqlite3.Connection, media_id: str) -> Media:
    item = items.get(c, media_id)
    if item is None:
        raise NotFound("There is no such item, or it is not open to you.")
    return item


def _count(c: sqlite3.Connection, item: Media, change: int, person_id: str, now: Millis) -> Media:
    """One like more or less, told to the person, whose other pages show it."""
    c.execute("UPDATE media SET likes = likes + ? WHERE id = ?", (change, item.id))
    events.append(c, "media", item.id, item.version, person_id, now)
    return _known(c, item.id)


def _liked(c: sqlite3.Connection, person_id: str, media_ids: Sequence[str]) -> frozenset[str]:
    marks = ", ".join("?" * len(media_ids))
    rows = c.execute(
        f"SELECT media_id FROM likes WHERE person_id = ? AND media_id IN ({marks})",  # noqa: S608
        (person_id, *media_ids),
    )
    return frozenset(row[0] for row in rows)


def _list(c: sqlite3.Connection, person_id: str, before: tuple[int, str] | None, limit: int) -> Page[Media]:
    rows = c.execute(
        f"SELECT likes.at, {items.COLUMNS} FROM likes JOIN media ON media.id = likes.media_id"  # noqa: S608
        f" WHERE likes.person_id = ?{' AND (likes.at, likes.media_id) < (?, ?)' if before else ''}"
        " ORDER BY likes.at DESC, likes.media_id DESC LIMIT ?",
        (person_id, *(before or ()), limit + 1),
    ).fetchall()
    found = [items.from_row(row[1:]) for row in rows[:limit]]
    return Page(items=found, next=cursors.write(rows[limit - 1][0], found[-1].id) if len(rows) > limit else None)
