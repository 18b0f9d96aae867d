"""Which job a worker gets next.

A job that has begun is taken by one change of its document. A queued one is taken in a transaction that first changes
the gate: so two processes that choose at once meet there, and the second counts again what the first has taken. Nothing
else adds to what is counted, so the limits hold over all processes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from mutoscope.domain.generation import AT_PROVIDER, TAKEN_OVER_AFTER_MS, Generation, State
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.documents import moment, ready_at, to_generation
from mutoscope.store.mongo.engine import Change, Connection, Document, Engine
from mutoscope.store.port import Limits

GATE = "gate:queue"


async def claim(
    engine: Engine,
    states: frozenset[State],
    worker: str,
    now: Millis,
    lease_until: Millis,
    limits: Limits,
    place: str,
) -> Generation | None:
    """Take a job that is due: one that has begun before one that waits in the queue."""
    taking = _taking(worker, lease_until, place)
    under_way = states - {State.QUEUED}
    begun = await engine.step(lambda c: _earliest(c, under_way, taking, now, place)) if under_way else None
    if begun is not None or State.QUEUED not in states:
        return begun
    # Most looks find nothing: only one that finds something goes through the gate.
    if await engine.read(lambda c: _fairest(c, now, limits)) is None:
        return None
    return await engine.write(lambda c: _from_queue(c, taking, now, limits))


async def next_due(c: Connection, states: Iterable[State]) -> Millis | None:
    """The earliest moment at which a job of these states may be claimed."""
    moments = [
        await c["generations"].one({"live": True, "state": state}, [("ready_at", 1)], ["ready_at"]) for state in states
    ]
    return min((moment(found["ready_at"]) or 0 for found in moments if found), default=None)


def _taking(worker: str, lease_until: Millis, place: str) -> Change:
    fields: Document = {"fence": {"$add": ["$fence", 1]}, "worker": {"$literal": worker}, "lease_until": lease_until}
    return [{"$set": fields | ({"home": {"$literal": place}} if place else {})}, ready_at("$due_at", lease_until)]


async def _earliest(
    c: Connection, states: Iterable[State], taking: Change, now: Millis, place: str
) -> Generation | None:
    wanted: Document = {
        "live": True, "state": {"$in": sorted(states)}, "due_at": {"$lte": now}, "lease_until": {"$lte": now}
    }  # fmt: skip
    if place:
        wanted["$or"] = [{"home": {"$in": ["", place]}}, {"due_at": {"$lte": now - TAKEN_OVER_AFTER_MS}}]
    document = await c["generations"].changed(wanted, taking, [("due_at", 1)])
    return to_generation(document) if document else None


async def _from_queue(c: Connection, taking: Change, now: Millis, limits: Limits) -> Generation | None:
    await c["counters"].update({"_id": GATE}, {"$inc": {"value": 1}})
    id = await _fairest(c, now, limits)
    document = await c["generations"].changed(_waiting(now) | {"_id": id}, taking) if id else None
    return to_generation(document) if document else None


def _waiting(now: Millis) -> Document:
    return {"live": True, "state": State.QUEUED, "due_at": {"$lte": now}, "lease_until": {"$lte": now}}


async def _fairest(c: Connection, now: Millis, limits: Limits) -> str | None:
    """The queued job of the owner with the fewest jobs at providers, within the limits; the oldest of those."""
    owners, providers = await _there(c, now)
    full = [name for name, most in limits.per_provider.items() if providers[name] >= most]
    if limits.per_person < 1:
        return None
    # Who has nothing at a provider comes first, and is rarely far from the head of the queue.
    wanted = _waiting(now) | {"pinned.provider": {"$nin": full}}
    for busy in ({"$nin": sorted(owners)}, *_by_count(owners, limits.per_person)):
        found = await c["generations"].one(wanted | {"owner_id": busy}, [("created_at", 1), ("_id", 1)], ["_id"])
        if found:
            return found["_id"]
    return None


def _by_count(owners: Counter[str], most: int) -> Sequence[Document]:
    """Owners who may have more, those with the same count together, the fewest first."""
    counts = sorted({count for count in owners.values() if count < most})
    return [{"$in": sorted(owner for owner, has in owners.items() if has == count)} for count in counts]


async def _there(c: Connection, now: Millis) -> tuple[Counter[str], Counter[str]]:
    """How many jobs are at providers, or about to be (queued under a lease): by owner, and by provider."""
    owners: Counter[str] = Counter()
    providers: Counter[str] = Counter()
    by = {"owner": "$owner_id", "provider": "$pinned.provider"}
    at_provider = {"live": True, "state": {"$in": sorted(AT_PROVIDER)}}
    leased = {"live": True, "state": State.QUEUED, "lease_until": {"$gt": now}}
    for wanted in (at_provider, leased):
        for row in await c["generations"].aggregate({"$match": wanted}, {"$group": {"_id": by, "n": {"$sum": 1}}}):
            owners[row["_id"]["owner"]] += row["n"]
            providers[row["_id"]["provider"]] += row["n"]
    return owners, providers
