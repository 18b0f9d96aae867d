"""Views and likes."""

from pymongo import ASCENDING as UP
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

import mutoscope.store.mongo.likes as likes
import mutoscope.store.mongo.views as views
from mutoscope.store.mongo.engine import PREFIX, Document

LIKES = (
    IndexModel([("person_id", UP), ("at", UP), ("media_id", UP)], name="of_person"),
    IndexModel([("media_id", UP)], name="of_media"),
)
BY_LIKES = IndexModel([("likes", UP), ("seq", UP)], name="by_likes")


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 5 to version 6; nobody likes what was there before."""
    there = set(await database.list_collection_names())
    for name in (views.DAYS, views.VIEWERS):
        if PREFIX + name not in there:
            await database.create_collection(PREFIX + name, check_exists=False)
    await database[PREFIX + likes.COLLECTION].create_indexes(list(LIKES))
    await database[PREFIX + "media"].update_many({"likes": {"$exists": False}}, {"$set": {"likes": 0}})
    await database[PREFIX + "media"].create_indexes([BY_LIKES])
