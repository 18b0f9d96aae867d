"""The stream of what happened: a document for each event, inserted in the transaction that made it happen.

A cursor names an event, by its id and by its resume token in the change stream. The id tells whether the event is still
kept, and is ours; the token tells where to go on, in whichever process. Tokens can be compared as text
(https://www.mongodb.com/docs/manual/changeStreams/#resume-tokens).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bson import ObjectId

import mutoscope.store.cursors as cursors
from mutoscope.domain.errors import Invalid
from mutoscope.domain.events import Event, EventKind, to_person
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.engine import CLOSED, Connection, Engine
from mutoscope.store.mongo.tail import Place, Seen, Tail
from mutoscope.store.port import StoreUnavailable


async def append(
    c: Connection, kind: EventKind, thing: str, version: int, person_id: str, at: Millis, public: bool = False
) -> None:
    """Tell the person, and everyone when it is public."""
    id = ObjectId()
    await c["events"].insert(
        {"_id": id, "kind": kind, "thing": thing, "version": version, "audience": to_person(person_id), "public": public, "at": at}
    )  # fmt: skip
    c.told.append(id)


class MongoEvents:
    """The events group of the port."""

    def __init__(self, engine: Engine, tail: Tail) -> None:
        self._engine, self._tail = engine, tail

    async def head(self) -> str:
        self._open()
        await self._tail.caught_up()
        return _cursor(self._tail.latest)

    async def after(self, cursor: str, audiences: Sequence[str], limit: int) -> tuple[Sequence[Event], str] | None:
        self._open()
        await self._tail.caught_up()
        place = _place(cursor)
        if place is None or not await self._is_kept(place):
            return None
        later = await self._tail.after(place, frozenset(audiences), limit)
        if later is None:
            return None
        found, reached = later
        return [_event(seen) for seen in found], _cursor(reached)

    async def wait(self, cursor: str, timeout_s: float) -> None:
        self._open()
        place = _place(cursor)
        if place is None or place.token < self._tail.latest.token:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._tail.news()

    async def prune(self, before: Millis) -> None:
        # The newest stays: it is the place from which everyone who is up to date goes on.
        newest = self._tail.latest.id
        await self._engine.step(lambda c: c["events"].delete({"at": {"$lt": before}, "_id": {"$ne": newest}}))
        self._tail.forget(before)

    def _open(self) -> None:
        if self._engine.closed:
            raise StoreUnavailable(CLOSED)

    async def _is_kept(self, place: Place) -> bool:
        if self._tail.has(place.id):
            return True
        return await self._engine.read(lambda c: c["events"].one({"_id": place.id}, fields=["_id"])) is not None


def _event(seen: Seen) -> Event:
    return Event(cursor=_cursor(seen), kind=seen.kind, id=seen.thing, version=seen.version)


def _cursor(place: Place) -> str:
    return cursors.write(str(place.id), place.token)


def _place(cursor: str) -> Place | None:
    try:
        id, token = cursors.read(cursor, tuple[str, str])
    except Invalid:
        return None
    return Place(id=ObjectId(id), token=token) if ObjectId.is_valid(id) and _is_hex(token) else None


def _is_hex(token: str) -> bool:
    return 0 < len(token) <= 1_000 and all(letter in "0123456789ABCDEF" for letter in token)
