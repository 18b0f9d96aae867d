"""Whether the data file does what it is for: a row is committed, read on another connection, and taken away."""

import sqlite3
from pathlib import Path

from mutoscope.domain.ids import MINUTE, Ids, Millis
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.sqlite.engine import Engine

PURPOSE = "check"
"""The row is a one-time link for nothing, which lets nobody in: no other table is free of what people see."""
NOT_KEPT = "The database does not give back what was just written to it: restore a backup on another disk."


async def check(engine: Engine) -> str:
    """What the database is. Raises StoreUnavailable."""
    mark, now = Ids(engine.clock).new("lnk"), engine.clock.now()
    await engine.write(lambda c: _write(c, mark, now))
    try:
        kept = await engine.read(lambda c: _marked(c, mark))
    finally:
        await engine.write(lambda c: c.execute("DELETE FROM links WHERE secret_hash = ?", (mark,)).close())
    if not kept or await engine.read(lambda c: _marked(c, mark)):
        raise StoreUnavailable(NOT_KEPT)
    schema = await engine.read(lambda c: c.execute("PRAGMA user_version").fetchone()[0])
    size = _size_bytes(engine.path) / 1e6
    return f"SQLite {sqlite3.sqlite_version}, file {engine.path.name}, {size:.1f} MB, schema {schema}"


def _write(c: sqlite3.Connection, mark: str, now: Millis) -> None:
    # A check that was killed leaves its row to the next one.
    c.execute("DELETE FROM links WHERE purpose = ? AND expires_at <= ?", (PURPOSE, now))
    c.execute(
        "INSERT INTO links (secret_hash, purpose, expires_at, document) VALUES (?, ?, ?, '{}')",
        (mark, PURPOSE, now + MINUTE),
    )


def _marked(c: sqlite3.Connection, mark: str) -> bool:
    return c.execute("SELECT 1 FROM links WHERE secret_hash = ?", (mark,)).fetchone() is not None


def _size_bytes(path: Path) -> int:
    """The file, and the log beside it."""
    log = path.with_name(path.name + "-wal")
    return sum(file.stat().st_size for file in (path, log) if file.exists())
