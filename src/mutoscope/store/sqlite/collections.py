"""Collections: a row each, and a row for each item in one, whose positions are their order."""

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

READ = """
SELECT document, (SELECT json_group_array(json_array(position, media_id)) FROM collected WHERE collection_id = id)
FROM collections ORDER BY id
"""
_HELD = """
SELECT json_group_array(json_array(
  collection_id, position, media_id, owner_id, document ->> 'visibility', document ->> 'hidden', document ->> 'trashed_at'
))
FROM collected JOIN media ON media.id = media_id WHERE collection_id IN ({marks})
"""
"""As one value, as in `search.page`."""

_decoder = msgspec.json.Decoder(Collection)
_held_decoder = msgspec.json.Decoder(list[tuple[str, int, str, str, Visibility, int, int | None]])
_order_decoder = msgspec.json.Decoder(list[tuple[int, str]])


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
        "INSERT INTO collections (id, owner_id, version, document) VALUES (?, ?, ?, ?)",
        (collection.id, collection.owner_id, collection.version, msgspec.json.encode(collection).decode()),
    )
    _put(c, collection.id, {}, row.media_ids)


def filled(row: tuple[str, str]) -> Filled:
    """What a row of READ says."""
    places = sorted(_order_decoder.decode(row[1]))
    return Filled(collection=_decoder.decode(row[0]), media_ids=tuple(id for _, id in places))


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
    (found,) = c.execute(_HELD.format(marks=", ".join("?" * len(ids))), tuple(ids)).fetchone()
    held: dict[str, list[Held]] = {id: [] for id in ids}
    for collection_id, _, id, owner_id, visibility, hidden, trashed_at in sorted(_held_decoder.decode(found)):
        item = Held(id=id, owner_id=owner_id, visibility=visibility, hidden=bool(hidden), trashed_at=trashed_at)
        held[collection_id].append(item)
    return held


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
    places = dict(c.execute("SELECT media_id, position FROM collected WHERE collection_id = ?", (id,)))
    order = sorted(places, key=places.__getitem__)
    after, new_order = rearranged(before, order, step, {*order, *_known(c, step)}, now)
    if after.version != before.version:
        gone = [(id, media_id) for media_id in set(order) - set(new_order)]
        c.executemany("DELETE FROM collected WHERE collection_id = ? AND media_id = ?", gone)
        _put(c, id, places, new_order)
        _write(c, after, now)
    return after


def _known(c: sqlite3.Connection, step: Step) -> list[str]:
    """Which items of those to take in there are."""
    ids = step.ids if isinstance(step, Add) else ()
    rows = c.execute(f"SELECT id FROM media WHERE id IN ({', '.join('?' * len(ids))})", ids)  # noqa: S608
    return [row[0] for row in rows]


def _put(c: sqlite3.Connection, id: str, places: Mapping[str, int], order: Sequence[str]) -> None:
    """Write the positions that are not as they should be."""
    moved = [(id, media_id, place) for place, media_id in enumerate(order) if places.get(media_id) != place]
    c.executemany("INSERT OR REPLACE INTO collected (collection_id, media_id, position) VALUES (?, ?, ?)", moved)


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
        (after.version, msgspec.json.encode(after).decode(), after.id),
    )
    _tell(c, after, now)


def _tell(c: sqlite3.Connection, collection: Collection, now: Millis) -> None:
    """The event of a change, for the owner alone: others are shown less of it."""
    events.append(c, "collection", collection.id, collection.version, collection.owner_id, now)
