"""Share links."""

import sqlite3
from collections.abc import Sequence

import msgspec

import mutoscope.store.cursors as cursors
from mutoscope.domain.errors import Conflict
from mutoscope.domain.ids import Millis
from mutoscope.domain.people import Person
from mutoscope.domain.sharing import ShareLink, opens, stands
from mutoscope.store.port import Page
from mutoscope.store.sqlite.engine import Engine

READ = "SELECT document FROM share_links ORDER BY id"
_USE = """
UPDATE share_links SET document = json_set(document, '$.used_at', ?1)
WHERE id = ?2 AND coalesce(json_extract(document, '$.used_at'), 0) < ?1
"""
_REVOKE = """
UPDATE share_links SET document = json_set(document, '$.revoked_at', coalesce(json_extract(document, '$.revoked_at'), ?1))
WHERE id = ?2 AND owner_id = coalesce(?3, owner_id)
"""
_decoder = msgspec.json.Decoder(ShareLink)


class SqliteShares:
    """The shares group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, link: ShareLink, limit: int) -> None:
        await self._engine.write(lambda c: _add(c, link, limit))

    async def of_secret(self, secret_hash: str, now: Millis) -> ShareLink | None:
        return await self._engine.read(lambda c: _open(c, "secret_hash", secret_hash, now))

    async def get(self, id: str, now: Millis) -> ShareLink | None:
        return await self._engine.read(lambda c: _open(c, "share_links.id", id, now))

    async def of_target(self, target: str) -> Sequence[ShareLink]:
        return await self._engine.read(lambda c: _of_target(c, target))

    async def of_owner(self, owner_id: str, cursor: str | None, limit: int) -> Page[ShareLink]:
        before = cursors.read(cursor, tuple[str])[0] if cursor else None
        return await self._engine.read(lambda c: _of_owner(c, owner_id, before, limit))

    async def use(self, id: str, now: Millis) -> None:
        await self._engine.write(lambda c: c.execute(_USE, (now, id)).close())

    async def revoke(self, id: str, owner_id: str | None, now: Millis) -> bool:
        return await self._engine.write(lambda c: c.execute(_REVOKE, (now, id, owner_id)).rowcount == 1)


def _add(c: sqlite3.Connection, link: ShareLink, limit: int) -> None:
    if c.execute("SELECT 1 FROM people WHERE id = ?", (link.owner_id,)).fetchone() is None:
        raise Conflict("There is no such person any more.")
    there = _of_target(c, link.target)
    if len(there) >= limit:
        ended = [(each.id,) for each in there if not stands(each, link.created_at)]
        if len(there) - len(ended) >= limit:
            raise Conflict(f"{limit} links lead there, and there may be no more. Revoke one that is not used.")
        c.executemany("DELETE FROM share_links WHERE id = ?", ended)
    insert(c, link)


def insert(c: sqlite3.Connection, link: ShareLink) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO share_links (id, secret_hash, target, owner_id, document) VALUES (?, ?, ?, ?, ?)",
        (link.id, link.secret_hash, link.target, link.owner_id, msgspec.json.encode(link).decode()),
    )


def _open(c: sqlite3.Connection, column: str, value: str, now: Millis) -> ShareLink | None:
    row = c.execute(
        "SELECT share_links.document, people.document FROM share_links JOIN people ON people.id = owner_id"  # noqa: S608
        f" WHERE {column} = ?",
        (value,),
    ).fetchone()
    if row is None:
        return None
    link = _decoder.decode(row[0])
    return link if opens(link, msgspec.json.decode(row[1], type=Person), now) else None


def _of_target(c: sqlite3.Connection, target: str) -> list[ShareLink]:
    rows = c.execute("SELECT document FROM share_links WHERE target = ? ORDER BY id DESC", (target,))
    return [_decoder.decode(row[0]) for row in rows]


def _of_owner(c: sqlite3.Connection, owner_id: str, before: str | None, limit: int) -> Page[ShareLink]:
    rows = c.execute(
        "SELECT document FROM share_links WHERE owner_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",
        (owner_id, before, limit + 1),
    ).fetchall()
    links = [_decoder.decode(row[0]) for row in rows[:limit]]
    return Page(items=links, next=cursors.write(links[-1].id) if len(rows) > limit else None)
