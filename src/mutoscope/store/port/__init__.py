"""What a store can do: operations that are atomic by name. There are no sessions and no half steps.

Every operation either happened whole and durably when it returns, or raised and changed nothing. Money moves in the
same commit as what it pays for. Each operation that changes something people see also appends its events in that commit.
A backend that cannot be reached, is full, or broke raises `StoreUnavailable`; other exceptions are named at the operation.
"""

from pathlib import Path
from typing import Protocol

from mutoscope.domain.ids import Millis
from mutoscope.store.port.basics import Page, StoreUnavailable
from mutoscope.store.port.collections import CollectionsStore
from mutoscope.store.port.counting import LikesStore, ViewsStore
from mutoscope.store.port.generations import NOTHING, GenerationFilter, Generations, Limits, Patch
from mutoscope.store.port.media import Blur, MediaStore
from mutoscope.store.port.money import Ledger, Unlocks
from mutoscope.store.port.people import Buckets, InvitesStore, KeysStore, People
from mutoscope.store.port.providers import HooksStore, ModelsStore
from mutoscope.store.port.shares import SharesStore
from mutoscope.store.port.watching import Events, Stats, Totals

__all__ = [
    "NOTHING",
    "Blur",
    "Buckets",
    "CollectionsStore",
    "Events",
    "GenerationFilter",
    "Generations",
    "HooksStore",
    "InvitesStore",
    "KeysStore",
    "Ledger",
    "LikesStore",
    "Limits",
    "MediaStore",
    "ModelsStore",
    "Page",
    "Patch",
    "People",
    "SharesStore",
    "Stats",
    "Store",
    "StoreUnavailable",
    "Totals",
    "Unlocks",
    "ViewsStore",
]


class Store(Protocol):
    """All groups of one backend."""

    generations: Generations
    ledger: Ledger
    media: MediaStore
    unlocks: Unlocks
    views: ViewsStore
    likes: LikesStore
    collections: CollectionsStore
    people: People
    keys: KeysStore
    invites: InvitesStore
    shares: SharesStore
    buckets: Buckets
    models: ModelsStore
    hooks: HooksStore
    events: Events
    stats: Stats

    def revision(self) -> int | None:
        """A number for all that can be read now. While it stays the same, what was read after asking for it is exact.

        None: not known now (a commit is under way, or other processes write too), so nothing that was read may be kept.
        """
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable unless the store answers."""
        ...

    async def check(self) -> str:
        """Write something that nobody sees, read it back as a later reader would, and take it away.

        Returns what the database is in a few words without secrets, such as "SQLite 3.40.1, file mutoscope.db, 12.0 MB,
        schema 2". Writes no events. Raises StoreUnavailable, with what to do about it where that is known.
        """
        ...

    async def time(self) -> Millis | None:
        """What time the database has, to be compared with this machine's; None where it lives by this machine's clock.

        Raises StoreUnavailable.
        """
        ...

    async def backup(self, target: Path) -> None:
        """Write a consistent copy of everything to a new file, while work goes on. Raises FileExistsError."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of everything. Later calls raise StoreUnavailable."""
        ...
