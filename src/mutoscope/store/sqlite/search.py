"""Search over FTS5: terms in two columns, rowid in the order of publication, pages by keyset.

A term goes in as the hexadecimal of its UTF-8. So whatever a term holds, the tokenizer sees one word of plain letters,
and the beginnings of terms are the beginnings of their hexadecimal.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

import mutoscope.store.cursors as cursors
from mutoscope.domain.media import Media
from mutoscope.domain.search import Query, Sort, Terms

FEW = 4_000
"""Up to so many matches are sorted; above it, the order's index is walked and each row asked whether it matches."""

INDEXED_DIGITS = 8
"""The longest beginning that has an index of its own (see `prefix` in the schema)."""

Place = tuple[Any, ...]
"""Where a page ended: the values of its order's columns."""


class _Order(msgspec.Struct, frozen=True):
    """A sort: by which column before ``seq``, and in which direction."""

    column: str | None
    direction: Literal["ASC", "DESC"]
    index: str = ""

    @property
    def keys(self) -> str:
        return f"media.{self.column}, media.seq" if self.column else "search.rowid"

    @property
    def by(self) -> str:
        return ", ".join(f"{key} {self.direction}" for key in self.keys.split(", "))


ORDERS: dict[Sort, _Order] = {
    "newest": _Order(None, "DESC"),
    "oldest": _Order(None, "ASC"),
    "longest": _Order("length_s", "DESC", "media_by_length"),
    "shortest": _Order("length_s", "ASC", "media_by_length"),
    "popular": _Order("views", "DESC", "media_by_views"),
    "liked": _Order("likes", "DESC", "media_by_likes"),
}


def add(c: sqlite3.Connection, seq: int, terms: Terms) -> None:
    """Make an item findable."""
    c.execute(
        "INSERT INTO search (rowid, open, withheld) VALUES (?, ?, ?)", (seq, _text(terms.open), _text(terms.withheld))
    )


def replace(c: sqlite3.Connection, seq: int, terms: Terms) -> None:
    """Swap an item's terms, when they have changed."""
    new = _text(terms.open), _text(terms.withheld)
    if c.execute("SELECT open, withheld FROM search WHERE rowid = ?", (seq,)).fetchone() != new:
        c.execute("UPDATE search SET open = ?, withheld = ? WHERE rowid = ?", (*new, seq))


def matching(scope: str, query: Query, withheld_too: bool) -> str:
    """The query as FTS5 reads it. Strangers' looks at the open column alone."""
    wanted = [_hex(term) for term in (scope, *query.all)] + [f"{_hex(start)} *" for start in query.prefixes]
    match = "(" + " AND ".join(wanted) + ")"
    if query.none:
        match += " NOT (" + " OR ".join(map(_hex, query.none)) + ")"
    return match if withheld_too else f"open : ({match})"


def position(cursor: str, sort: Sort) -> Place:
    """The place that a cursor of this sort names. Raises Invalid."""
    if ORDERS[sort].column is None:
        shape: Any = tuple[Literal[sort], cursors.Number]
    else:
        shape = tuple[Literal[sort], float, cursors.Number]
    return cursors.read(cursor, shape)[1:]


def cursor_after(item: Media, sort: Sort) -> str:
    """The cursor that goes on after an item."""
    value = {"length_s": item.facts.duration_s or 0.0, "views": item.views, "likes": item.likes}
    column = ORDERS[sort].column
    return cursors.write(sort, *([value[column]] if column else []), item.seq)


def page(c: sqlite3.Connection, as_json: str, match: str, query: Query, after: Place | None, limit: int) -> str:
    """What ``as_json`` makes of each row of ``media`` that matches, after a position; with commas between.

    They come as one value: SQLite lets go of the interpreter's lock at each row, and a busy event loop gives it back only
    after its turn (`sys.getswitchinterval`): 50 rows would wait 50 times. SQLite does not flatten a subquery with LIMIT
    into an aggregate, so the order is kept (https://www.sqlite.org/optoverview.html#subquery_flattening).
    """
    order = ORDERS[query.sort]
    conditions, values = _bounds(query)
    if after:
        sign = "<" if order.direction == "DESC" else ">"
        conditions.append(f"({order.keys}) {sign} ({', '.join('?' * len(after))})")
        values += after
    found = (
        f"SELECT {as_json} AS item FROM {_source(c, order, match, query)}"  # noqa: S608
        f" WHERE {' AND '.join(conditions)} ORDER BY {order.by} LIMIT ?"
    )
    row = c.execute(f"SELECT group_concat(item) FROM ({found})", (match, *values, limit)).fetchone()  # noqa: S608
    return row[0] or ""


def _source(c: sqlite3.Connection, order: _Order, match: str, query: Query) -> str:
    """The tables to read, in the order to read them, with one place for what to match."""
    if order.column is None:
        return "search CROSS JOIN media ON media.seq = search.rowid AND search MATCH ?"
    if _sorted_cheaply(c, match, query):
        return (
            "(SELECT rowid FROM search WHERE search MATCH ?) AS found"
            " CROSS JOIN media NOT INDEXED ON media.seq = found.rowid"
        )
    return f"media INDEXED BY {order.index} CROSS JOIN search ON search.rowid = media.seq AND search MATCH ?"


def _sorted_cheaply(c: sqlite3.Connection, match: str, query: Query) -> bool:
    if any(len(_hex(start)) > INDEXED_DIGITS for start in query.prefixes):
        return True  # asking row by row would look for every word of such a beginning each time
    count = c.execute("SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)", (match, FEW + 1))
    return count.fetchone()[0] <= FEW


def _bounds(query: Query) -> tuple[list[str], Place]:
    bounds = {
        "media.created_at >= ?": query.after,
        "media.created_at < ?": query.before,
        "media.length_s >= ?": query.longer_s,
        "media.length_s <= ?": query.shorter_s,
    }
    given = {condition: value for condition, value in bounds.items() if value is not None}
    only_films = query.longer_s is not None or query.shorter_s is not None
    return ["media.duration_s IS NOT NULL" if only_films else "1", *given], tuple(given.values())


def _hex(term: str) -> str:
    return term.encode("utf-8", "surrogatepass").hex()


def _text(terms: Iterable[str]) -> str:
    return " ".join(sorted(map(_hex, terms)))
