"""The collection of providers' calls, with its indexes."""

from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.engine import PREFIX, Document
from mutoscope.store.mongo.hooks import COLLECTION

INDEXES = (IndexModel([("at", 1)], name="by_age"), IndexModel([("reference", 1), ("at", 1)], name="of_job"))


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 2 to version 3."""
    await database[PREFIX + COLLECTION].create_indexes(list(INDEXES))
