"""Search over one multikey array: terms, place in the order of publication; pages by keyset.

A withheld term stands in the array with a blank before it, which no term has. So strangers' searches cannot meet one,
and the same index serves those who may see it.
"""

from typing import Any, Literal

import msgspec

import mutoscope.store.cursors as cursors
from mutoscope.domain.media import Media
from mutoscope.domain.search import Query, Sort, Terms
from mutoscope.store.mongo.engine import Connection, Document

FEW = 1_000
"""Up to so many matches are sorted; above it, the order's index is walked and each item asked whether it matches."""
WITHHELD = " "
LAST = "\U0010ffff"
"""Comes after every letter that a term may have: strings are compared by their UTF-8."""

Place = tuple[Any, ...]
"""Where a page ended: the values of its order's fields."""


class _Order(msgspec.Struct, frozen=True):
    """A sort: by which field before ``seq``, and in which direction."""

    field: str | None
    direction: Literal[1, -1]

    @property
    def by(self) -> list[tuple[str, int]]:
        return [(name, self.direction) for name in (self.field, "seq") if name]


ORDERS: dict[Sort, _Order] = {
    "newest": _Order(None, -1),
    "oldest": _Order(None, 1),
    "longest": _Order("length_s", -1),
    "shortest": _Order("length_s", 1),
    "popular": _Order("views", -1),
    "liked": _Order("likes", -1),
}


def stored(terms: Terms) -> list[str]:
    """The array of an item."""
    return sorted(terms.open) + sorted(WITHHELD + term for term in terms.withheld)


def matching(scope: str, query: Query, withheld_too: bool) -> Document:
    """The query as MongoDB reads it."""
    forms = ("", WITHHELD) if withheld_too else ("",)
    conditions: list[Document] = [{"terms": _any(forms, [term])} for term in (scope, *query.all)]
    conditions += [{"$or": [{"terms": _beginning(form + start)} for form in forms]} for start in query.prefixes]
    if query.none:
        conditions.append({"terms": {"$nin": [_whole(form + term) for form in forms for term in query.none]}})
    return {"$and": conditions + _bounds(query)}


def position(cursor: str, sort: Sort) -> Place:
    """The place that a cursor of this sort names. Raises Invalid."""
    if ORDERS[sort].field is None:
        shape: Any = tuple[Literal[sort], cursors.Number]
    else:
        shape = tuple[Literal[sort], float, cursors.Number]
    return cursors.read(cursor, shape)[1:]


def cursor_after(item: Media, sort: Sort) -> str:
    """The cursor that goes on after an item."""
    value = {"length_s": item.facts.duration_s or 0.0, "views": item.views, "likes": item.likes}
    field = ORDERS[sort].field
    return cursors.write(sort, *([value[field]] if field else []), item.seq)


async def page(c: Connection, match: Document, sort: Sort, after: Place | None, limit: int) -> list[Document]:
    """The items that match, after a position."""
    order = ORDERS[sort]
    if order.field is None:
        bound = [{"seq": {"$lt" if order.direction < 0 else "$gt": after[0]}}] if after else []
        return await c["media"].all({"$and": [*match["$and"], *bound]}, order.by, limit)
    if await c["media"].count(match, FEW + 1) <= FEW:
        return await c["media"].all({"$and": [*match["$and"], *_after(order, after)]}, order.by, limit)
    return await _along(c, order, match, after, limit)


async def _along(c: Connection, order: _Order, match: Document, after: Place | None, limit: int) -> list[Document]:
    """Walk the order's index from a place on: its bounds compare both fields as one, where a condition could not."""
    index = f"by_{order.field}"
    if after is None:
        return await c["media"].all(match, order.by, limit, index=index)
    bound = list(zip((order.field or "", "seq"), (after[0], after[1] + (order.direction > 0)), strict=True))
    if order.direction > 0:
        return await c["media"].all(match, order.by, limit, index=index, min=bound)
    return await c["media"].all(match, order.by, limit, index=index, max=bound)


def _after(order: _Order, after: Place | None) -> list[Document]:
    if after is None or order.field is None:
        return []
    beyond = "$lt" if order.direction < 0 else "$gt"
    return [{"$or": [{order.field: {beyond: after[0]}}, {order.field: after[0], "seq": {beyond: after[1]}}]}]


def _any(forms: tuple[str, ...], terms: list[str]) -> Any:
    values = [_whole(form + term) for form in forms for term in terms]
    return values[0] if len(values) == 1 else {"$in": values}


def _beginning(start: str) -> Document:
    return {"$elemMatch": {"$gte": _whole(start), "$lt": _whole(start) + LAST}}


def _whole(term: str) -> str:
    """A term that BSON can hold: half a surrogate pair, which no item has, is another letter that no item has."""
    return term.encode("utf-8", "replace").decode("utf-8")


def _bounds(query: Query) -> list[Document]:
    bounds = (
        ("created_at", "$gte", query.after),
        ("created_at", "$lt", query.before),
        ("length_s", "$gte", query.longer_s),
        ("length_s", "$lte", query.shorter_s),
    )
    given: list[Document] = [{field: {sign: value}} for field, sign, value in bounds if value is not None]
    only_films = query.longer_s is not None or query.shorter_s is not None
    return [*given, {"facts.duration_s": {"$ne": None}}] if only_films else given
