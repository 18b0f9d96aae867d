"""Jobs as documents: the one place that writes a Generation to its collection and reads it again."""

from typing import Any

from msgspec import structs

import mutoscope.store.mongo.events as events
from mutoscope.domain.errors import NotFound, StaleFence
from mutoscope.domain.generation import Generation, State
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.documents import from_generation, to_generation
from mutoscope.store.mongo.engine import Connection


async def get(c: Connection, id: str) -> Generation | None:
    """The job of that id."""
    document = await c["generations"].one({"_id": id})
    return to_generation(document) if document else None


async def existing(c: Connection, id: str) -> Generation:
    """The job of that id. Raises NotFound."""
    generation = await get(c, id)
    if generation is None:
        raise NotFound("There is no such job.")
    return generation


async def fenced(c: Connection, id: str, fence: int, state: State | None = None) -> Generation:
    """The job, if its fence and state are still these. Raises StaleFence."""
    generation = await get(c, id)
    if generation is None or generation.fence != fence or (state is not None and generation.state is not state):
        raise StaleFence(f"{id} is no longer at fence {fence}" + (f" in {state}" if state else ""))
    return generation


async def insert(c: Connection, generation: Generation) -> None:
    """A new document, and its event."""
    await c["generations"].insert(from_generation(generation))
    await _tell(c, generation, generation.updated_at)


async def save(c: Connection, before: Generation, **fields: Any) -> Generation:
    """Save the job with other fields if it still has its state and its fence. Raises StaleFence."""
    after = structs.replace(before, **fields)
    guard = {"_id": before.id, "state": before.state, "fence": before.fence}
    # Fields that a newer release may have added stay as they are.
    if not await c["generations"].update(guard, {"$set": from_generation(after)}):
        raise StaleFence(f"{before.id} is no longer at fence {before.fence} in {before.state}")
    return after


async def change(c: Connection, before: Generation, now: Millis, **fields: Any) -> Generation:
    """`save`, as a change that people see: the next version, and an event. Raises StaleFence."""
    after = await save(c, before, version=before.version + 1, updated_at=now, **fields)
    await _tell(c, after, now)
    return after


async def _tell(c: Connection, generation: Generation, now: Millis) -> None:
    await events.append(c, "generation", generation.id, generation.version, generation.owner_id, now)
