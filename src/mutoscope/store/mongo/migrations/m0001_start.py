"""Collections, indexes, and the counters that transactions meet at."""

from pymongo.asynchronous.database import AsyncDatabase

import mutoscope.store.mongo.claims as claims
import mutoscope.store.mongo.items as items
import mutoscope.store.mongo.people as people
from mutoscope.store.mongo.engine import PREFIX, Document
from mutoscope.store.mongo.indexes import make_all


async def apply(database: AsyncDatabase[Document]) -> None:
    """From nothing to version 1."""
    await make_all(database)
    for name in (claims.GATE, people.GATE, items.SEQ):
        await database[PREFIX + "counters"].update_one({"_id": name}, {"$setOnInsert": {"value": 0}}, upsert=True)
