"""Unlocks, and locked items that wait for their blurred files."""

from pymongo import ASCENDING as UP
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

import mutoscope.store.mongo.blurs as blurs
import mutoscope.store.mongo.unlocks as unlocks
from mutoscope.store.mongo.documents import to_media
from mutoscope.store.mongo.engine import PREFIX, Document

LOCKED = {"$or": [{"unlock_price": {"$gt": 0}}, {"is_blurred": True}]}
UNLOCKS = (
    IndexModel(
        [("buyer_id", UP), ("media_id", UP)], name="standing", unique=True, partialFilterExpression={"stands": True}
    ),
    IndexModel(
        [("buyer_id", UP), ("key", UP)],
        name="by_key",
        unique=True,
        partialFilterExpression={"key": {"$type": "string"}},
    ),
    IndexModel([("at", UP), ("_id", UP)], name="newest"),
    IndexModel([("media_id", UP), ("at", UP), ("_id", UP)], name="of_media"),
)
BLURS = (IndexModel([("due_at", UP), ("_id", UP)], name="due"),)


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 3 to version 10; items that were locked before wait from now on."""
    await database[PREFIX + unlocks.COLLECTION].create_indexes(list(UNLOCKS))
    await database[PREFIX + blurs.COLLECTION].create_indexes(list(BLURS))
    async for document in database[PREFIX + "media"].find(LOCKED):
        waits = blurs.waiting(to_media(document))
        await database[PREFIX + blurs.COLLECTION].update_one(
            {"_id": waits["_id"]}, {"$setOnInsert": waits}, upsert=True
        )
