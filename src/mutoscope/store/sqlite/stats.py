"""Figures for the operator, and how long a model usually takes."""

import sqlite3
from statistics import median

from mutoscope.domain.generation import State
from mutoscope.domain.ids import Millis
from mutoscope.store.port import Totals
from mutoscope.store.sqlite.engine import Engine

LAST = 20
ENOUGH = 3


class SqliteStats:
    """The stats group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def totals(self) -> Totals:
        return await self._engine.read(_totals)

    async def typical_ms(self, model: str) -> Millis | None:
        return await self._engine.read(lambda c: _typical_ms(c, model))


def _totals(c: sqlite3.Connection) -> Totals:
    counts = dict(c.execute("SELECT state, count(*) FROM generations GROUP BY state"))
    items, stored_bytes = c.execute("SELECT count(*), coalesce(sum(stored_bytes), 0) FROM media").fetchone()
    people = c.execute("SELECT count(*) FROM people").fetchone()[0]
    return Totals(
        generations={state: counts.get(state.value, 0) for state in State},
        items=items,
        stored_bytes=stored_bytes,
        people=people,
    )


def _typical_ms(c: sqlite3.Connection, model: str) -> Millis | None:
    times = [
        row[0]
        for row in c.execute(
            "SELECT finished_at - submitted_at FROM generations"
            " WHERE state = 'succeeded' AND model = ? AND submitted_at IS NOT NULL ORDER BY finished_at DESC LIMIT ?",
            (model, LAST),
        )
    ]
    return round(median(times)) if len(times) >= ENOUGH else None
