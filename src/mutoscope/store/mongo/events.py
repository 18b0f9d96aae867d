"""The stream of what happened: one document for each event, appended in the commit that made it happen."""

import base64
import binascii
from collections.abc import Sequence

import msgspec
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from mutoscope.domain.events import PUBLIC, Event, EventKind, to_person
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.engine import Engine, unavailable
from mutoscope.store.mongo.tail import INSERTS, Heard, document, heard, leads_nowhere

ID_BYTES = 12


async def append(
    engine: Engine,
    s: AsyncClientSession,
    kind: EventKind,
    thing: str,
    version: int,
    person_id: str,
    at: Millis,
    public: bool = False,
) -> None:
    """Tell the person, and everyone when it is public."""
    event = document(kind, thing, version, to_person(person_id), at, public=public)
    await engine.collection("events").insert_one(event, session=s)
    engine.after_commit(s, engine.tail.expecting(event["_id"]))


class _Place(msgspec.Struct, frozen=True):
    """Where a reader is: the event read last, and its token."""

    id: ObjectId
    token: str


class MongoEvents:
    """The events group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def head(self) -> str:
        return _cursor(await self._engine.tail.newest())

    async def after(self, cursor: str, audiences: Sequence[str], limit: int) -> tuple[Sequence[Event], str] | None:
        place = _place(cursor)
        if place is None:
            return None
        later = await self._engine.tail.after(place.id, place.token)
        if later is None:
            later = await self._from_server(place, audiences, limit)
        if later is None:
            return None
        found = [event for event in later if _is_for(event, audiences)][:limit]
        told = [Event(cursor=_cursor(event), kind=event.kind, id=event.thing, version=event.version) for event in found]
        if len(told) == limit and told:
            return told, told[-1].cursor
        return told, _cursor(later[-1]) if later else cursor

    async def wait(self, cursor: str, timeout_s: float) -> None:
        place, last = _place(cursor), self._engine.tail.last()
        # One that is further than the tail came from another process, whose events have yet to come here.
        up_to_date = place is not None and last is not None and place.token >= last.token
        await self._engine.tail.wait(timeout_s if up_to_date else 0)

    async def prune(self, before: Millis) -> None:
        # The newest stays: it is the place from which everyone who is up to date goes on.
        newest = await self._engine.tail.newest()
        try:
            await self._engine.collection("events").delete_many({"at": {"$lt": before}, "_id": {"$ne": newest.id}})
        except PyMongoError as error:
            raise unavailable(error) from error
        self._engine.tail.forget(before)

    async def _from_server(self, place: _Place, audiences: Sequence[str], limit: int) -> list[Heard] | None:
        """What came after a place that is not remembered here, up to enough of it; None when it is too old or not ours."""
        events, later, missing = self._engine.collection("events"), list[Heard](), limit
        try:
            if await events.find_one({"_id": place.id}, {"_id": 1}) is None:
                return None
            async with await events.watch(INSERTS, start_after={"_data": place.token}, max_await_time_ms=1) as stream:
                while missing > 0 and (change := await stream.try_next()) is not None:
                    later.append(heard(change))
                    missing -= _is_for(later[-1], audiences)
        except PyMongoError as error:
            if leads_nowhere(error):
                return None
            raise unavailable(error) from error
        return later


def _is_for(event: Heard, audiences: Sequence[str]) -> bool:
    return event.audience in audiences or (event.public and PUBLIC in audiences)


def _cursor(event: Heard) -> str:
    return base64.urlsafe_b64encode(event.id.binary + bytes.fromhex(event.token)).decode().rstrip("=")


def _place(cursor: str) -> _Place | None:
    try:
        read = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    id, token = read[:ID_BYTES], read[ID_BYTES:]
    # A token names its event, so the two belong together.
    return _Place(ObjectId(id), token.hex().upper()) if len(id) == ID_BYTES and id in token else None
