"""Transactions that are tried again when they met another, reads from the primary, and one stream of what was committed.

A piece of work is a function of a `Connection`. `write` runs it in a transaction; what it raises undoes it. `read` runs
it without one, on what a majority has; `look` on one snapshot of everything. `step` is for a change of one document,
which needs no transaction.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC
from typing import Any, TypeVar

import pymongo
import structlog
from bson import ObjectId
from pymongo import AsyncMongoClient, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from mutoscope.domain.ids import Clock, Millis
from mutoscope.store.mongo.cancels import heard
from mutoscope.store.mongo.orphans import STILL_S, end_orphans
from mutoscope.store.mongo.refusals import unavailable
from mutoscope.store.port import StoreUnavailable

T = TypeVar("T")
Document = dict[str, Any]
Filter = Mapping[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Sort = Sequence[tuple[str, int]]

PREFIX = "mutoscope_"
"""What the names of our collections begin with: the database may belong to a running site."""

MAJORITY = WriteConcern(w="majority")
PRIMARY = ReadPreference.PRIMARY
PATIENCE_S = 15.0
"""How long a transaction is tried again: a replica set has a new primary before that."""
UNDO_S = 2.0
"""How long to try to tell the server that a transaction is over."""
LOOK_S = 600.0
"""How long one command of a look at everything may take."""
PAUSE_S = 0.004, 0.25
"""The first pause before a transaction is tried again, and the longest; each is twice the one before, with jitter."""
DUPLICATES = 5
"""How often a key that another transaction has just taken is a reason to look again."""
TAKEN, CONFLICT = 11000, 112
"""Error codes DuplicateKey and WriteConflict."""
CLOSED = "The store is closed."

_log = structlog.get_logger()


class Collection:
    """One of our collections, as a session sees it."""

    def __init__(self, collection: AsyncCollection[Document], session: AsyncClientSession | None) -> None:
        self._collection, self._session = collection, session

    async def one(
        self, filter: Filter, sort: Sort | None = None, fields: Sequence[str] | None = None
    ) -> Document | None:
        """The first document that fits."""
        return await self._collection.find_one(filter, fields, sort=sort, session=self._session)

    async def all(
        self,
        filter: Filter,
        sort: Sort | None = None,
        limit: int = 0,
        fields: Sequence[str] | None = None,
        index: str | None = None,
        min: Sort | None = None,
        max: Sort | None = None,
    ) -> list[Document]:
        """The documents that fit; with ``index``, walked along it, from ``min`` (with it) to ``max`` (without it)."""
        found = self._collection.find(filter, fields, sort=sort, limit=limit, hint=index, session=self._session)
        # By these methods: as arguments of `find` the driver sends them in a form that the server refuses.
        found = found.min(min) if min else found
        return await (found.max(max) if max else found).to_list()

    async def aggregate(self, *stages: Filter) -> list[Document]:
        """What a pipeline gives."""
        cursor = await self._collection.aggregate(list(stages), session=self._session, allowDiskUse=True)
        return await cursor.to_list()

    async def count(self, filter: Filter, limit: int) -> int:
        """How many fit, counted up to ``limit``."""
        return await self._collection.count_documents(filter, limit=limit, session=self._session)

    async def insert(self, *documents: Document) -> None:
        """Add documents. In a transaction a key that is taken spoils all of it: look first."""
        if documents:
            await self._collection.insert_many(documents, session=self._session)

    async def update(self, filter: Filter, change: Change, upsert: bool = False) -> bool:
        """Change one document; whether there was one."""
        result = await self._collection.update_one(filter, change, upsert=upsert, session=self._session)
        return result.matched_count == 1

    async def changed(
        self, filter: Filter, change: Change, sort: Sort | None = None, upsert: bool = False
    ) -> Document | None:
        """Change one document; what it is then."""
        return await self._collection.find_one_and_update(
            filter, change, sort=sort, upsert=upsert, return_document=ReturnDocument.AFTER, session=self._session
        )

    async def taken(self, filter: Filter) -> Document | None:
        """Take one document away; what it was."""
        return await self._collection.find_one_and_delete(filter, session=self._session)

    async def delete(self, filter: Filter) -> None:
        """Take away all that fit."""
        await self._collection.delete_many(filter, session=self._session)


class Connection:
    """What a piece of work gets. ``told`` are the ids of the events that it appended."""

    def __init__(self, database: AsyncDatabase[Document], session: AsyncClientSession | None = None) -> None:
        self._database, self._session = database, session
        self.told: list[ObjectId] = []

    def __getitem__(self, name: str) -> Collection:
        return Collection(self._database[PREFIX + name], self._session)


Work = Callable[[Connection], Awaitable[T]]


class Engine:
    """One process's way to the database."""

    def __init__(self, client: AsyncMongoClient[Document], database: str, clock: Clock) -> None:
        self.client, self.clock = client, clock
        # Whatever the address says: what was written here is read here, and transactions are for the primary alone.
        self.database = client.get_database(
            database, read_preference=PRIMARY, write_concern=MAJORITY, read_concern=ReadConcern("majority")
        )
        self.committed: Callable[[Sequence[ObjectId]], None] = lambda _: None
        """Told the events of each commit of this process."""
        self.closed = False
        self._line = asyncio.Lock()
        """Who met another goes on one at a time: many that try again at once slow down the one that they wait for."""
        self._looked_at = -STILL_S
        self._begun = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction until it is committed by a majority. What it raises undoes it."""
        tries = _Tries()
        with self._in_words():
            # One session for all tries: by the next one in it, the server knows that the last is over, even if the word
            # to undo it was lost. It would hold what it has changed for a minute, against us as well.
            async with self.client.start_session() as session:
                while True:
                    try:
                        async with self._line if tries.met_another else nullcontext():
                            return await self._once(session, work, tries.until)
                    except PyMongoError as error:
                        if not tries.again(error):
                            raise
                    await self._pass_the_dead(tries)
                    await tries.pause()

    async def read(self, work: Work[T]) -> T:
        """Run ``work``, which only reads, on what a majority has."""
        with self._in_words():
            return await work(Connection(self.database))

    async def step(self, work: Work[T]) -> T:
        """Run ``work``, which changes one document in one operation and needs no transaction for it."""
        return await self.read(work)

    async def look(self, work: Work[T]) -> T:
        """Run ``work``, which only reads, on one snapshot of everything. The server keeps one for five minutes
        (``minSnapshotHistoryWindowInSeconds``)."""
        with self._in_words(), pymongo.timeout(LOOK_S):
            async with self.client.start_session(snapshot=True) as session:
                # A snapshot session gives the read concern itself, and wants no other beside it.
                return await work(Connection(self.database.with_options(read_concern=ReadConcern()), session))

    async def server_time(self) -> Millis:
        """What time the server has."""
        with self._in_words():
            hello = await self.client.admin.command("hello")
            return round(hello["localTime"].replace(tzinfo=UTC).timestamp() * 1000)

    async def close(self) -> None:
        """Finish what was begun, and let go of the connections."""
        self.closed = True
        await self._idle.wait()
        await self.client.close()

    async def _once(self, session: AsyncClientSession, work: Work[T], until: float) -> T:
        connection = Connection(self.database, session)
        await session.start_transaction(ReadConcern("snapshot"), MAJORITY, PRIMARY)
        try:
            result = await work(connection)
        except BaseException:
            with suppress(PyMongoError), pymongo.timeout(UNDO_S):
                await session.abort_transaction()
            raise
        await _commit(session, until)
        self.committed(connection.told)
        return result

    async def _pass_the_dead(self, tries: "_Tries") -> None:
        """Who has met another for long looks whether that one is dead; one look for all of this process."""
        now = time.monotonic()
        if tries.met_another and now > max(tries.begun, self._looked_at) + STILL_S:
            self._looked_at = now
            if ended := await end_orphans(self.client):
                _log.warning("ended transactions of processes that are gone", count=ended)

    @contextmanager
    def _in_words(self) -> Generator[None]:
        if self.closed:
            raise StoreUnavailable(CLOSED)
        self._begun += 1
        self._idle.clear()
        try:
            with heard():
                yield
        except PyMongoError as error:
            raise unavailable(error) from error
        finally:
            self._begun -= 1
            if not self._begun:
                self._idle.set()


class _Tries:
    """Whether to try again, and how long to wait before it. ``begun`` is a moment of the monotonic clock."""

    def __init__(self) -> None:
        self.begun, self.met_another = time.monotonic(), False
        self._made, self._pause_s, self._duplicates = 0, PAUSE_S[0], 0

    @property
    def until(self) -> float:
        """When patience ends."""
        return self.begun + PATIENCE_S

    def again(self, error: PyMongoError) -> bool:
        self._made += 1
        # Silence alone can use up all patience: then one more try finds out whether the server answers again.
        if self._made > 1 and time.monotonic() > self.until:
            return False
        code = getattr(error, "code", None)
        self.met_another = code in (TAKEN, CONFLICT)
        if code == TAKEN:
            # Somebody took the key after this transaction's snapshot was made: the next one sees it.
            self._duplicates += 1
            return self._duplicates <= DUPLICATES
        return error.has_error_label("TransientTransactionError")

    async def pause(self) -> None:
        await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter is no secret
        self._pause_s = min(2 * self._pause_s, PAUSE_S[1])


async def _commit(session: AsyncClientSession, until: float) -> None:
    """Commit, and ask again while nobody can say whether it was: that is the same commit, however often it is sent."""
    while True:
        try:
            return await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or time.monotonic() > until:
                raise
        await asyncio.sleep(PAUSE_S[1])
