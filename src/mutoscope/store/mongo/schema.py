"""Brings the database to the newest schema: exactly one of many processes does it, and the others wait.

The process that does it holds a lease, on the server's clock, and renews it: when it is killed another goes on.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from mutoscope.store.mongo.cancels import heard
from mutoscope.store.mongo.engine import PREFIX, Document
from mutoscope.store.mongo.migrations import STEPS, Step
from mutoscope.store.port import StoreUnavailable

ID = "schema"
LEASE_S = 30
LOOK_EVERY_S = 0.1


async def version_of(database: AsyncDatabase[Document]) -> int:
    """The schema that the database has; 0 for none."""
    found = await database[PREFIX + "schema"].find_one({"_id": ID})
    return int(found.get("version", 0)) if found else 0


async def migrate(database: AsyncDatabase[Document], steps: Mapping[int, Step] = STEPS) -> None:
    """Apply the steps whose number is above the database's version.

    Raises StoreUnavailable when the database was written by a newer release, PyMongoError.
    """
    schema, me = database[PREFIX + "schema"], f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    while (version := await version_of(database)) < max(steps):
        if not await _take(schema, me):
            await asyncio.sleep(LOOK_EVERY_S)
            continue
        async with _held(schema, me):
            # Somebody may have been faster between the look and the lease.
            for number in sorted(steps):
                if number > await version_of(database):
                    await steps[number](database)
                    done = {"version": number, "by": me}
                    await schema.update_one(
                        {"_id": ID, "holder": me}, {"$set": {"version": number}, "$push": {"applied": done}}
                    )
    if version > max(steps):
        raise StoreUnavailable(
            f"The database was written by a newer release of Mutoscope (schema {version}, this one knows {max(steps)}). "
            "Start the newer release."
        )


async def _take(schema: AsyncCollection[Document], me: str) -> bool:
    """Take the lease if nobody has it."""
    free = {"_id": ID, "$expr": {"$lt": ["$until", {"$toLong": "$$NOW"}]}}
    with suppress(DuplicateKeyError):  # two made it at once
        await schema.update_one({"_id": ID}, {"$setOnInsert": {"version": 0, "until": 0}}, upsert=True)
    return (await schema.update_one(free, [_lease(me)])).matched_count == 1


def _lease(me: str) -> Document:
    until = {"$add": [{"$toLong": "$$NOW"}, LEASE_S * 1000]}
    return {"$set": {"holder": {"$literal": me}, "until": until}}


@asynccontextmanager
async def _held(schema: AsyncCollection[Document], me: str) -> AsyncGenerator[None]:
    """Hold the lease, and give it up at the end."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            with heard():
                await schema.update_one({"_id": ID, "holder": me}, [_lease(me)])

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])
        await schema.update_one({"_id": ID, "holder": me}, {"$set": {"until": 0}})
