"""The index of people by their e-mail address."""

from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.engine import Document
from mutoscope.store.mongo.indexes import make_all


async def apply(database: AsyncDatabase[Document]) -> None:
    """From version 6 to version 7."""
    await make_all(database)
