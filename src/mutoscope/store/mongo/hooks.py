"""Calls of providers: each delivery once."""

from mutoscope.domain.generation import ProviderJob
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.documents import plain, struct_of
from mutoscope.store.mongo.engine import Connection, Document, Engine

COLLECTION = "deliveries"


class MongoHooks:
    """The hooks group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def record(
        self, provider: str, delivery: str, reference: str, now: Millis, job: ProviderJob | None = None
    ) -> bool:
        id = {"_id": {"provider": provider, "delivery": delivery}}
        fields: Document = {"reference": reference, "job": plain(job) if job else None, "at": now}
        new = {"$setOnInsert": fields}
        return not await self._engine.step(lambda c: c[COLLECTION].update(id, new, upsert=True))

    async def job(self, provider: str, reference: str) -> ProviderJob | None:
        return await self._engine.read(lambda c: _job(c, provider, reference))

    async def prune(self, before: Millis) -> None:
        await self._engine.step(lambda c: c[COLLECTION].delete({"at": {"$lt": before}}))


async def _job(c: Connection, provider: str, reference: str) -> ProviderJob | None:
    wanted = {"reference": reference, "_id.provider": provider, "job": {"$ne": None}}
    found = await c[COLLECTION].one(wanted, [("at", -1), ("_id.delivery", -1)])
    return struct_of(found["job"], ProviderJob) if found else None
