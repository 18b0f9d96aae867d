"""The change stream of the events, read once by each process and kept for a while, so that a hundred browsers cost one.

Each process begins with an event of its own that nobody hears, the mark: so there is always a newest event to name.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from bson import ObjectId
from pymongo.asynchronous.change_stream import AsyncCollectionChangeStream
from pymongo.errors import PyMongoError

from mutoscope.domain.events import PUBLIC
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.cancels import heard
from mutoscope.store.mongo.engine import PREFIX, Document, Engine
from mutoscope.store.mongo.refusals import reason, unavailable
from mutoscope.store.port import StoreUnavailable

KEPT = 10_000
"""Events that are kept in memory; what is older is read from the database's log again."""
AWAIT_MS = 1_000
"""How long the server lets us wait for the next event before it says that there is none."""
BEHIND_S = 5.0
"""How long to wait for what this process itself has committed to come back on the stream."""
REREAD_S = 10.0
PAUSE_S = 0.5
GONE = frozenset({260, 280, 286, 136})
"""Error codes of a place that the stream cannot go on from: InvalidResumeToken, ChangeStreamFatalError,
ChangeStreamHistoryLost, CappedPositionLost."""

_INSERTS: Sequence[Mapping[str, Any]] = ({"$match": {"operationType": "insert"}},)
_log = structlog.get_logger()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the stream: its id, and the token to go on after it."""

    id: ObjectId
    token: str


class Seen(Place, frozen=True, kw_only=True):
    """An event as it came. ``kind`` of a mark is "mark", which no audience hears."""

    kind: Any
    thing: str
    version: int
    audience: str
    public: bool
    at: Millis

    def is_for(self, audiences: frozenset[str]) -> bool:
        """Whether one of the audiences hears it."""
        return self.audience in audiences or (self.public and PUBLIC in audiences)


class Tail:
    """Reads the stream in the background, from `start` to `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._events = engine, engine.database[PREFIX + "events"]
        self._seen: list[Seen] = []
        self._at: dict[ObjectId, int] = {}
        self._first = 0
        """The number of the first that is kept, counted from the start."""
        self._anew = False
        """Whether the stream was lost, and what is kept ends with the next event."""
        self._awaited: set[ObjectId] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        engine.committed = self._expect

    @property
    def latest(self) -> Seen:
        """The newest event."""
        return self._seen[-1]

    async def start(self) -> None:
        """Begin to read; returns when the mark has come. Raises PyMongoError, StoreUnavailable."""
        stream = await self._open(None)
        self._task = asyncio.create_task(self._run(stream))
        try:
            await self._mark()
            await self.caught_up()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop reading, and wake whoever waits."""
        while self._task is not None and not self._task.done():
            # The driver can swallow one: see `heard`, which needs an end to what it is around.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.1)
        self._wake()

    def has(self, id: ObjectId) -> bool:
        """Whether that event is kept in memory."""
        return id in self._at

    async def news(self) -> None:
        """Return when there is a newer event."""
        await self._news.wait()

    async def caught_up(self) -> None:
        """Return when everything that this process has committed before has come. Raises StoreUnavailable."""
        until = time.monotonic() + BEHIND_S
        missing = set(self._awaited)
        while missing := missing & self._awaited:
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._news.wait()
            except TimeoutError:
                self._awaited -= missing
                raise StoreUnavailable(
                    "The change stream of MongoDB is behind: look whether the set has a primary."
                ) from None

    async def after(self, place: Place, audiences: frozenset[str], limit: int) -> tuple[Sequence[Seen], Place] | None:
        """What the audiences hear after a place, and the place to go on from. None when the log no longer reaches back."""
        if place.token > self.latest.token:
            return [], place  # another process was faster than ours
        if place.id in self._at:
            return _heard(self._seen[self._at[place.id] - self._first + 1 :], audiences, limit, self.latest)
        try:
            earlier = await self._reread(place, audiences, limit)
        except PyMongoError as error:
            if _is_lost(error):
                return None
            raise unavailable(error) from error
        if len(earlier) == limit:
            return earlier, earlier[-1]
        found, reached = _heard(self._seen, audiences, limit - len(earlier), self.latest)
        return [*earlier, *found], reached

    def forget(self, before: Millis) -> None:
        """Keep nothing older than that, but the newest."""
        keep = next((n for n, seen in enumerate(self._seen) if seen.at >= before), len(self._seen) - 1)
        self._drop(keep)

    async def _reread(self, place: Place, audiences: frozenset[str], limit: int) -> list[Seen]:
        """What came after a place and before what is kept in memory, up to a limit."""
        found: list[Seen] = []
        until = time.monotonic() + REREAD_S
        async with await self._open(place.token) as stream:
            while time.monotonic() < until:
                with heard():
                    change = await stream.try_next()
                if change is None:
                    continue
                if change["documentKey"]["_id"] in self._at:
                    return found
                seen = _from_change(change)
                if seen.is_for(audiences):
                    found.append(seen)
                    if len(found) == limit:
                        return found
        raise StoreUnavailable("MongoDB did not read its log back in time; try again.")

    async def _run(self, stream: AsyncCollectionChangeStream[Document]) -> None:
        while True:
            try:
                async with stream:
                    async for change in stream:
                        self._hear(_from_change(change))
            except PyMongoError as error:
                _log.warning("the change stream broke", reason=reason(error))
                stream = await self._open_again(error)
            else:
                stream = await self._open_again(None)  # somebody dropped the collection

    async def _open_again(self, error: PyMongoError | None) -> AsyncCollectionChangeStream[Document]:
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                if error is not None and not _is_lost(error) and self._seen:
                    return await self._open(self.latest.token)
                return await self._open_from_now()
            except PyMongoError as another:
                error = another
            except StoreUnavailable:
                continue

    async def _open_from_now(self) -> AsyncCollectionChangeStream[Document]:
        """The log does not reach back to what we saw last: everybody reads again, from a new mark on."""
        stream = await self._open(None)
        self._anew = True
        self._awaited.clear()
        try:
            await self._mark()
        except BaseException:
            await stream.close()
            raise
        return stream

    async def _open(self, token: str | None) -> AsyncCollectionChangeStream[Document]:
        after = {"_data": token} if token else None
        return await self._events.watch(list(_INSERTS), resume_after=after, max_await_time_ms=AWAIT_MS)

    async def _mark(self) -> None:
        id = ObjectId()
        mark = {
            "_id": id, "kind": "mark", "thing": "", "version": 0, "audience": "", "public": False,
            "at": self._engine.clock.now(),
        }  # fmt: skip
        await self._engine.step(lambda c: c["events"].insert(mark))
        self._expect([id])

    def _expect(self, ids: Sequence[ObjectId]) -> None:
        self._awaited.update(id for id in ids if id not in self._at)

    def _hear(self, seen: Seen) -> None:
        if self._anew:
            self._anew = False
            self._drop(len(self._seen))
        self._at[seen.id] = self._first + len(self._seen)
        self._seen.append(seen)
        self._awaited.discard(seen.id)
        if len(self._seen) > 2 * KEPT:
            self._drop(KEPT)
        self._wake()

    def _drop(self, count: int) -> None:
        for seen in self._seen[:count]:
            del self._at[seen.id]
        del self._seen[:count]
        self._first += count

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _heard(later: Iterable[Seen], audiences: frozenset[str], limit: int, latest: Place) -> tuple[Sequence[Seen], Place]:
    found: list[Seen] = []
    for seen in later:
        if seen.is_for(audiences):
            found.append(seen)
            if len(found) == limit:
                return found, seen
    return found, latest


def _from_change(change: Mapping[str, Any]) -> Seen:
    document = change["fullDocument"]
    return Seen(
        id=document["_id"],
        token=change["_id"]["_data"],
        kind=document["kind"],
        thing=document["thing"],
        version=int(document["version"]),
        audience=document["audience"],
        public=document["public"],
        at=int(document["at"]),
    )


def _is_lost(error: PyMongoError) -> bool:
    return getattr(error, "code", None) in GONE or error.has_error_label("NonResumableChangeStreamError")
