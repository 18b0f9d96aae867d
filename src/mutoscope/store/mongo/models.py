"""Models of which their provider said that they are gone."""

from collections.abc import Sequence

import mutoscope.store.mongo.events as events
from mutoscope.domain.catalogue import Retired
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.documents import plain, struct_of
from mutoscope.store.mongo.engine import Connection, Document, Engine

COLLECTION = "retired_models"


class MongoModels:
    """The models group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def retire(self, model: str, upstream: str, why: str, now: Millis) -> bool:
        said = Retired(model=model, upstream=upstream, why=why, at=now)
        return await self._engine.write(lambda c: _retire(c, said))

    async def retired(self) -> Sequence[Retired]:
        return await self._engine.read(_retired)

    async def restore(self, model: str, now: Millis) -> bool:
        return await self._engine.write(lambda c: _restore(c, model, now))


def from_retired(said: Retired) -> Document:
    """The document: its id is both names, which may hold any sign."""
    return {"_id": {"model": said.model, "upstream": said.upstream}, **plain(said)}


async def _retire(c: Connection, said: Retired) -> bool:
    document = from_retired(said)
    if await c[COLLECTION].one({"_id": document["_id"]}):
        return False
    await c[COLLECTION].insert(document)
    return await _tell(c, said.model, said.at)


async def _retired(c: Connection) -> list[Retired]:
    found = await c[COLLECTION].all({}, [("model", 1), ("upstream", 1)])
    return [struct_of(document, Retired) for document in found]


async def _restore(c: Connection, model: str, now: Millis) -> bool:
    if await c[COLLECTION].one({"model": model}) is None:
        return False
    await c[COLLECTION].delete({"model": model})
    return await _tell(c, model, now)


async def _tell(c: Connection, model: str, now: Millis) -> bool:
    await events.append(c, "model", model, now, "", now, public=True)
    return True
