"""Collections: a row each, with the ids of its items in order; one that is not there any more is passed over."""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

import mutoscope.store.sqlite.events as events
from mutoscope.domain.collections import Add, Collection, Held, Step, check_version, rearranged
from mutoscope.domain.errors import Conflict, NotFound
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Visibility
from mutoscope.store.portable import Filled
from mutoscope.store.sqlite.engine import Engine

READ = "SELECT document, items FROM collections ORDER BY id"
_HELD = """
SELECT group_concat(json_array(id, owner_id, json_extract(document, '$.visibility', '$.hidden', '$.trashed_at')))
FROM media WHERE id IN (SELECT value FROM json_each(?))
"""
"""What of items decides who sees them; as one value, as in `search.page`."""

_decoder = msgspec.json.Decoder(Collection)
_order_decoder = msgspec.json.Decoder(tuple[str, ...])
_held_decoder = msgspec.json.Decoder(list[tuple[str, str, tuple[Visibility, bool, int | None]]])


class SqliteCollections:
    """The collections group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, collection: Collection, limit: int) -> None:
        await self._engine.write(lambda c: _add(c, collection, limit))

    async def get(self, id: str) -> Collection | None:
        return await self._engine.read(lambda c: _get(c, id))

    async def of_person(self, owner_id: str) -> Sequence[Collection]:
        return await self._engine.read(lambda c: _of_person(c, owner_id))

    async def held(self, ids: Sequence[str]) -> Mapping[str, Sequence[Held]]:
        return await self._engine.read(lambda c: _held(c, ids))

    async def holds(self, id: str, media_id: str) -> bool:
        query = "SELECT 1 FROM collections, json_each(items) WHERE collections.id = ? AND json_each.value = ?"
        return await self._engine.read(lambda c: c.execute(query, (id, media_id)).fetchone() is not None)

    async def change(self, collection: Collection, expected_version: int, now: Millis) -> Collection:
        return await self._engine.write(lambda c: _change(c, collection, expected_version, now))

    async def rearrange(self, id: str, step: Step, expected_version: int | None, now: Millis) -> Collection:
        return await self._engine.write(lambda c: _rearrange(c, id, step, expected_version, now))

    async def delete(self, id: str, expected_version: int | None, now: Millis) -> bool:
        return await self._engine.write(lambda c: _delete(c, id, expected_version, now))


def insert_filled(c: sqlite3.Connection, row: Filled) -> None:
    """A new row, with its items."""
    collection = row.collection
    c.execute(
        "INSERT INTO collections (id, owner_id, version, items, document) VALUES (?, ?, ?, ?, ?)",
        (collection.id, collection.owner_id, collection.version, _text(row.media_ids), _text(collection)),
    )


def filled(row: tuple[str, str]) -> Filled:
    """What a row of READ says."""
    return Filled(collection=_decoder.decode(row[0]), media_ids=_order_decoder.decode(row[1]))


def _add(c: sqlite3.Connection, collection: Collection, limit: int) -> None:
    if c.execute("SELECT 1 FROM people WHERE id = ?", (collection.owner_id,)).fetchone() is None:
        raise Conflict("There is no such person any more.")
    (there,) = c.execute("SELECT count(*) FROM collections WHERE owner_id = ?", (collection.owner_id,)).fetchone()
    if there >= limit:
        raise Conflict(f"There are {limit} collections, and there may be no more. Delete one that is not needed.")
    insert_filled(c, Filled(collection=collection, media_ids=()))
    _tell(c, collection, collection.created_at)


def _get(c: sqlite3.Connection, id: str) -> Collection | None:
    row = c.execute("SELECT document FROM collections WHERE id = ?", (id,)).fetchone()
    return _decoder.decode(row[0]) if row else None


def _of_person(c: sqlite3.Connection, owner_id: str) -> list[Collection]:
    rows = c.execute("SELECT document FROM collections WHERE owner_id = ? ORDER BY id", (owner_id,))
    return [_decoder.decode(row[0]) for row in rows]


def _held(c: sqlite3.Connection, ids: Sequence[str]) -> dict[str, list[Held]]:
    orders = {id: _order(c, id) for id in ids}
    wanted = {media_id for order in orders.values() for media_id in order}
    (found,) = c.execute(_HELD, (_text(wanted),)).fetchone()
    there = {
        id: Held(id=id, owner_id=owner_id, visibility=visibility, hidden=hidden, trashed_at=trashed_at)
        for id, owner_id, (visibility, hidden, trashed_at) in _held_decoder.decode(f"[{found or ''}]")
    }
    return {id: [there[media_id] for media_id in order if media_id in there] for id, order in orders.items()}


def _order(c: sqlite3.Connection, id: str) -> tuple[str, ...]:
    row = c.execute("SELECT items FROM collections WHERE id = ?", (id,)).fetchone()
    return _order_decoder.decode(row[0]) if row else ()


def _change(c: sqlite3.Connection, collection: Collection, expected_version: int, now: Millis) -> Collection:
    before = _get(c, collection.id)
    if before is None or before.version != expected_version:
        raise Conflict("This collection has changed meanwhile; look at it again.")
    after = structs.replace(collection, version=expected_version + 1, updated_at=now)
    _write(c, after, now)
    return after


def _rearrange(c: sqlite3.Connection, id: str, step: Step, expected_version: int | None, now: Millis) -> Collection:
    before = _get(c, id)
    if before is None:
        raise NotFound("There is no such collection, or it is not open to you.")
    check_version(before, expected_version)
    order = _order(c, id)
    after, new_order = rearranged(before, order, step, _known(c, order, step), now)
    if after.version != before.version:
        c.execute("UPDATE collections SET items = ? WHERE id = ?", (_text(new_order), id))
        _write(c, after, now)
    return after


def _known(c: sqlite3.Connection, order: Sequence[str], step: Step) -> set[str]:
    """Which items there are, of those in a collection and of those to take in; as one value, as in `search.page`."""
    asked = [*order, *(step.ids if isinstance(step, Add) else ())]
    query = "SELECT json_group_array(id) FROM media WHERE id IN (SELECT value FROM json_each(?))"
    return set(_order_decoder.decode(c.execute(query, (_text(asked),)).fetchone()[0]))


def _delete(c: sqlite3.Connection, id: str, expected_version: int | None, now: Millis) -> bool:
    before = _get(c, id)
    if before is None:
        return False
    check_version(before, expected_version)
    c.execute("DELETE FROM collections WHERE id = ?", (id,))
    _tell(c, structs.replace(before, version=before.version + 1), now)
    return True


def _write(c: sqlite3.Connection, after: Collection, now: Millis) -> None:
    c.execute(
        "UPDATE collections SET version = ?, document = ? WHERE id = ?",
        (after.version, _text(after), after.id),
    )
    _tell(c, after, now)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _tell(c: sqlite3.Connection, collection: Collection, now: Millis) -> None:
    """The event of a change, for the owner alone: others are shown less of it."""
    events.append(c, "collection", collection.id, collection.version, collection.owner_id, now)
