"""The collection of people's collections, with its index."""

from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.collections import COLLECTION
from mutoscope.store.mongo.engine import PREFIX, Document

INDEXES = (IndexModel([("owner_id", 1), ("_id", 1)], name="of_owner"),)


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 6 to version 7."""
    await database[PREFIX + COLLECTION].create_indexes(list(INDEXES))
