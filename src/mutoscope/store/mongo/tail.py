"""What this process has heard of the stream of events: a change stream over their collection, and its newest part.

A change stream gives what a majority has, in one order for everyone, and goes on after any of its tokens while the
server's log (oplog) reaches back so far: https://www.mongodb.com/docs/manual/changeStreams/. The first thing that is heard
is a mark of our own, so that there is always an event that means "now".
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from bson import ObjectId
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure, PyMongoError

from mutoscope.domain.events import EventKind
from mutoscope.domain.ids import Millis
from mutoscope.store.port import StoreUnavailable

Document = dict[str, Any]

INSERTS: list[Mapping[str, Any]] = [{"$match": {"operationType": "insert"}}]
"""That old events are deleted is no news."""
KEPT = 4_096
"""How many events are remembered; whoever is further behind reads them from the server."""
AWAIT_MS = 1_000
PATIENCE_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

LOST = frozenset({9, 14, 15, 207, 260, 280, 286, 50811, 50816})
"""Codes of a token that leads nowhere: not one of a server's, or of what it no longer has (286, 280, 260)."""


class Heard(msgspec.Struct, frozen=True):
    """An event and its place in the stream. Tokens are hexadecimal and sort as the events came."""

    token: str
    id: ObjectId
    kind: EventKind
    thing: str
    version: int
    audience: str
    public: bool
    at: Millis


def heard(change: Mapping[str, Any]) -> Heard:
    """The event of a change."""
    fields = change["fullDocument"]
    return Heard(change["_id"]["_data"], fields["_id"], *(fields[name] for name in Heard.__struct_fields__[2:]))


def leads_nowhere(error: PyMongoError) -> bool:
    """Whether the server no longer has, or never had, what a token names."""
    return isinstance(error, OperationFailure) and error.code in LOST


class Tail:
    """Follows the stream from its first use until it is stopped, through lost connections and changes of the primary."""

    def __init__(self, events: AsyncCollection[Document], now: Callable[[], Millis]) -> None:
        self._events, self._now = events, now
        self._task: asyncio.Task[None] | None = None
        self._place: Mapping[str, Any] | None = None
        self._life = 0
        """Goes up whenever the stream begins anew; 0 while nothing is heard."""
        self._recent: OrderedDict[ObjectId, Heard] = OrderedDict()
        self._expected: set[ObjectId] = set()
        self._news = asyncio.Event()
        self.stopped = False

    def expecting(self, id: ObjectId) -> Callable[[], None]:
        """What to call when the event, now being written, is committed: from then on readers here wait for it."""
        life = self._life

        def committed() -> None:
            if life and life == self._life and id not in self._recent:
                self._expected.add(id)

        return committed

    async def newest(self) -> Heard:
        """The newest event, after all that this process has committed. Raises StoreUnavailable."""
        await self._caught_up()
        return next(reversed(self._recent.values()))

    def last(self) -> Heard | None:
        """The newest event that was heard so far."""
        return next(reversed(self._recent.values()), None)

    async def after(self, id: ObjectId, token: str) -> list[Heard] | None:
        """What came after that event, as in `newest`; None when it is not among those remembered."""
        await self._caught_up()
        place = self._recent.get(id)
        if place is None or place.token != token:
            return None
        later: list[Heard] = []
        for event in reversed(self._recent.values()):
            if event.id == id:
                break
            later.append(event)
        return later[::-1]

    async def wait(self, timeout_s: float) -> None:
        """Return at the next event, or after the time."""
        self._listen()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_s)

    def forget(self, before: Millis) -> None:
        """Do not remember events older than that; the newest stays."""
        last = self.last()
        for event in [event for event in self._recent.values() if event.at < before and event is not last]:
            del self._recent[event.id]

    async def stop(self) -> None:
        """Hear no more."""
        self.stopped = True
        self._wake()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _caught_up(self) -> None:
        """Wait until what this process has committed was heard. Raises StoreUnavailable."""
        self._listen()
        waiting = set(self._expected)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not self.stopped and (not self._recent or waiting & self._expected):
                    await self._news.wait()
        except TimeoutError:
            raise StoreUnavailable("The stream of events is silent: MongoDB cannot be reached now.") from None
        if self.stopped:
            raise StoreUnavailable("The store is closed.")

    def _listen(self) -> None:
        if self.stopped:
            raise StoreUnavailable("The store is closed.")
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="mutoscope-tail")

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _follow(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            before = self._place
            try:
                async with await self._events.watch(
                    INSERTS, start_after=self._place, max_await_time_ms=AWAIT_MS
                ) as stream:
                    await self._hear_all(stream)
            except PyMongoError as error:
                if leads_nowhere(error):
                    self._begin_anew()
            pause_s = FIRST_PAUSE_S if self._place is not before else min(2 * pause_s, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _hear_all(self, stream: AsyncChangeStream[Document]) -> None:
        if self._place is None:
            self._life += 1
            await self._events.insert_one(document("mark", "", 0, "", self._now(), public=False))
        while stream.alive:
            change = await stream.try_next()
            self._place = stream.resume_token
            if change is not None:
                self._hear(heard(change))

    def _hear(self, event: Heard) -> None:
        self._recent[event.id] = event
        if len(self._recent) > KEPT:
            self._recent.popitem(last=False)
        self._expected.discard(event.id)
        self._wake()

    def _begin_anew(self) -> None:
        """The server no longer has what came next: whoever goes on from before has to read everything again."""
        self._place, self._life = None, self._life + 1
        self._recent.clear()
        self._expected.clear()
        self._wake()


def document(kind: str, thing: str, version: int, audience: str, at: Millis, *, public: bool) -> Document:
    """An event as it is kept."""
    return {
        "_id": ObjectId(),
        "kind": kind,
        "thing": thing,
        "version": version,
        "audience": audience,
        "public": public,
        "at": at,
    }
