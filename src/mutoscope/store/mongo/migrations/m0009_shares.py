"""The collection of share links."""

from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.engine import Document
from mutoscope.store.mongo.indexes import make_all


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 8 to version 9."""
    await make_all(database)
