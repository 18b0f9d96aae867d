"""Jobs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from mutoscope.domain.generation import Failure, Generation, Output, ProviderJob, State
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.store.port.basics import Page


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker writes beside the state. What is UNSET stays."""

    due_at: Millis | UnsetType = UNSET
    progress: float | None | UnsetType = UNSET
    job: ProviderJob | None | UnsetType = UNSET
    outputs: tuple[Output, ...] | UnsetType = UNSET
    submitted_at: Millis | None | UnsetType = UNSET
    home: str | UnsetType = UNSET


NOTHING = Patch()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs may be at a provider (by its name), and at all providers for one person."""

    per_provider: Mapping[str, int]
    per_person: int


class GenerationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list: of one person or of all, in some states or in any."""

    owner_id: str | None = None
    states: frozenset[State] | None = None


class Generations(Protocol):
    """Jobs."""

    async def accept(self, generation: Generation, key: str | None, body_hash: str) -> tuple[Generation, bool]:
        """Insert the job and hold its price, in one commit. Returns the job, and whether it stood there before.

        With an idempotency ``key`` the owner's earlier job of the same key is returned instead, nothing held.
        Raises IdempotencyMismatch when that one had another ``body_hash``, NotEnoughTokens when available < hold.
        """
        ...

    async def of_key(self, owner_id: str, key: str, body_hash: str, now: Millis) -> Generation | None:
        """The owner's earlier job of an idempotency key, as it is now; None while the key is free.

        A look ahead: only ``accept`` decides. Raises IdempotencyMismatch when that job had another ``body_hash``.
        """
        ...

    async def get(self, id: str) -> Generation | None:
        """The job."""
        ...

    async def list(self, filter: GenerationFilter, cursor: str | None, limit: int) -> Page[Generation]:
        """Jobs, newest first. Raises Invalid for a cursor that is not one of ours."""
        ...

    async def claim(
        self,
        states: frozenset[State],
        worker: str,
        now: Millis,
        lease_until: Millis,
        limits: Limits,
        place: str = "",
    ) -> Generation | None:
        """Take one job that is due (``due_at <= now``) and not under a lease: sets the lease, adds one to the fence.

        A ``place`` becomes the job's ``home``; a job that has begun and has another home is left to it until it is
        TAKEN_OVER_AFTER_MS late. Without a place every job may be taken, and stays at home where it is.

        A queued job is given only within ``limits``, counted over jobs in AT_PROVIDER states and queued ones under a
        lease; among queued jobs the owner with the fewest there comes first, then the oldest job. Others: earliest
        ``due_at`` first. None when there is nothing.
        """
        ...

    async def next_due(self, states: frozenset[State]) -> Millis | None:
        """When the earliest job in those states falls due or its lease ends; None when there is none."""
        ...

    async def renew(self, id: str, fence: int, lease_until: Millis) -> None:
        """Prolong a lease that is held. Raises StaleFence, also when it was given up."""
        ...

    async def advance(
        self, id: str, fence: int, from_: State, to: State, now: Millis, patch: Patch = NOTHING
    ) -> Generation:
        """Move a job along the table of transitions, give up the lease, reset ``attempts``; due now unless patched.

        A move out of SUBMITTING to RENDERING goes to CANCELING instead when the person asked for a cancel meanwhile.
        Raises StaleFence when the fence or the state is no longer so; ValueError when the table has no such step or
        ``to`` is terminal.
        """
        ...

    async def begin(self, id: str, fence: int, now: Millis, lease_until: Millis) -> Generation:
        """QUEUED to SUBMITTING, keeping the lease: the intent, committed before the provider is asked. Raises StaleFence."""
        ...

    async def postpone(
        self, id: str, fence: int, state: State, now: Millis, due_at: Millis, patch: Patch = NOTHING
    ) -> Generation:
        """Stay in the state, give up the lease, try again at ``due_at``; counts an attempt. Raises StaleFence.

        Writes an event only when something that people see has changed.
        """
        ...

    async def publish(self, id: str, fence: int, now: Millis, media: Sequence[Media], captured: int) -> Generation:
        """DEVELOPING to SUCCEEDED: insert the items, settle the hold (``captured``; the rest is released), one commit.

        A hold that was settled before stays as it was: the items are kept, uncharged. Raises StaleFence.
        """
        ...

    async def finish(
        self, id: str, fence: int, from_: State, to: State, now: Millis, failure: Failure | None, captured: int = 0
    ) -> Generation:
        """End in FAILED or CANCELED and settle the hold, in one commit (a hold settled before stays). Raises StaleFence."""
        ...

    async def cancel(self, id: str, now: Millis) -> Generation:
        """The person's wish, in one commit. QUEUED without a lease: canceled, all released. RENDERING: canceling, the
        lease broken. QUEUED under a lease, SUBMITTING and OUTCOME_UNKNOWN: noted, for the worker to honour. CANCELING
        or noted before: as it is. Raises WrongState when the provider has finished (FETCHING and after) or the job ended.
        """
        ...

    async def wake(self, id: str, now: Millis) -> None:
        """Make a job due now; nothing else changes. Unknown ids are ignored."""
        ...

    async def settle_unknown(
        self, id: str, now: Millis, job: ProviderJob | None, failure: Failure | None
    ) -> Generation:
        """An administrator's answer to OUTCOME_UNKNOWN: the provider has it (``job``: to RENDERING), or it failed
        (``failure``: to FAILED with release). Raises WrongState in any other state.
        """
        ...

    async def late(self, id: str, now: Millis, job: ProviderJob) -> Generation:
        """A result turned up for a job that FAILED or was CANCELED: to FETCHING, uncharged. Raises WrongState."""
        ...
