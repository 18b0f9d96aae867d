"""Collections: named, ordered sets of items that a person makes. Taking an item in or out changes nothing of the item.

Who sees what of one is decided by `shows`, for each item anew: a collection opens no item to anybody.
"""

from collections.abc import Collection as Group
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import structs

from mutoscope.domain.errors import Conflict, Invalid, NotFound
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import DESCRIPTION_CHARS, TITLE_CHARS, Media, Visibility
from mutoscope.domain.rights import Viewer
from mutoscope.domain.text import is_blank, wrong_in_line, wrong_in_text

COLLECTIONS_OF_ONE = 200
"""How many a person may have."""
ITEMS_OF_ONE = 1_000
"""How many items a collection may have."""


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """One collection, without its items. ``cover_id`` is one of them; None: the first that can be shown."""

    id: str
    owner_id: str
    title: str
    created_at: Millis
    updated_at: Millis
    description: str = ""
    visibility: Visibility = Visibility.PRIVATE
    cover_id: str | None = None
    version: int = 1


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a collection, as far as it decides who sees it there."""

    id: str
    owner_id: str
    visibility: Visibility
    hidden: bool
    trashed_at: Millis | None


class Add(msgspec.Struct, frozen=True):
    """Take items in at the end, in that order; those that are there stay where they are."""

    ids: tuple[str, ...]


class Remove(msgspec.Struct, frozen=True):
    """Take items out; those that are not there are ignored."""

    ids: tuple[str, ...]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Put one item right before another one, or right after it."""

    id: str
    beside: str
    after: bool


class Arrange(msgspec.Struct, frozen=True):
    """Bring items into that order. One that is not named stays behind whatever it stood behind."""

    ids: tuple[str, ...]


Step = Add | Remove | Move | Arrange


def may_know(viewer: Viewer, collection: Collection) -> bool:
    """Whether the viewer may know of it."""
    return may_change(viewer, collection) or collection.visibility is not Visibility.PRIVATE


def may_change(viewer: Viewer, collection: Collection) -> bool:
    """Whether the viewer may change or delete it."""
    return viewer.is_admin or viewer.person_id == collection.owner_id


def shows(viewer: Viewer, item: Held | Media, lender_id: str | None = None) -> bool:
    """Whether an item is shown in a collection, to a viewer with what they have unlocked. What it is shown without while it is
    locked is decided elsewhere.

    Stricter than `rights.allowed`: what is in the trash is gone for its owner too, and what is unlisted is on no list of
    other people's. ``lender_id``: whoever showed the viewer the collection, and with it what they own of it.
    """
    if item.trashed_at is not None:
        return False
    if viewer.is_admin or viewer.person_id == item.owner_id:
        return True
    if item.hidden:
        return False
    return item.visibility is Visibility.PUBLIC or item.owner_id == lender_id or item.id in viewer.unlocked


def check_words(title: str, description: str) -> tuple[str, str]:
    """Both as they are kept. Raises Invalid, naming the field."""
    title, description = title.strip(), "" if is_blank(description) else description.strip()
    fits = not is_blank(title) and len(title) <= TITLE_CHARS
    wrong = {"title": wrong_in_line(title) if fits else f"1 to {TITLE_CHARS} characters"}
    fits = len(description) <= DESCRIPTION_CHARS
    wrong["description"] = wrong_in_text(description) if fits else f"at most {DESCRIPTION_CHARS} characters"
    if fields := {name: text for name, text in wrong.items() if text}:
        raise Invalid("The collection cannot be called or described like this.", fields)
    return title, description


def check_version(collection: Collection, expected: int | None) -> None:
    """Raises Conflict when it is not at the version that somebody saw."""
    if expected not in (None, collection.version):
        raise Conflict("This collection was changed meanwhile. Load it again.", version=collection.version)


def rearranged(
    collection: Collection, order: Sequence[str], step: Step, known: Group[str], now: Millis
) -> tuple[Collection, tuple[str, ...]]:
    """The collection and its order after a step, at the next version; as they were when the step changes nothing.

    ``known``: which items there are at all, of the order and of those to take in; others leave, or do not come. Raises
    Invalid, NotFound, Conflict.
    """
    before = tuple(id for id in order if id in known)
    after = _stepped(before, step, known)
    if after == before:
        return collection, tuple(order)
    cover_id = collection.cover_id if collection.cover_id in after else None
    return structs.replace(collection, cover_id=cover_id, version=collection.version + 1, updated_at=now), after


def _stepped(order: tuple[str, ...], step: Step, known: Group[str]) -> tuple[str, ...]:
    match step:
        case Add(ids):
            return _added(order, (id for id in ids if id in known))
        case Remove(ids):
            return tuple(id for id in order if id not in set(ids))
        case Move():
            return _moved(order, step)
        case Arrange(ids):
            return _arranged(order, ids)


def _added(order: tuple[str, ...], ids: Iterable[str]) -> tuple[str, ...]:
    after = tuple(dict.fromkeys((*order, *ids)))
    if len(after) > max(ITEMS_OF_ONE, len(order)):
        raise Conflict(f"A collection may have {ITEMS_OF_ONE:,} items. Take some out, or make another one.")
    return after


def _moved(order: tuple[str, ...], move: Move) -> tuple[str, ...]:
    if move.id not in order:
        raise NotFound("There is no such item in this collection.")
    if move.beside not in order:
        raise Invalid("There is no such place.", {"after" if move.after else "before": "is not in this collection"})
    if move.beside == move.id:
        return order
    others = [id for id in order if id != move.id]
    others.insert(others.index(move.beside) + move.after, move.id)
    return tuple(others)


def _arranged(order: tuple[str, ...], ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(ids)) < len(ids):
        raise Invalid("The items cannot be ordered like this.", {"ids": "name each once"})
    if not set(ids) <= set(order):
        raise Invalid("The items cannot be ordered like this.", {"ids": "names one that is not in this collection"})
    behind: dict[str | None, list[str]] = {None: [], **{id: [id] for id in ids}}
    leader: str | None = None
    for id in order:
        if id in behind:
            leader = id
        else:
            behind[leader].append(id)
    return tuple(id for leader in (None, *ids) for id in behind[leader])
