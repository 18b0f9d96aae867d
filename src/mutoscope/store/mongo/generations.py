"""Jobs: every step of their life is one guarded write."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

import mutoscope.store.cursors as cursors
import mutoscope.store.mongo.claims as claims
import mutoscope.store.mongo.items as items
import mutoscope.store.mongo.jobs as jobs
import mutoscope.store.mongo.ledger as ledger
from mutoscope.domain.errors import IdempotencyMismatch, StaleFence, WrongState
from mutoscope.domain.generation import TERMINAL, Failure, Generation, ProviderJob, State, may_move
from mutoscope.domain.ids import DAY, Millis
from mutoscope.domain.media import Media
from mutoscope.store.mongo.documents import ready_at, to_generation
from mutoscope.store.mongo.engine import Connection, Document, Engine
from mutoscope.store.port import NOTHING, GenerationFilter, Limits, Page, Patch

KEYS_KEPT_MS: Millis = 7 * DAY
"""How long an idempotency key is remembered."""


class MongoGenerations:
    """The generations group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._publishing = asyncio.Lock()
        """All that publish meet at the counter of places, and who meets another begins again: so one at a time here."""

    async def accept(self, generation: Generation, key: str | None, body_hash: str) -> tuple[Generation, bool]:
        if key is not None:
            old = {"created_at": {"$lt": generation.created_at - KEYS_KEPT_MS}}
            await self._engine.step(lambda c: c["idempotency_keys"].delete(old))
        return await self._engine.write(lambda c: _accept(c, generation, key, body_hash))

    async def of_key(self, owner_id: str, key: str, body_hash: str, now: Millis) -> Generation | None:
        return await self._engine.read(lambda c: _of_key(c, owner_id, key, body_hash, now))

    async def get(self, id: str) -> Generation | None:
        return await self._engine.read(lambda c: jobs.get(c, id))

    async def list(self, filter: GenerationFilter, cursor: str | None, limit: int) -> Page[Generation]:
        before = cursors.read(cursor, tuple[cursors.Number, str]) if cursor else None
        return await self._engine.read(lambda c: _list(c, filter, before, limit))

    async def claim(
        self,
        states: frozenset[State],
        worker: str,
        now: Millis,
        lease_until: Millis,
        limits: Limits,
        place: str = "",
    ) -> Generation | None:
        return await claims.claim(self._engine, states, worker, now, lease_until, limits, place)

    async def next_due(self, states: frozenset[State]) -> Millis | None:
        return await self._engine.read(lambda c: claims.next_due(c, states))

    async def renew(self, id: str, fence: int, lease_until: Millis) -> None:
        await self._engine.step(lambda c: _renew(c, id, fence, lease_until))

    async def advance(
        self, id: str, fence: int, from_: State, to: State, now: Millis, patch: Patch = NOTHING
    ) -> Generation:
        _check_step(from_, to, terminal=False)
        return await self._engine.write(lambda c: _advance(c, id, fence, from_, to, now, patch))

    async def begin(self, id: str, fence: int, now: Millis, lease_until: Millis) -> Generation:
        return await self._engine.write(lambda c: _begin(c, id, fence, now, lease_until))

    async def postpone(
        self, id: str, fence: int, state: State, now: Millis, due_at: Millis, patch: Patch = NOTHING
    ) -> Generation:
        return await self._engine.write(lambda c: _postpone(c, id, fence, state, now, due_at, patch))

    async def publish(self, id: str, fence: int, now: Millis, media: Sequence[Media], captured: int) -> Generation:
        async with self._publishing:
            return await self._engine.write(lambda c: _publish(c, id, fence, now, media, captured))

    async def finish(
        self, id: str, fence: int, from_: State, to: State, now: Millis, failure: Failure | None, captured: int = 0
    ) -> Generation:
        _check_step(from_, to, terminal=True)
        if to is State.SUCCEEDED:
            raise ValueError("a job succeeds by publish")

        async def finish(c: Connection) -> Generation:
            return await _end(c, await jobs.fenced(c, id, fence, from_), to, now, captured, failure=failure)

        return await self._engine.write(finish)

    async def cancel(self, id: str, now: Millis) -> Generation:
        return await self._engine.write(lambda c: _cancel(c, id, now))

    async def wake(self, id: str, now: Millis) -> None:
        later = {"_id": id, "live": True, "due_at": {"$gt": now}}
        await self._engine.step(
            lambda c: c["generations"].update(later, [{"$set": {"due_at": now}}, ready_at(now, "$lease_until")])
        )

    async def settle_unknown(
        self, id: str, now: Millis, job: ProviderJob | None, failure: Failure | None
    ) -> Generation:
        if (job is None) == (failure is None):
            raise ValueError("either the provider has the job, or it failed")
        return await self._engine.write(lambda c: _settle_unknown(c, id, now, job, failure))

    async def late(self, id: str, now: Millis, job: ProviderJob) -> Generation:
        return await self._engine.write(lambda c: _late(c, id, now, job))


async def _accept(c: Connection, generation: Generation, key: str | None, body_hash: str) -> tuple[Generation, bool]:
    owner_id, now = generation.owner_id, generation.created_at
    if key is not None and (earlier := await _of_key(c, owner_id, key, body_hash, now)):
        return earlier, True
    await jobs.insert(c, generation)
    await ledger.open_hold(c, generation)
    if key is not None:
        fields = {"body_hash": body_hash, "generation_id": generation.id, "created_at": now}
        await c["idempotency_keys"].update(_key(owner_id, key), {"$set": fields}, upsert=True)
    return generation, False


def _key(owner_id: str, key: str) -> Document:
    return {"_id": f"{owner_id}:{key}"}


async def _of_key(c: Connection, owner_id: str, key: str, body_hash: str, now: Millis) -> Generation | None:
    kept = _key(owner_id, key) | {"created_at": {"$gte": now - KEYS_KEPT_MS}}
    found = await c["idempotency_keys"].one(kept)
    if found is None:
        return None
    if found["body_hash"] != body_hash:
        raise IdempotencyMismatch("This Idempotency-Key came with another request before; use a new one.")
    return await jobs.existing(c, found["generation_id"])


async def _list(
    c: Connection, filter: GenerationFilter, before: tuple[int, str] | None, limit: int
) -> Page[Generation]:
    wanted: Document = {}
    if filter.owner_id is not None:
        wanted["owner_id"] = filter.owner_id
    if filter.states is not None:
        wanted["state"] = {"$in": sorted(filter.states)}
    if before is not None:
        wanted["created_at"] = {"$lte": before[0]}
        wanted["$or"] = [{"created_at": {"$lt": before[0]}}, {"_id": {"$lt": before[1]}}]
    found = await c["generations"].all(wanted, [("created_at", -1), ("_id", -1)], limit + 1)
    listed = [to_generation(document) for document in found[:limit]]
    more = cursors.write(listed[-1].created_at, listed[-1].id) if len(found) > limit else None
    return Page(items=listed, next=more)


async def _renew(c: Connection, id: str, fence: int, lease_until: Millis) -> None:
    # A lease that was given up is not taken again: the next stage would wait for nobody.
    held = {"_id": id, "fence": fence, "live": True, "lease_until": {"$gt": 0}}
    if not await c["generations"].update(
        held, [{"$set": {"lease_until": lease_until}}, ready_at("$due_at", lease_until)]
    ):
        raise StaleFence(f"{id} is no longer at fence {fence}")


def _check_step(from_: State, to: State, *, terminal: bool) -> None:
    if not may_move(from_, to) or (to in TERMINAL) is not terminal:
        raise ValueError(f"a job does not go from {from_} to {to} this way")


def _patched(patch: Patch) -> dict[str, Any]:
    fields = ("due_at", "progress", "job", "outputs", "submitted_at", "home")
    return {name: value for name in fields if (value := getattr(patch, name)) is not UNSET}


def _stage(to: State, now: Millis) -> dict[str, Any]:
    """The fields of a job that has just come to a stage: no lease, no attempt, due now."""
    return {"state": to, "lease_until": 0, "worker": "", "attempts": 0, "due_at": now, "stage_since": now}


async def _advance(
    c: Connection, id: str, fence: int, from_: State, to: State, now: Millis, patch: Patch
) -> Generation:
    before = await jobs.fenced(c, id, fence, from_)
    if to is State.RENDERING and before.cancel_requested_at is not None:
        to = State.CANCELING
    return await jobs.change(c, before, now, **_stage(to, now) | _patched(patch))


async def _begin(c: Connection, id: str, fence: int, now: Millis, lease_until: Millis) -> Generation:
    before = await jobs.fenced(c, id, fence, State.QUEUED)
    kept = {"lease_until": lease_until, "worker": before.worker}
    return await jobs.change(c, before, now, **_stage(State.SUBMITTING, now) | kept)


async def _postpone(
    c: Connection, id: str, fence: int, state: State, now: Millis, due_at: Millis, patch: Patch
) -> Generation:
    before = await jobs.fenced(c, id, fence, state)
    fields = {"due_at": due_at} | _patched(patch)
    fields |= {"lease_until": 0, "worker": "", "attempts": before.attempts + 1}
    if any(name in fields and fields[name] != getattr(before, name) for name in ("progress", "submitted_at")):
        return await jobs.change(c, before, now, **fields)
    return await jobs.save(c, before, **fields)


async def _publish(
    c: Connection, id: str, fence: int, now: Millis, media: Sequence[Media], captured: int
) -> Generation:
    before = await jobs.fenced(c, id, fence, State.DEVELOPING)
    delivered = tuple(item.id for item in media)
    after = await _end(c, before, State.SUCCEEDED, now, captured, delivered=delivered, failure=None)
    await items.insert_all(c, media, now)
    return after


async def _end(c: Connection, before: Generation, to: State, now: Millis, captured: int, **fields: Any) -> Generation:
    """End a job and settle its hold; a hold that was settled before stays as it was."""
    taken = await ledger.settle(c, before, captured, now)
    return await jobs.change(c, before, now, **_stage(to, now), finished_at=now, captured=taken, **fields)


async def _cancel(c: Connection, id: str, now: Millis) -> Generation:
    before = await jobs.existing(c, id)
    wish = {"cancel_requested_at": now if before.cancel_requested_at is None else before.cancel_requested_at}
    match before.state:
        case State.QUEUED if before.lease_until <= now:
            return await _end(c, before, State.CANCELED, now, 0, **wish)
        case State.RENDERING:
            return await jobs.change(c, before, now, **_stage(State.CANCELING, now), fence=before.fence + 1, **wish)
        case State.QUEUED | State.SUBMITTING | State.OUTCOME_UNKNOWN if before.cancel_requested_at is None:
            return await jobs.change(c, before, now, **wish)
        case State.QUEUED | State.SUBMITTING | State.OUTCOME_UNKNOWN | State.CANCELING:
            return before
        case _:
            raise WrongState("The result is already there, or the job has ended: it cannot be canceled any more.")


async def _settle_unknown(
    c: Connection, id: str, now: Millis, job: ProviderJob | None, failure: Failure | None
) -> Generation:
    before = await jobs.existing(c, id)
    if before.state is not State.OUTCOME_UNKNOWN:
        raise WrongState("The outcome of this job is known; there is nothing to resolve.")
    # Whoever was looking at it under a lease is cut off by the next fence.
    if failure is not None:
        return await _end(c, before, State.FAILED, now, 0, failure=failure, fence=before.fence + 1)
    to = State.RENDERING if before.cancel_requested_at is None else State.CANCELING
    return await jobs.change(c, before, now, **_stage(to, now), job=job, fence=before.fence + 1)


async def _late(c: Connection, id: str, now: Millis, job: ProviderJob) -> Generation:
    before = await jobs.existing(c, id)
    if before.state not in (State.FAILED, State.CANCELED):
        raise WrongState("Only a job that failed or was canceled can have a late result.")
    return await jobs.change(
        c, before, now, **_stage(State.FETCHING, now), job=job, fence=before.fence + 1, finished_at=None, failure=None
    )
