"""What a store holds, row by row and without its database: how a backup is written and one database moved to another.

Events and the calls of providers are left out: whoever listens reads everything again. So is who looked at what, which
nobody is to know after the day. Search terms, and which items wait for blurred files, are made anew from the items.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from mutoscope.domain.catalogue import Retired
from mutoscope.domain.collections import Collection
from mutoscope.domain.counting import Like
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import Millis
from mutoscope.domain.invites import Invite
from mutoscope.domain.keys import ApiKey
from mutoscope.domain.ledger import Entry, EntryKind, Hold
from mutoscope.domain.media import Media
from mutoscope.domain.people import OneTimeLink, Person, Session
from mutoscope.domain.sharing import ShareLink
from mutoscope.domain.unlocking import Unlock


class IdempotencyKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a job was ordered with."""

    owner_id: str
    key: str
    body_hash: str
    generation_id: str
    created_at: Millis


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a person's statement: ``number`` grows with each, and (kind, reference) is its entry."""

    person_id: str
    number: int
    kind: EntryKind
    reference: str
    available_after: int


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person's cached balances. ``version`` counts their changes; no line has a number above ``lines``."""

    person_id: str
    available: int
    held: int
    version: int
    lines: int


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item, and when its previews are due."""

    media: Media
    previews_due_at: Millis


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A collection, and its items in order."""

    collection: Collection
    media_ids: tuple[str, ...]


Row = (
    Person
    | Session
    | OneTimeLink
    | Generation
    | IdempotencyKey
    | Entry
    | Line
    | Account
    | Hold
    | Item
    | Unlock
    | Like
    | Retired
    | ApiKey
    | Invite
    | ShareLink
    | Filled
)
ORDER: tuple[type[Row], ...] = (
    Person, Session, OneTimeLink, Generation, IdempotencyKey, Entry, Line, Account, Hold, Item,
    Unlock, Like, Retired, ApiKey, Invite, ShareLink, Filled,
)  # fmt: skip
"""In this order: what a row names comes before it."""
PAGE = 500
"""Rows that are handed on at once."""


class Writer(Protocol):
    """Takes the rows of a copy."""

    async def add(self, rows: Sequence[Row]) -> None:
        """Rows of one kind."""
        ...


class Copies(Protocol):
    """Makes a copy in a file."""

    def create(self, target: Path) -> AbstractAsyncContextManager[Writer]:
        """A new file, whole and on the disk when the context ends well and away when it does not.

        Raises FileExistsError, StoreUnavailable when it cannot be written.
        """
        ...
