"""The collections of API keys, invitations, and the buckets of limits."""

from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.engine import Document
from mutoscope.store.mongo.indexes import make_all


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 3 to version 4."""
    await make_all(database)
