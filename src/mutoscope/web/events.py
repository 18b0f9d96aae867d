"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): what changed, as it changes.

An event names a thing and its version; whoever is interested asks for it, and gets what they have the right to. A client
that comes back sends the id of the last event it saw and misses nothing; when that is too long ago, it is told to read
everything again (``resync``).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from typing import Annotated

import msgspec
import structlog
from litestar import get
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from mutoscope.domain.errors import SignInNeeded, TooMany
from mutoscope.domain.events import PUBLIC, to_person
from mutoscope.domain.people import Person
from mutoscope.services.studio import Studio
from mutoscope.store.port import StoreUnavailable
from mutoscope.web.security import Asked, Caller, identify, studio_of
from mutoscope.web.streaming import ByteStream

log = structlog.get_logger("mutoscope.web")

HEARTBEAT_S = 15.0
RETRY_MS = 2_000
BATCH = 200
PER_CALLER = 20
"""Streams that one person, or one address of a stranger, may have open."""
IN_ALL = 5_000
CURSOR_CHARS = 200

LastEventId = Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=CURSOR_CHARS)]
After = Annotated[
    str | None, QueryParameter(max_length=CURSOR_CHARS, description="as Last-Event-ID, for clients that cannot set it")
]


class Streams:
    """The streams that are open. ``close`` ends them all, so that the server can stop."""

    def __init__(self, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.heartbeat_s = heartbeat_s
        self.ending = asyncio.Event()
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    def close(self) -> None:
        """End every stream; clients come back when the server does."""
        self.ending.set()

    def check(self, caller: str) -> None:
        """Raises TooMany when the caller, or everybody, has enough of them."""
        if self._open[caller] >= PER_CALLER or len(self) >= IN_ALL:
            raise TooMany("Too many event streams are open. Close some pages of this studio.")

    @contextmanager
    def one(self, caller: str) -> Generator[None]:
        """Counts a stream while it is open."""
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


class _Stream(ByteStream):
    """A stream that is counted while it is open."""

    def __init__(self, streams: Streams, caller: str, chunks: AsyncGenerator[bytes, None]) -> None:
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        super().__init__(200, headers, chunks, streams.ending)
        self._streams, self._caller = streams, caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.one(self._caller):
            await super().__call__(scope, receive, send)


@get("/api/events", include_in_schema=False)
async def events(request: Asked, last_event_id: LastEventId = None, after: After = None) -> ASGIApp:
    """Changes as they happen: ``generation``, ``media``, ``tokens``, ``model``, ``collection``, each with id and version; ``resync``; ``hello``."""
    studio, person = studio_of(request), request.user
    if person is None and not studio.policy.gallery_open:
        raise SignInNeeded("Sign in to follow what happens here.")
    streams: Streams = request.app.state.streams
    client = request.scope.get("client")
    caller = person.id if person else f"address {client[0] if client else ''}"
    streams.check(caller)
    return _Stream(streams, caller, _tell(studio, request.auth, last_event_id or after, streams.heartbeat_s))


async def _tell(studio: Studio, caller: Caller, cursor: str | None, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    try:
        place = cursor or await studio.events.head()
        yield f"retry: {RETRY_MS}\n\n".encode()
        if cursor is None:
            yield _event("hello", place, {})
        async with aclosing(_follow(studio, caller, place, heartbeat_s)) as chunks:
            async for chunk in chunks:
                yield chunk
    except StoreUnavailable as e:
        log.error("unavailable", error=type(e).__name__, detail=str(e))


async def _follow(studio: Studio, caller: Caller, place: str, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    """Goes on until the session has ended; asked again with every heartbeat, which comes however much happens."""
    loop = asyncio.get_running_loop()
    audiences = _audiences(caller.person)
    beat_at = loop.time() + heartbeat_s
    while True:
        found = await studio.events.after(place, audiences, BATCH)
        if found is None:
            place = await studio.events.head()
            yield _event("resync", place, {})
            continue
        happened, place = found
        for event in happened:
            yield _event(event.kind, event.cursor, {"id": event.id, "version": event.version})
        if loop.time() >= beat_at:
            if not await _still(studio, caller):
                return
            yield b": still here\n\n"
            beat_at = loop.time() + heartbeat_s
        if not happened:
            await studio.events.wait(place, max(beat_at - loop.time(), 0))


def _audiences(person: Person | None) -> list[str]:
    return [PUBLIC] if person is None else [PUBLIC, to_person(person.id)]


async def _still(studio: Studio, caller: Caller) -> bool:
    """Whether the session or token that the stream was opened with still holds."""
    if caller.person is None:
        return True
    try:
        person = await identify(studio, caller)
    except SignInNeeded:
        return False
    return person is not None and person.id == caller.person.id


def _event(kind: str, cursor: str, data: dict[str, str | int]) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), cursor.encode(), msgspec.json.encode(data))
