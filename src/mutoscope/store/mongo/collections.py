"""Collections: a document each, with the ids of its items in order; one that is not there any more is passed over."""

from collections.abc import Mapping, Sequence

from msgspec import structs

import mutoscope.store.mongo.events as events
from mutoscope.domain.collections import Add, Collection, Held, Step, check_version, rearranged
from mutoscope.domain.errors import Conflict, NotFound
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.documents import plain, struct_of
from mutoscope.store.mongo.engine import Connection, Document, Engine

COLLECTION = "collections"
_WORDS = tuple(name for name in Collection.__struct_fields__ if name != "id")
"""All of a document but the items, which may be many."""
_DECIDES = ("owner_id", "visibility", "hidden", "trashed_at")
"""What of an item decides who sees it."""


class MongoCollections:
    """The collections group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, collection: Collection, limit: int) -> None:
        await self._engine.write(lambda c: _add(c, collection, limit))

    async def get(self, id: str) -> Collection | None:
        return await self._engine.read(lambda c: _get(c, id))

    async def of_person(self, owner_id: str) -> Sequence[Collection]:
        found = await self._engine.read(
            lambda c: c[COLLECTION].all({"owner_id": owner_id}, [("_id", 1)], fields=_WORDS)
        )
        return [to_collection(document) for document in found]

    async def held(self, ids: Sequence[str]) -> Mapping[str, Sequence[Held]]:
        return await self._engine.read(lambda c: _held(c, ids))

    async def holds(self, id: str, media_id: str) -> bool:
        there = {"_id": id, "items": media_id}
        return await self._engine.read(lambda c: c[COLLECTION].one(there, fields=["_id"])) is not None

    async def change(self, collection: Collection, expected_version: int, now: Millis) -> Collection:
        return await self._engine.write(lambda c: _change(c, collection, expected_version, now))

    async def rearrange(self, id: str, step: Step, expected_version: int | None, now: Millis) -> Collection:
        return await self._engine.write(lambda c: _rearrange(c, id, step, expected_version, now))

    async def delete(self, id: str, expected_version: int | None, now: Millis) -> bool:
        return await self._engine.write(lambda c: _delete(c, id, expected_version, now))


def from_collection(collection: Collection) -> Document:
    """The document of a collection, without its items."""
    document = plain(collection)
    return {"_id": document.pop("id"), **document}


def to_collection(document: Document) -> Collection:
    """The collection of a document."""
    return struct_of({**document, "id": document["_id"]}, Collection)


async def _add(c: Connection, collection: Collection, limit: int) -> None:
    # Two that count at once would both find room for the last one: they meet at their person.
    if not await c["people"].update({"_id": collection.owner_id}, {"$inc": {"collections_made": 1}}):
        raise Conflict("There is no such person any more.")
    if await c[COLLECTION].count({"owner_id": collection.owner_id}, limit) >= limit:
        raise Conflict(f"There are {limit} collections, and there may be no more. Delete one that is not needed.")
    await c[COLLECTION].insert(from_collection(collection) | {"items": []})
    await _tell(c, collection, collection.created_at)


async def _get(c: Connection, id: str) -> Collection | None:
    document = await c[COLLECTION].one({"_id": id}, fields=_WORDS)
    return to_collection(document) if document else None


async def _held(c: Connection, ids: Sequence[str]) -> dict[str, list[Held]]:
    documents = await c[COLLECTION].all({"_id": {"$in": list(ids)}}, fields=["items"])
    wanted = {id for document in documents for id in document["items"]}
    items = await c["media"].all({"_id": {"$in": list(wanted)}}, fields=_DECIDES)
    there = {item["_id"]: struct_of({**item, "id": item["_id"]}, Held) for item in items}
    held: dict[str, list[Held]] = {id: [] for id in ids}
    held |= {found["_id"]: [there[id] for id in found["items"] if id in there] for found in documents}
    return held


async def _change(c: Connection, collection: Collection, expected_version: int, now: Millis) -> Collection:
    before = await _get(c, collection.id)
    if before is None or before.version != expected_version:
        raise Conflict("This collection has changed meanwhile; look at it again.")
    after = structs.replace(collection, version=expected_version + 1, updated_at=now)
    await _write(c, after, {}, now)
    return after


async def _rearrange(c: Connection, id: str, step: Step, expected_version: int | None, now: Millis) -> Collection:
    document = await c[COLLECTION].one({"_id": id})
    if document is None:
        raise NotFound("There is no such collection, or it is not open to you.")
    before, order = to_collection(document), [str(id) for id in document["items"]]
    check_version(before, expected_version)
    asked = {*order, *(step.ids if isinstance(step, Add) else ())}
    known = {found["_id"] for found in await c["media"].all({"_id": {"$in": list(asked)}}, fields=["_id"])}
    after, new_order = rearranged(before, order, step, known, now)
    if after.version != before.version:
        await _write(c, after, {"items": list(new_order)}, now)
    return after


async def _delete(c: Connection, id: str, expected_version: int | None, now: Millis) -> bool:
    before = await _get(c, id)
    if before is None:
        return False
    check_version(before, expected_version)
    await c[COLLECTION].taken({"_id": id})
    await _tell(c, structs.replace(before, version=before.version + 1), now)
    return True


async def _write(c: Connection, after: Collection, more: Document, now: Millis) -> None:
    await c[COLLECTION].update({"_id": after.id}, {"$set": from_collection(after) | more})
    await _tell(c, after, now)


async def _tell(c: Connection, collection: Collection, now: Millis) -> None:
    """The event of a change, for the owner alone: others are shown less of it."""
    await events.append(c, "collection", collection.id, collection.version, collection.owner_id, now)
