"""The store that many processes share: one MongoDB database, in collections of our own."""

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pymongo.errors import PyMongoError

import mutoscope.store.mongo.opening as opening
from mutoscope.domain.ids import Clock, Millis
from mutoscope.store.mongo.buckets import MongoBuckets
from mutoscope.store.mongo.collections import MongoCollections
from mutoscope.store.mongo.engine import Engine
from mutoscope.store.mongo.events import MongoEvents
from mutoscope.store.mongo.generations import MongoGenerations
from mutoscope.store.mongo.hooks import MongoHooks
from mutoscope.store.mongo.invites import MongoInvites
from mutoscope.store.mongo.keys import MongoKeys
from mutoscope.store.mongo.ledger import MongoLedger
from mutoscope.store.mongo.likes import MongoLikes
from mutoscope.store.mongo.media import MongoMedia
from mutoscope.store.mongo.models import MongoModels
from mutoscope.store.mongo.people import MongoPeople
from mutoscope.store.mongo.portable import copy_to, load, refuse_half
from mutoscope.store.mongo.refusals import unavailable
from mutoscope.store.mongo.schema import migrate, version_of
from mutoscope.store.mongo.shares import MongoShares
from mutoscope.store.mongo.stats import MongoStats
from mutoscope.store.mongo.tail import Tail
from mutoscope.store.mongo.unlocks import MongoUnlocks
from mutoscope.store.mongo.views import MongoViews
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
from mutoscope.store.portable import Copies, Row


class MongoStore:
    """The store port over one database."""

    def __init__(self, engine: Engine, about: str, copies: Copies) -> None:
        self._engine, self._about, self._copies = engine, about, copies
        self._tail = Tail(engine)
        self.generations: Generations = MongoGenerations(engine)
        self.ledger: Ledger = MongoLedger(engine)
        self.media: MediaStore = MongoMedia(engine)
        self.unlocks: Unlocks = MongoUnlocks(engine)
        self.views: ViewsStore = MongoViews(engine)
        self.likes: LikesStore = MongoLikes(engine)
        self.collections: CollectionsStore = MongoCollections(engine)
        self.people: People = MongoPeople(engine)
        self.invites: InvitesStore = MongoInvites(engine)
        self.keys: KeysStore = MongoKeys(engine)
        self.shares: SharesStore = MongoShares(engine)
        self.buckets: Buckets = MongoBuckets(engine)
        self.models: ModelsStore = MongoModels(engine)
        self.hooks: HooksStore = MongoHooks(engine)
        self.events: Events = MongoEvents(engine, self._tail)
        self.stats: Stats = MongoStats(engine)

    async def open(self) -> None:
        """Begin to hear what happens."""
        await self._tail.start()

    def revision(self) -> int | None:
        return None  # others write too

    async def ping(self) -> None:
        await self._engine.read(lambda c: c["counters"].one({}))

    async def check(self) -> str:
        probe = {"_id": f"check:{secrets.token_hex(8)}"}
        await self._engine.step(lambda c: c["counters"].insert(dict(probe)))
        if await self._engine.step(lambda c: c["counters"].taken(probe)) is None:
            raise StoreUnavailable("MongoDB took a document and did not give it back.")
        return f"{self._about}, database {self._engine.database.name}, schema {await version_of(self._engine.database)}"

    async def time(self) -> Millis | None:
        return await self._engine.server_time()

    async def backup(self, target: Path) -> None:
        async with self._copies.create(target) as writer:
            await self._engine.look(lambda c: copy_to(c, writer))

    async def close(self) -> None:
        if not self._engine.closed:
            self._engine.closed = True  # nothing new begins
            await self._tail.close()
            await self._engine.close()


async def open_mongo(uri: str, clock: Clock, copies: Copies) -> Store:
    """The store in the database that ``uri`` names (``mutoscope`` when it names none); backups become ``copies``.

    Raises StoreUnavailable when it cannot be reached or used; the words say what to do and hold no secret.
    """
    async with _engine(uri, clock) as (engine, about):
        await refuse_half(engine)
        store = MongoStore(engine, about, copies)
        await store.open()
    return store


async def load_mongo(
    uri: str, clock: Clock, pages: Iterable[Sequence[Row]], finish: Callable[[], Awaitable[None]]
) -> None:
    """Fill an empty database from a backup, and await ``finish`` before it may be opened; run again, it begins anew.

    Raises StoreUnavailable, also when the database is not empty, and what ``finish`` raises.
    """
    async with _engine(uri, clock) as (engine, _):
        await load(engine, pages, finish)
    await engine.close()


@asynccontextmanager
async def _engine(uri: str, clock: Clock) -> AsyncGenerator[tuple[Engine, str]]:
    """A way to a database of this schema, closed again when something fails."""
    client = opening.client_for(uri)
    try:
        about = await opening.check(client)
        engine = Engine(client, opening.database_of(client), clock)
        await migrate(engine.database)
        yield engine, about
    except PyMongoError as error:
        await client.close()
        raise unavailable(error) from error
    except BaseException:
        await client.close()
        raise
