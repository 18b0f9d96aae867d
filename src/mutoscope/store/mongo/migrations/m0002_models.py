"""The collection of models that are gone: a transaction cannot always make it itself."""

from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.engine import PREFIX, Document
from mutoscope.store.mongo.models import COLLECTION


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 1 to version 2."""
    if PREFIX + COLLECTION not in await database.list_collection_names():
        await database.create_collection(PREFIX + COLLECTION, check_exists=False)
