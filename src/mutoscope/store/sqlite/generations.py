"""Jobs: every step of their life is one guarded write."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

import mutoscope.store.cursors as cursors
import mutoscope.store.sqlite.claims as claims
import mutoscope.store.sqlite.items as items
import mutoscope.store.sqlite.jobs as jobs
import mutoscope.store.sqlite.ledger as ledger
from mutoscope.domain.errors import IdempotencyMismatch, StaleFence, WrongState
from mutoscope.domain.generation import TERMINAL, Failure, Generation, ProviderJob, State, may_move
from mutoscope.domain.ids import DAY, Millis
from mutoscope.domain.media import Media
from mutoscope.store.port import NOTHING, GenerationFilter, Limits, Page, Patch
from mutoscope.store.sqlite.engine import Engine

KEYS_KEPT_MS: Millis = 7 * DAY
"""How long an idempotency key is remembered."""


class SqliteGenerations:
    """The generations group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(self, generation: Generation, key: str | None, body_hash: str) -> tuple[Generation, bool]:
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
        return await self._engine.write(lambda c: claims.claim(c, states, worker, now, lease_until, limits, place))

    async def next_due(self, states: frozenset[State]) -> Millis | None:
        return await self._engine.read(lambda c: claims.next_due(c, states))

    async def renew(self, id: str, fence: int, lease_until: Millis) -> None:
        await self._engine.write(lambda c: _renew(c, id, fence, lease_until))

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
        return await self._engine.write(lambda c: _publish(c, id, fence, now, media, captured))

    async def finish(
        self, id: str, fence: int, from_: State, to: State, now: Millis, failure: Failure | None, captured: int = 0
    ) -> Generation:
        _check_step(from_, to, terminal=True)
        if to is State.SUCCEEDED:
            raise ValueError("a job succeeds by publish")
        return await self._engine.write(
            lambda c: _end(c, jobs.fenced(c, id, fence, from_), to, now, captured, failure=failure)
        )

    async def cancel(self, id: str, now: Millis) -> Generation:
        return await self._engine.write(lambda c: _cancel(c, id, now))

    async def wake(self, id: str, now: Millis) -> None:
        await self._engine.write(
            lambda c: c.execute(
                "UPDATE generations SET due_at = ? WHERE id = ? AND live AND due_at > ?", (now, id, now)
            ).close()
        )

    async def settle_unknown(
        self, id: str, now: Millis, job: ProviderJob | None, failure: Failure | None
    ) -> Generation:
        if (job is None) == (failure is None):
            raise ValueError("either the provider has the job, or it failed")
        return await self._engine.write(lambda c: _settle_unknown(c, id, now, job, failure))

    async def late(self, id: str, now: Millis, job: ProviderJob) -> Generation:
        return await self._engine.write(lambda c: _late(c, id, now, job))


def _accept(c: sqlite3.Connection, generation: Generation, key: str | None, body_hash: str) -> tuple[Generation, bool]:
    owner_id, now = generation.owner_id, generation.created_at
    if key is not None:
        c.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (now - KEYS_KEPT_MS,))
        if earlier := _of_key(c, owner_id, key, body_hash, now):
            return earlier, True
    jobs.insert(c, generation)
    ledger.open_hold(c, generation)
    if key is not None:
        c.execute(
            "INSERT INTO idempotency_keys (owner_id, key, body_hash, generation_id, created_at) VALUES (?, ?, ?, ?, ?)",
            (owner_id, key, body_hash, generation.id, now),
        )
    return generation, False


def _of_key(c: sqlite3.Connection, owner_id: str, key: str, body_hash: str, now: Millis) -> Generation | None:
    row = c.execute(
        "SELECT body_hash, generation_id FROM idempotency_keys WHERE owner_id = ? AND key = ? AND created_at >= ?",
        (owner_id, key, now - KEYS_KEPT_MS),
    ).fetchone()
    if row is None:
        return None
    if row[0] != body_hash:
        raise IdempotencyMismatch("This Idempotency-Key came with another request before; use a new one.")
    return jobs.existing(c, row[1])


def _list(
    c: sqlite3.Connection, filter: GenerationFilter, before: tuple[int, str] | None, limit: int
) -> Page[Generation]:
    conditions = ["1"] + ["owner_id = ?"] * (filter.owner_id is not None) + ["(created_at, id) < (?, ?)"] * bool(before)
    values: tuple[Any, ...] = (*((filter.owner_id,) if filter.owner_id is not None else ()), *(before or ()))
    query = f"SELECT created_at, id, {jobs.COLUMNS} FROM generations WHERE {' AND '.join(conditions)}"  # noqa: S608
    # A page for each state, each by its index: rare states are found without reading all jobs.
    rows = [
        row
        for state in (("",) if filter.states is None else filter.states)
        for row in c.execute(
            f"{query}{' AND state = ?' if state else ''} ORDER BY created_at DESC, id DESC LIMIT ?",
            (*values, *([state] if state else []), limit + 1),
        )
    ]
    rows.sort(key=lambda row: row[:2], reverse=True)
    more = len(rows) > limit
    return Page(
        items=[jobs.from_row(row[2:]) for row in rows[:limit]],
        next=cursors.write(*rows[limit - 1][:2]) if more else None,
    )


def _renew(c: sqlite3.Connection, id: str, fence: int, lease_until: Millis) -> None:
    # A lease that was given up is not taken again: the next stage would wait for nobody.
    renewed = c.execute(
        "UPDATE generations SET lease_until = ? WHERE id = ? AND fence = ? AND live AND lease_until > 0",
        (lease_until, id, fence),
    ).rowcount
    if renewed != 1:
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


def _advance(
    c: sqlite3.Connection, id: str, fence: int, from_: State, to: State, now: Millis, patch: Patch
) -> Generation:
    before = jobs.fenced(c, id, fence, from_)
    if to is State.RENDERING and before.cancel_requested_at is not None:
        to = State.CANCELING
    return jobs.change(c, before, now, **_stage(to, now) | _patched(patch))


def _begin(c: sqlite3.Connection, id: str, fence: int, now: Millis, lease_until: Millis) -> Generation:
    before = jobs.fenced(c, id, fence, State.QUEUED)
    kept = {"lease_until": lease_until, "worker": before.worker}
    return jobs.change(c, before, now, **_stage(State.SUBMITTING, now) | kept)


def _postpone(
    c: sqlite3.Connection, id: str, fence: int, state: State, now: Millis, due_at: Millis, patch: Patch
) -> Generation:
    before = jobs.fenced(c, id, fence, state)
    fields = {"due_at": due_at} | _patched(patch)
    fields |= {"lease_until": 0, "worker": "", "attempts": before.attempts + 1}
    if any(name in fields and fields[name] != getattr(before, name) for name in ("progress", "submitted_at")):
        return jobs.change(c, before, now, **fields)
    return jobs.save(c, before, **fields)


def _publish(
    c: sqlite3.Connection, id: str, fence: int, now: Millis, media: Sequence[Media], captured: int
) -> Generation:
    before = jobs.fenced(c, id, fence, State.DEVELOPING)
    delivered = tuple(item.id for item in media)
    after = _end(c, before, State.SUCCEEDED, now, captured, delivered=delivered, failure=None)
    for item in media:
        items.insert(c, item, now)
    return after


def _end(c: sqlite3.Connection, before: Generation, to: State, now: Millis, captured: int, **fields: Any) -> Generation:
    """End a job and settle its hold; a hold that was settled before stays as it was."""
    taken = ledger.settle(c, before, captured, now)
    return jobs.change(c, before, now, **_stage(to, now), finished_at=now, captured=taken, **fields)


def _cancel(c: sqlite3.Connection, id: str, now: Millis) -> Generation:
    before = jobs.existing(c, id)
    wish = {"cancel_requested_at": now if before.cancel_requested_at is None else before.cancel_requested_at}
    match before.state:
        case State.QUEUED if before.lease_until <= now:
            return _end(c, before, State.CANCELED, now, 0, **wish)
        case State.RENDERING:
            return jobs.change(c, before, now, **_stage(State.CANCELING, now), fence=before.fence + 1, **wish)
        case State.QUEUED | State.SUBMITTING | State.OUTCOME_UNKNOWN if before.cancel_requested_at is None:
            return jobs.change(c, before, now, **wish)
        case State.QUEUED | State.SUBMITTING | State.OUTCOME_UNKNOWN | State.CANCELING:
            return before
        case _:
            raise WrongState("The result is already there, or the job has ended: it cannot be canceled any more.")


def _settle_unknown(
    c: sqlite3.Connection, id: str, now: Millis, job: ProviderJob | None, failure: Failure | None
) -> Generation:
    before = jobs.existing(c, id)
    if before.state is not State.OUTCOME_UNKNOWN:
        raise WrongState("The outcome of this job is known; there is nothing to resolve.")
    # Whoever was looking at it under a lease is cut off by the next fence.
    if failure is not None:
        return _end(c, before, State.FAILED, now, 0, failure=failure, fence=before.fence + 1)
    to = State.RENDERING if before.cancel_requested_at is None else State.CANCELING
    return jobs.change(c, before, now, **_stage(to, now), job=job, fence=before.fence + 1)


def _late(c: sqlite3.Connection, id: str, now: Millis, job: ProviderJob) -> Generation:
    before = jobs.existing(c, id)
    if before.state not in (State.FAILED, State.CANCELED):
        raise WrongState("Only a job that failed or was canceled can have a late result.")
    return jobs.change(
        c, before, now, **_stage(State.FETCHING, now), job=job, fence=before.fence + 1, finished_at=None, failure=None
    )
