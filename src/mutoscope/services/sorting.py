"""Lists that are short enough to be sorted here: a person's collections, and the items of one as a viewer sees them.

A cursor says after which of the things that were shown a page ended, and how many had been shown: nothing of what was left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

import msgspec

import mutoscope.store.cursors as cursors
from mutoscope.domain.collections import Collection
from mutoscope.domain.media import Media
from mutoscope.domain.rights import Viewer
from mutoscope.services.views import shown_title
from mutoscope.store.port import Page

ListSort = Literal["updated", "created", "title"]
ItemSort = Literal["order", "created", "title", "duration"]
Direction = Literal["asc", "desc"]
GO_UP = frozenset({"order", "title"})
"""What goes up unless it is said; the others begin with the newest or the longest."""


class Named(Protocol):
    """Whatever has an id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)


class Sorting(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is sorted; without a ``direction``, as is usual for it."""

    by: ListSort | ItemSort
    direction: Direction | None = None

    @property
    def down(self) -> bool:
        """Whether it begins with what comes last."""
        return self.direction == "desc" if self.direction else self.by not in GO_UP


BY_HAND = Sorting(by="order")

_LISTS: Mapping[str, Callable[[Collection], Any]] = {
    "updated": lambda one: (one.updated_at, one.id),
    "created": lambda one: (one.created_at, one.id),
    "title": lambda one: (one.title.casefold(), one.id),
}


def sorted_collections(found: Iterable[Collection], sorting: Sorting) -> list[Collection]:
    """Collections in that order."""
    return sorted(found, key=_LISTS[sorting.by], reverse=sorting.down)


def sorted_items(found: Iterable[Media], sorting: Sorting, viewer: Viewer) -> list[Media]:
    """Items in that order; of the same title or length, as they stood before.

    ``viewer`` as `Gallery.knowing` gives them: by the title that they are shown, as the place of another one would tell of it.
    """
    keys: Mapping[str, Callable[[Media], Any]] = {
        "created": lambda item: (item.created_at, item.id),
        "title": lambda item: shown_title(viewer, item).casefold(),
        "duration": lambda item: item.facts.duration_s or 0.0,
    }
    return sorted(found, key=keys[sorting.by], reverse=sorting.down)


def page_of(rows: Sequence[T], sorting: Sorting, cursor: str | None, limit: int) -> tuple[int, Page[T]]:
    """A page of what is shown, and at which place in it the page begins. Raises Invalid for a cursor of another list or sort."""
    start = _start(rows, sorting, cursor) if cursor else 0
    end = min(start + limit, len(rows))
    more = cursors.write(*_name(sorting), rows[end - 1].id, end) if end < len(rows) else None
    return start, Page(items=rows[start:end], next=more)


def _name(sorting: Sorting) -> tuple[str, str]:
    return sorting.by, "desc" if sorting.down else "asc"


def _start(rows: Sequence[Named], sorting: Sorting, cursor: str) -> int:
    by, direction = _name(sorting)
    shape: Any = tuple[Literal[by], Literal[direction], str, cursors.Number]
    _, _, last, count = cursors.read(cursor, shape)
    place = next((place for place, row in enumerate(rows) if row.id == last), None)
    # Where the last one is gone, what came after it has moved up by one.
    return place + 1 if place is not None else max(0, min(count - 1, len(rows)))
