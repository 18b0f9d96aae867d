"""API keys."""

from collections.abc import Sequence

from mutoscope.domain.errors import Conflict
from mutoscope.domain.ids import Millis
from mutoscope.domain.keys import ApiKey, holds
from mutoscope.domain.people import Person
from mutoscope.store.mongo.documents import plain, struct_of, to_person
from mutoscope.store.mongo.engine import Connection, Document, Engine

COLLECTION = "api_keys"


class MongoKeys:
    """The keys group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, key: ApiKey, limit: int) -> None:
        await self._engine.write(lambda c: _add(c, key, limit))

    async def of_secret(self, secret_hash: str, now: Millis) -> tuple[ApiKey, Person] | None:
        return await self._engine.read(lambda c: _of_secret(c, secret_hash, now))

    async def of_person(self, person_id: str) -> Sequence[ApiKey]:
        return await self._engine.read(lambda c: _of_person(c, person_id))

    async def use(self, id: str, now: Millis) -> None:
        before = {"_id": id, "$or": [{"used_at": None}, {"used_at": {"$lt": now}}]}
        await self._engine.step(lambda c: c[COLLECTION].update(before, {"$set": {"used_at": now}}))

    async def revoke(self, person_id: str, id: str) -> bool:
        mine = {"_id": id, "person_id": person_id}
        return await self._engine.step(lambda c: c[COLLECTION].taken(mine)) is not None


def from_key(key: ApiKey) -> Document:
    """The document of a key."""
    document = plain(key)
    return {"_id": document.pop("id"), **document}


def to_key(document: Document) -> ApiKey:
    """The key of a document."""
    return struct_of({**document, "id": document["_id"]}, ApiKey)


async def _add(c: Connection, key: ApiKey, limit: int) -> None:
    # Two that count at once would both find room for the last one: they meet at their person.
    if not await c["people"].update({"_id": key.person_id}, {"$inc": {"keys_made": 1}}):
        raise Conflict("There is no such person any more.")
    if await c[COLLECTION].count({"person_id": key.person_id}, limit) >= limit:
        raise Conflict(f"There are {limit} keys, and there may be no more. Revoke one that is not used.")
    await c[COLLECTION].insert(from_key(key))


async def _of_secret(c: Connection, secret_hash: str, now: Millis) -> tuple[ApiKey, Person] | None:
    document = await c[COLLECTION].one({"secret_hash": secret_hash})
    if document is None:
        return None
    key, person = to_key(document), await c["people"].one({"_id": document["person_id"]})
    return (key, to_person(person)) if person is not None and holds(key, to_person(person), now) else None


async def _of_person(c: Connection, person_id: str) -> list[ApiKey]:
    return [
        to_key(found) for found in await c[COLLECTION].all({"person_id": person_id}, [("created_at", -1), ("_id", 1)])
    ]
