"""Unlocks: tokens on both sides, the right and its count, always changed in one commit."""

from collections.abc import Mapping, Sequence
from typing import Any

import mutoscope.store.cursors as cursors
import mutoscope.store.mongo.events as events
import mutoscope.store.mongo.items as items
import mutoscope.store.mongo.ledger as ledger
from mutoscope.domain import unlocking
from mutoscope.domain.errors import NotEnoughTokens, NotFound
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Entry
from mutoscope.domain.unlocking import Unlock, Wish
from mutoscope.store.mongo.documents import plain, struct_of
from mutoscope.store.mongo.engine import Connection, Document, Engine
from mutoscope.store.port import Page

COLLECTION = "unlocks"


class MongoUnlocks:
    """The unlocks group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def buy(self, wish: Wish, share_percent: int, now: Millis) -> tuple[Unlock, bool]:
        return await self._engine.write(lambda c: _buy(c, wish, share_percent, now))

    async def refund(self, id: str, now: Millis) -> Unlock:
        return await self._engine.write(lambda c: _refund(c, id, now))

    async def bought(self, buyer_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        wanted = {"buyer_id": buyer_id, "stands": True, "media_id": {"$in": list(media_ids)}}
        found = await self._engine.read(lambda c: c[COLLECTION].all(wanted, fields=["media_id"]))
        return frozenset(document["media_id"] for document in found)

    async def list(self, media_id: str | None, cursor: str | None, limit: int) -> Page[Unlock]:
        before = cursors.read(cursor, tuple[cursors.Number, str]) if cursor else None
        return await self._engine.read(lambda c: _list(c, media_id, before, limit))


def from_unlock(unlock: Unlock) -> Document:
    """An unlock as a document. ``stands``: what the index of those that are not refunded goes by."""
    document = plain(unlock)
    return {"_id": document.pop("id"), **document, "stands": unlock.refunded_at is None}


def to_unlock(document: Document) -> Unlock:
    """The unlock of a document."""
    return struct_of({**document, "id": document["_id"]}, Unlock)


async def _buy(c: Connection, wish: Wish, share_percent: int, now: Millis) -> tuple[Unlock, bool]:
    if wish.key is not None and (earlier := await _one(c, {"buyer_id": wish.buyer_id, "key": wish.key})):
        return unlocking.same(wish, earlier), True
    standing = {"buyer_id": wish.buyer_id, "media_id": wish.media_id, "stands": True}
    if earlier := await _one(c, standing):
        return earlier, True
    unlock = unlocking.sell(wish, await items.get(c, wish.media_id), share_percent, now)
    try:
        await _book(c, unlock, unlocking.purchase(unlock))
    except NotEnoughTokens as e:
        raise NotEnoughTokens(**e.extra, way_out=unlocking.WAY_OUT) from None
    await c[COLLECTION].insert(from_unlock(unlock))
    await _count(c, unlock, 1, now)
    return unlock, False


async def _refund(c: Connection, id: str, now: Millis) -> Unlock:
    unlock = await _one(c, {"_id": id})
    if unlock is None:
        raise NotFound("There is no such unlock.")
    if unlock.refunded_at is not None:
        return unlock
    refunded, entries = unlocking.refund(unlock, (await ledger.balance(c, unlock.seller_id)).available, now)
    await _book(c, refunded, entries)
    await c[COLLECTION].update({"_id": id}, {"$set": from_unlock(refunded)})
    await _count(c, refunded, -1, now)
    return refunded


async def _book(c: Connection, unlock: Unlock, entries: Sequence[Entry]) -> None:
    if not await ledger.book(c, entries):
        raise AssertionError(f"{unlock.id} was booked twice")


async def _count(c: Connection, unlock: Unlock, change: int, now: Millis) -> None:
    """One unlock more or less, told to the buyer, to whom the item is another now."""
    # Written and not just read, so that a transaction that hides or locks the item meets this one.
    item = await c["media"].changed({"_id": unlock.media_id}, {"$inc": {"unlocks": change}})
    if item is None:
        raise AssertionError(f"{unlock.media_id} was sold and is not there")
    await events.append(c, "media", unlock.media_id, int(item["version"]), unlock.buyer_id, now)


async def _list(c: Connection, media_id: str | None, before: tuple[int, str] | None, limit: int) -> Page[Unlock]:
    wanted: dict[str, Any] = {} if media_id is None else {"media_id": media_id}
    if before is not None:
        at, id = before
        wanted["$or"] = [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": id}}]
    found = await c[COLLECTION].all(wanted, [("at", -1), ("_id", -1)], limit + 1)
    unlocks = [to_unlock(document) for document in found[:limit]]
    return Page(items=unlocks, next=cursors.write(unlocks[-1].at, unlocks[-1].id) if len(found) > limit else None)


async def _one(c: Connection, wanted: Mapping[str, Any]) -> Unlock | None:
    document = await c[COLLECTION].one(wanted)
    return to_unlock(document) if document else None
