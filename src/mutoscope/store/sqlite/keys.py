"""API keys."""

import sqlite3
from collections.abc import Sequence

import msgspec

from mutoscope.domain.errors import Conflict
from mutoscope.domain.ids import Millis
from mutoscope.domain.keys import ApiKey, holds
from mutoscope.domain.people import Person
from mutoscope.store.sqlite.engine import Engine

READ = "SELECT document FROM api_keys ORDER BY id"
_USE = """
UPDATE api_keys SET document = json_set(document, '$.used_at', ?1)
WHERE id = ?2 AND coalesce(json_extract(document, '$.used_at'), 0) < ?1
"""


class SqliteKeys:
    """The keys group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, key: ApiKey, limit: int) -> None:
        await self._engine.write(lambda c: _add(c, key, limit))

    async def of_secret(self, secret_hash: str, now: Millis) -> tuple[ApiKey, Person] | None:
        return await self._engine.read(lambda c: _of_secret(c, secret_hash, now))

    async def of_person(self, person_id: str) -> Sequence[ApiKey]:
        return await self._engine.read(lambda c: _of_person(c, person_id))

    async def use(self, id: str, now: Millis) -> None:
        await self._engine.write(lambda c: c.execute(_USE, (now, id)).close())

    async def revoke(self, person_id: str, id: str) -> bool:
        query = "DELETE FROM api_keys WHERE person_id = ? AND id = ?"
        return await self._engine.write(lambda c: c.execute(query, (person_id, id)).rowcount == 1)


def _add(c: sqlite3.Connection, key: ApiKey, limit: int) -> None:
    if c.execute("SELECT 1 FROM people WHERE id = ?", (key.person_id,)).fetchone() is None:
        raise Conflict("There is no such person any more.")
    there = c.execute("SELECT count(*) FROM api_keys WHERE person_id = ?", (key.person_id,)).fetchone()[0]
    if there >= limit:
        raise Conflict(f"There are {limit} keys, and there may be no more. Revoke one that is not used.")
    insert(c, key)


def insert(c: sqlite3.Connection, key: ApiKey) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO api_keys (id, secret_hash, person_id, document) VALUES (?, ?, ?, ?)",
        (key.id, key.secret_hash, key.person_id, msgspec.json.encode(key).decode()),
    )


def _of_secret(c: sqlite3.Connection, secret_hash: str, now: Millis) -> tuple[ApiKey, Person] | None:
    row = c.execute(
        "SELECT api_keys.document, people.document FROM api_keys JOIN people ON people.id = person_id"
        " WHERE secret_hash = ?",
        (secret_hash,),
    ).fetchone()
    if row is None:
        return None
    key, person = msgspec.json.decode(row[0], type=ApiKey), msgspec.json.decode(row[1], type=Person)
    return (key, person) if holds(key, person, now) else None


def _of_person(c: sqlite3.Connection, person_id: str) -> list[ApiKey]:
    rows = c.execute("SELECT document FROM api_keys WHERE person_id = ?", (person_id,))
    found = [msgspec.json.decode(row[0], type=ApiKey) for row in rows]
    return sorted(found, key=lambda key: (-key.created_at, key.id))
