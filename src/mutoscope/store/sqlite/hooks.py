"""Calls of providers: each delivery once."""

import sqlite3

import msgspec

from mutoscope.domain.generation import ProviderJob
from mutoscope.domain.ids import Millis
from mutoscope.store.sqlite.engine import Engine


class SqliteHooks:
    """The hooks group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def record(
        self, provider: str, delivery: str, reference: str, now: Millis, job: ProviderJob | None = None
    ) -> bool:
        return await self._engine.write(lambda c: _record(c, provider, delivery, reference, now, job))

    async def job(self, provider: str, reference: str) -> ProviderJob | None:
        return await self._engine.read(lambda c: _job(c, provider, reference))

    async def prune(self, before: Millis) -> None:
        await self._engine.write(lambda c: c.execute("DELETE FROM deliveries WHERE at < ?", (before,)).close())


def _record(
    c: sqlite3.Connection, provider: str, delivery: str, reference: str, now: Millis, job: ProviderJob | None
) -> bool:
    document = None if job is None else msgspec.json.encode(job).decode()
    return bool(
        c.execute(
            "INSERT INTO deliveries (provider, delivery, reference, job, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (provider, delivery, reference, document, now),
        ).rowcount
    )


def _job(c: sqlite3.Connection, provider: str, reference: str) -> ProviderJob | None:
    row = c.execute(
        "SELECT job FROM deliveries WHERE reference = ? AND provider = ? AND job IS NOT NULL"
        " ORDER BY at DESC, delivery DESC LIMIT 1",
        (reference, provider),
    ).fetchone()
    return msgspec.json.decode(row[0], type=ProviderJob) if row else None
