"""The embedded store: one SQLite file in the data folder, owned by one process."""

import asyncio
import sqlite3
from pathlib import Path

import mutoscope.store.sqlite.claims as claims
import mutoscope.store.sqlite.events as events
import mutoscope.store.sqlite.views as views
from mutoscope.domain.ids import Clock, Millis
from mutoscope.store.port import (
    Buckets,
    CollectionsStore,
    Events,
    Generations,
    HooksStore,
    InvitesStore,
    KeysStore,
    Ledger,
    LikesStore,
    MediaStore,
    ModelsStore,
    People,
    SharesStore,
    Stats,
    Store,
    StoreUnavailable,
    Unlocks,
    ViewsStore,
)
from mutoscope.store.sqlite.buckets import MemoryBuckets
from mutoscope.store.sqlite.checking import check
from mutoscope.store.sqlite.collections import SqliteCollections
from mutoscope.store.sqlite.copying import back_up
from mutoscope.store.sqlite.engine import Engine
from mutoscope.store.sqlite.events import SqliteEvents
from mutoscope.store.sqlite.generations import SqliteGenerations
from mutoscope.store.sqlite.hooks import SqliteHooks
from mutoscope.store.sqlite.invites import SqliteInvites
from mutoscope.store.sqlite.keys import SqliteKeys
from mutoscope.store.sqlite.ledger import SqliteLedger
from mutoscope.store.sqlite.likes import SqliteLikes
from mutoscope.store.sqlite.media import SqliteMedia
from mutoscope.store.sqlite.models import SqliteModels
from mutoscope.store.sqlite.people import SqlitePeople
from mutoscope.store.sqlite.shares import SqliteShares
from mutoscope.store.sqlite.stats import SqliteStats
from mutoscope.store.sqlite.unlocks import SqliteUnlocks
from mutoscope.store.sqlite.views import SqliteViews


class SqliteStore:
    """The store port over one data file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stream = SqliteEvents(engine)
        self.generations: Generations = SqliteGenerations(engine)
        self.ledger: Ledger = SqliteLedger(engine)
        self.media: MediaStore = SqliteMedia(engine)
        self.unlocks: Unlocks = SqliteUnlocks(engine)
        self.views: ViewsStore = SqliteViews(engine)
        self.likes: LikesStore = SqliteLikes(engine)
        self.collections: CollectionsStore = SqliteCollections(engine)
        self.people: People = SqlitePeople(engine)
        self.invites: InvitesStore = SqliteInvites(engine)
        self.keys: KeysStore = SqliteKeys(engine)
        self.shares: SharesStore = SqliteShares(engine)
        self.buckets: Buckets = MemoryBuckets(engine)
        self.models: ModelsStore = SqliteModels(engine)
        self.hooks: HooksStore = SqliteHooks(engine)
        self.events: Events = self._stream
        self.stats: Stats = SqliteStats(engine)

    async def open(self) -> None:
        """Start writing, and end the leases of processes that are gone."""
        self._engine.start(events.latest, self._stream.tell)
        await self._engine.write(lambda c: claims.void_leases(c, self._engine.clock.now()))

    def revision(self) -> int | None:
        return self._engine.revision()

    async def ping(self) -> None:
        await self._engine.read(events.latest)

    async def check(self) -> str:
        return await check(self._engine)

    async def time(self) -> Millis | None:
        await self.ping()
        return None

    async def backup(self, target: Path) -> None:
        await self._engine.read(lambda c: back_up(c, target, views.forget_all))

    async def close(self) -> None:
        self._stream.wake()
        await self._engine.close()


async def open_sqlite(path: Path, clock: Clock) -> Store:
    """The store in the file at ``path``, made when it is not there.

    Raises StoreUnavailable when another process owns the file, or it cannot be opened or brought to this schema.
    """
    try:
        store = SqliteStore(await asyncio.to_thread(Engine, path, clock))
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"The data file {path} cannot be opened: {error}.") from error
    await store.open()
    return store
