"""Likes, and how many an item has, always changed in one transaction."""

from collections.abc import Sequence
from typing import Any

import mutoscope.store.cursors as cursors
import mutoscope.store.mongo.events as events
import mutoscope.store.mongo.items as items
from mutoscope.domain.counting import Like
from mutoscope.domain.errors import NotFound
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.store.mongo.documents import plain, struct_of, to_media
from mutoscope.store.mongo.engine import Connection, Document, Engine
from mutoscope.store.port import Page

COLLECTION = "likes"


class MongoLikes:
    """The likes group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, person_id: str, media_id: str, now: Millis) -> Media:
        return await self._engine.write(lambda c: _add(c, Like(person_id=person_id, media_id=media_id, at=now)))

    async def remove(self, person_id: str, media_id: str, now: Millis) -> Media:
        return await self._engine.write(lambda c: _remove(c, person_id, media_id, now))

    async def liked(self, person_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        wanted = {"_id": {"$in": [_id(person_id, media_id) for media_id in media_ids]}}
        found = await self._engine.read(lambda c: c[COLLECTION].all(wanted, fields=["media_id"]))
        return frozenset(document["media_id"] for document in found)

    async def list(self, person_id: str, cursor: str | None, limit: int) -> Page[Media]:
        before = cursors.read(cursor, tuple[cursors.Number, str]) if cursor else None
        return await self._engine.read(lambda c: _list(c, person_id, before, limit))


def from_like(like: Like) -> Document:
    """A like as a document."""
    return {"_id": _id(like.person_id, like.media_id), **plain(like)}


def to_like(document: Document) -> Like:
    """The like of a document."""
    return struct_of(document, Like)


def _id(person_id: str, media_id: str) -> str:
    return f"{person_id}:{media_id}"


async def _add(c: Connection, like: Like) -> Media:
    item = await _known(c, like.media_id)
    if await c[COLLECTION].one({"_id": _id(like.person_id, like.media_id)}):
        return item
    await c[COLLECTION].insert(from_like(like))
    return await _count(c, item, 1, like.person_id, like.at)


async def _remove(c: Connection, person_id: str, media_id: str, now: Millis) -> Media:
    item = await _known(c, media_id)
    gone = await c[COLLECTION].taken({"_id": _id(person_id, media_id)})
    return await _count(c, item, -1, person_id, now) if gone else item


async def _known(c: Connection, media_id: str) -> Media:
    item = await items.get(c, media_id)
    if item is None:
        raise NotFound("There is no such item, or it is not open to you.")
    return item


async def _count(c: Connection, item: Media, change: int, person_id: str, now: Millis) -> Media:
    """One like more or less, told to the person, whose other pages show it."""
    document = await c["media"].changed({"_id": item.id}, {"$inc": {"likes": change}})
    if document is None:
        raise AssertionError(f"{item.id} was there and is not")
    await events.append(c, "media", item.id, item.version, person_id, now)
    return to_media(document)


async def _list(c: Connection, person_id: str, before: tuple[int, str] | None, limit: int) -> Page[Media]:
    wanted: dict[str, Any] = {"person_id": person_id}
    if before is not None:
        at, media_id = before
        wanted["$or"] = [{"at": {"$lt": at}}, {"at": at, "media_id": {"$lt": media_id}}]
    likes = await c[COLLECTION].all(wanted, [("at", -1), ("media_id", -1)], limit + 1)
    shown = likes[:limit]
    found = await c["media"].all({"_id": {"$in": [like["media_id"] for like in shown]}})
    there = {document["_id"]: to_media(document) for document in found}
    last = cursors.write(int(shown[-1]["at"]), shown[-1]["media_id"]) if len(likes) > limit else None
    return Page(items=[there[like["media_id"]] for like in shown if like["media_id"] in there], next=last)
