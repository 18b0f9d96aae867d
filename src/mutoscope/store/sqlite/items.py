"""Items as rows: the one place that writes a Media to its table and reads it again, with its search terms."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

import mutoscope.store.sqlite.blurs as blurs
import mutoscope.store.sqlite.events as events
import mutoscope.store.sqlite.search as search
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.domain.search import terms_of

COLUMNS = "document, media.seq, views, unlocks, fence"
AS_JSON = "printf('[%s,%d,%d,%d,%d]', document, media.seq, views, unlocks, fence)"
"""A row of COLUMNS as text that `from_json` reads."""

_decoder = msgspec.json.Decoder(Media)
_list_decoder = msgspec.json.Decoder(list[tuple[Media, int, int, int, int]])


def from_row(row: tuple[str, int, int, int, int]) -> Media:
    """The item of a row of COLUMNS."""
    document, *counts = row
    return _item(_decoder.decode(document), *counts)


def from_json(rows: str) -> list[Media]:
    """The items of rows as AS_JSON writes them, with commas between."""
    return [_item(*row) for row in _list_decoder.decode(f"[{rows}]")]


def _item(document: Media, seq: int, views: int, unlocks: int, fence: int) -> Media:
    return structs.replace(document, seq=seq, views=views, unlocks=unlocks, fence=fence)


def get(c: sqlite3.Connection, id: str) -> Media | None:
    """The item of that id."""
    row = c.execute(f"SELECT {COLUMNS} FROM media WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return from_row(row) if row else None


def all_of(c: sqlite3.Connection, ids: Sequence[str]) -> list[Media]:
    """The items of these ids, in that order. They come as one value, as in `search.page`."""
    query = f"SELECT group_concat({AS_JSON}) FROM media WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
    row = c.execute(query, (msgspec.json.encode(ids).decode(),)).fetchone()
    found = {item.id: item for item in from_json(row[0] or "")}
    return [found[id] for id in ids if id in found]


def insert(c: sqlite3.Connection, item: Media, now: Millis) -> None:
    """A new item at the end of the order of publication, found from now on."""
    place(c, item, None, now)
    tell(c, item, now, public=item.listed)


def place(c: sqlite3.Connection, item: Media, seq: int | None, previews_due_at: Millis) -> None:
    """A new row and its terms, at a place in the order of publication; at the end without one."""
    columns = _columns(item) | {"views": item.views, "unlocks": item.unlocks, "fence": item.fence}
    columns |= {"id": item.id, "previews_due_at": previews_due_at, "seq": seq}
    given = c.execute(
        f"INSERT INTO media ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) RETURNING seq",  # noqa: S608
        tuple(columns.values()),
    ).fetchone()[0]
    search.add(c, given, terms_of(item, _owner_name(c, item)))
    blurs.follow(c, None, item)


def replace(c: sqlite3.Connection, before: Media, after: Media) -> bool:
    """Write an item's record and terms if it still has the version of ``before``; the store's own columns stay."""
    columns = _columns(after)
    replaced = c.execute(
        f"UPDATE media SET {', '.join(name + ' = ?' for name in columns)} WHERE id = ? AND version = ?",  # noqa: S608
        (*columns.values(), before.id, before.version),
    ).rowcount
    if replaced == 1:
        search.replace(c, before.seq, terms_of(after, _owner_name(c, after)))
        blurs.follow(c, before, after)
    return replaced == 1


def index_again(c: sqlite3.Connection, owner_id: str) -> None:
    """Make the terms of a person's items anew: the name has changed."""
    rows = c.execute(f"SELECT {COLUMNS} FROM media WHERE owner_id = ?", (owner_id,)).fetchall()  # noqa: S608
    for item in map(from_row, rows):
        search.replace(c, item.seq, terms_of(item, _owner_name(c, item)))


def tell(c: sqlite3.Connection, item: Media, now: Millis, *, public: bool) -> None:
    """The event of a change of the item."""
    events.append(c, "media", item.id, item.version, item.owner_id, now, public=public)


def _owner_name(c: sqlite3.Connection, item: Media) -> str:
    row = c.execute("SELECT document ->> 'name' FROM people WHERE id = ?", (item.owner_id,)).fetchone()
    return row[0] if row else ""


def _columns(item: Media) -> dict[str, Any]:
    return {
        "owner_id": item.owner_id,
        "generation_id": item.generation_id,
        "created_at": item.created_at,
        "duration_s": item.facts.duration_s,
        "stored_bytes": sum(file.size_bytes for file in item.files.values()),
        "version": item.version,
        "previews": item.previews,
        "document": msgspec.json.encode(item).decode(),
    }
