"""Locked items that wait for their blurred files: a document each, made and taken away in the commit that changes the item."""

from mutoscope.domain.errors import StaleFence
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media, begins_blur
from mutoscope.store.mongo.engine import Connection, Document

COLLECTION = "blurs"


async def follow(c: Connection, before: Media | None, after: Media) -> None:
    """Keep the document in step with the item. Whoever works on one that begins anew loses it."""
    if not after.needs_blur:
        if before is not None:
            await c[COLLECTION].delete({"_id": after.id})
    elif begins_blur(before, after):
        anew = {"due_at": after.updated_at, "lease_until": 0, "attempts": 0}
        await c[COLLECTION].update({"_id": after.id}, {"$set": anew, "$inc": {"fence": 1}}, upsert=True)


def waiting(item: Media) -> Document:
    """The document of an item that waits, for the first time."""
    return {"_id": item.id, "due_at": item.updated_at, "lease_until": 0, "attempts": 0, "fence": 1}


async def claim(c: Connection, now: Millis, lease_until: Millis) -> Document | None:
    """Take the document that is due first."""
    due = {"due_at": {"$lte": now}, "lease_until": {"$lte": now}}
    taking = {"$inc": {"fence": 1}, "$set": {"lease_until": lease_until}}
    return await c[COLLECTION].changed(due, taking, [("due_at", 1), ("_id", 1)])


async def renew(c: Connection, media_id: str, fence: int, lease_until: Millis) -> None:
    """Prolong a lease that is held. Raises StaleFence."""
    held = {"_id": media_id, "fence": fence, "lease_until": {"$gt": 0}}
    if not await c[COLLECTION].update(held, {"$set": {"lease_until": lease_until}}):
        raise _stale(media_id, fence)


async def postpone(c: Connection, media_id: str, fence: int, due_at: Millis) -> None:
    """Give up the lease and count an attempt. Raises StaleFence."""
    later = {"$set": {"due_at": due_at, "lease_until": 0}, "$inc": {"attempts": 1}}
    if not await c[COLLECTION].update({"_id": media_id, "fence": fence}, later):
        raise _stale(media_id, fence)


async def end(c: Connection, media_id: str, fence: int) -> None:
    """Take the document away. Raises StaleFence."""
    if await c[COLLECTION].taken({"_id": media_id, "fence": fence}) is None:
        raise _stale(media_id, fence)


def _stale(media_id: str, fence: int) -> StaleFence:
    return StaleFence(f"the blur of {media_id} is no longer at fence {fence}")
