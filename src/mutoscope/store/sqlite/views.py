"""Views: who looked at what today, and the counts on the items, always changed in one commit."""

import sqlite3
from collections import Counter
from collections.abc import Sequence

from mutoscope.domain.counting import Day, Look
from mutoscope.store.sqlite.engine import Engine

PRUNED_AT_ONCE = 5_000
"""Rows in one step of pruning, so that other writes come in between."""


class SqliteViews:
    """The views group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def secret(self, day: Day, fresh: str) -> str:
        return await self._engine.write(lambda c: _secret(c, day, fresh))

    async def add(self, day: Day, looks: Sequence[Look], most: int) -> int:
        return await self._engine.write(lambda c: _add(c, day, looks, most))

    async def prune(self, before: Day) -> None:
        await self._engine.write(lambda c: _delete(c, "DELETE FROM view_days WHERE day < ?", before))
        while await self._engine.write(lambda c: _prune(c, before)) == PRUNED_AT_ONCE:
            pass


def forget_all(c: sqlite3.Connection) -> None:
    """Take out everybody who looked, and the secrets."""
    _delete(c, "DELETE FROM view_days")
    _delete(c, "DELETE FROM viewers")


def _secret(c: sqlite3.Connection, day: Day, fresh: str) -> str:
    c.execute("INSERT INTO view_days (day, secret) VALUES (?, ?) ON CONFLICT DO NOTHING", (day, fresh))
    return c.execute("SELECT secret FROM view_days WHERE day = ?", (day,)).fetchone()[0]


def _add(c: sqlite3.Connection, day: Day, looks: Sequence[Look], most: int) -> int:
    row = c.execute("SELECT seen FROM view_days WHERE day = ?", (day,)).fetchone()
    room = most - row[0] if row else 0
    counted: Counter[str] = Counter()
    for look in looks:
        if counted.total() >= room:
            break
        counted[look.media_id] += c.execute(
            "INSERT INTO viewers (day, media_id, viewer) SELECT ?1, id, ?3 FROM media WHERE id = ?2"
            " ON CONFLICT DO NOTHING",
            (day, look.media_id, look.viewer),
        ).rowcount
    for media_id, count in (+counted).items():
        c.execute("UPDATE media SET views = views + ? WHERE id = ?", (count, media_id))
    if counted.total():
        c.execute("UPDATE view_days SET seen = seen + ? WHERE day = ?", (counted.total(), day))
    return counted.total()


def _prune(c: sqlite3.Connection, before: Day) -> int:
    some = "SELECT day, media_id, viewer FROM viewers WHERE day < ? LIMIT ?"
    return _delete(c, f"DELETE FROM viewers WHERE (day, media_id, viewer) IN ({some})", before, PRUNED_AT_ONCE)  # noqa: S608


def _delete(c: sqlite3.Connection, query: str, *values: int) -> int:
    """Delete so that what was there stands in no free page of the file, and in none of its copies."""
    before = c.execute("PRAGMA secure_delete").fetchone()[0]
    c.execute("PRAGMA secure_delete = ON")
    try:
        return c.execute(query, values).rowcount
    finally:
        c.execute(f"PRAGMA secure_delete = {int(before)}")
