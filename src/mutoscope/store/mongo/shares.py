"""Share links."""

from collections.abc import Sequence
from typing import Any

import mutoscope.store.cursors as cursors
from mutoscope.domain.errors import Conflict
from mutoscope.domain.ids import Millis
from mutoscope.domain.sharing import ShareLink, opens, stands
from mutoscope.store.mongo.documents import plain, struct_of, to_person
from mutoscope.store.mongo.engine import Connection, Document, Engine, Filter
from mutoscope.store.port import Page

COLLECTION = "share_links"
NEWEST = [("_id", -1)]


class MongoShares:
    """The shares group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, link: ShareLink, limit: int) -> None:
        await self._engine.write(lambda c: _add(c, link, limit))

    async def of_secret(self, secret_hash: str, now: Millis) -> ShareLink | None:
        return await self._engine.read(lambda c: _open(c, {"secret_hash": secret_hash}, now))

    async def get(self, id: str, now: Millis) -> ShareLink | None:
        return await self._engine.read(lambda c: _open(c, {"_id": id}, now))

    async def of_target(self, target: str) -> Sequence[ShareLink]:
        return await self._engine.read(lambda c: _of_target(c, target))

    async def of_owner(self, owner_id: str, cursor: str | None, limit: int) -> Page[ShareLink]:
        before = cursors.read(cursor, tuple[str])[0] if cursor else None
        return await self._engine.read(lambda c: _of_owner(c, owner_id, before, limit))

    async def use(self, id: str, now: Millis) -> None:
        before = {"_id": id, "$or": [{"used_at": None}, {"used_at": {"$lt": now}}]}
        await self._engine.step(lambda c: c[COLLECTION].update(before, {"$set": {"used_at": now}}))

    async def revoke(self, id: str, owner_id: str | None, now: Millis) -> bool:
        theirs: Filter = {"_id": id} if owner_id is None else {"_id": id, "owner_id": owner_id}
        change = [{"$set": {"revoked_at": {"$ifNull": ["$revoked_at", now]}}}]
        return await self._engine.step(lambda c: c[COLLECTION].update(theirs, change))


def from_link(link: ShareLink) -> Document:
    """The document of a link."""
    document = plain(link)
    return {"_id": document.pop("id"), **document}


def to_link(document: Document) -> ShareLink:
    """The link of a document."""
    return struct_of({**document, "id": document["_id"]}, ShareLink)


async def _add(c: Connection, link: ShareLink, limit: int) -> None:
    # Two that count at once would both find room for the last one: they meet at their owner.
    if not await c["people"].update({"_id": link.owner_id}, {"$inc": {"links_made": 1}}):
        raise Conflict("There is no such person any more.")
    there = await _of_target(c, link.target)
    if len(there) >= limit:
        ended = [each.id for each in there if not stands(each, link.created_at)]
        if len(there) - len(ended) >= limit:
            raise Conflict(f"{limit} links lead there, and there may be no more. Revoke one that is not used.")
        await c[COLLECTION].delete({"_id": {"$in": ended}})
    await c[COLLECTION].insert(from_link(link))


async def _open(c: Connection, wanted: Filter, now: Millis) -> ShareLink | None:
    document = await c[COLLECTION].one(wanted)
    if document is None:
        return None
    link, owner = to_link(document), await c["people"].one({"_id": document["owner_id"]})
    return link if owner is not None and opens(link, to_person(owner), now) else None


async def _of_target(c: Connection, target: str) -> list[ShareLink]:
    return [to_link(found) for found in await c[COLLECTION].all({"target": target}, NEWEST)]


async def _of_owner(c: Connection, owner_id: str, before: str | None, limit: int) -> Page[ShareLink]:
    wanted: dict[str, Any] = {"owner_id": owner_id} | ({} if before is None else {"_id": {"$lt": before}})
    found = await c[COLLECTION].all(wanted, NEWEST, limit + 1)
    links = [to_link(document) for document in found[:limit]]
    return Page(items=links, next=cursors.write(links[-1].id) if len(found) > limit else None)
