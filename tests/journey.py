"""A job's way through a store, as a worker walks it, for tests that begin in the middle."""

from typing import Any

import cast
from mutoscope.domain.counting import Look, day_of
from mutoscope.domain.generation import Failure, FailureKind, Generation, State
from mutoscope.domain.ids import MINUTE, Millis
from mutoscope.domain.media import Media
from mutoscope.domain.people import Person
from mutoscope.store.port import NOTHING, Limits, Patch, Store

LEASE: Millis = MINUTE
NO_LIMITS = Limits(per_provider={}, per_person=1_000_000)
ALL = frozenset(State)
BROKE = Failure(kind=FailureKind.UNAVAILABLE, message="The provider is down; try again later.", detail="503")

WAYS: dict[State, tuple[State, ...]] = {
    State.QUEUED: (),
    State.SUBMITTING: (State.SUBMITTING,),
    State.RENDERING: (State.SUBMITTING, State.RENDERING),
    State.CANCELING: (State.SUBMITTING, State.CANCELING),
    State.OUTCOME_UNKNOWN: (State.SUBMITTING, State.OUTCOME_UNKNOWN),
    State.FETCHING: (State.SUBMITTING, State.RENDERING, State.FETCHING),
    State.DEVELOPING: (State.SUBMITTING, State.RENDERING, State.FETCHING, State.DEVELOPING),
}
"""Which steps lead from the queue to a state."""


async def join(store: Store, person: Person, tokens: int = 100) -> Person:
    """Someone with an account and tokens."""
    return await store.people.add(person, cast.grant(person, tokens) if tokens else None)


async def accept(store: Store, owner: Person, **fields: Any) -> Generation:
    """A job in the queue."""
    generation, _ = await store.generations.accept(cast.generation(owner, **fields), None, "")
    return generation


async def claim(store: Store, now: Millis = cast.NOON, limits: Limits = NO_LIMITS) -> Generation:
    """Whatever is due."""
    generation = await store.generations.claim(ALL, "walker", now, now + LEASE, limits)
    assert generation is not None
    return generation


async def step(store: Store, job: Generation, to: State, now: Millis = cast.NOON, patch: Patch = NOTHING) -> Generation:
    """From a claimed job's state to the next one, or to its end in failure."""
    if to is State.SUBMITTING:
        return await store.generations.begin(job.id, job.fence, now, now + LEASE)
    return await store.generations.advance(job.id, job.fence, job.state, to, now, patch)


async def at(store: Store, owner: Person, state: State, now: Millis = cast.NOON, **fields: Any) -> Generation:
    """A job in that state, under a lease. The store must have no other job that is due."""
    job = await accept(store, owner, **fields)
    job = await claim(store, now)
    for to in WAYS[state]:
        job = await step(store, job, to, now)
        if not job.lease_until:
            job = await claim(store, now)
    return job


async def published(
    store: Store, owner: Person, now: Millis = cast.NOON, results: int = 1, **fields: Any
) -> list[Media]:
    """The items of a job that succeeded; the fields are those of the items."""
    job = await at(store, owner, State.DEVELOPING, now, results=results)
    items = [cast.media(job, position, **fields) for position in range(results)]
    await store.generations.publish(job.id, job.fence, now, items, captured=job.hold)
    return list(await store.media.of_generation(job.id))


async def failed(store: Store, owner: Person, now: Millis = cast.NOON) -> Generation:
    """A job that failed at the provider, its tokens back."""
    job = await at(store, owner, State.RENDERING, now)
    return await store.generations.finish(job.id, job.fence, State.RENDERING, State.FAILED, now, BROKE)


async def view(store: Store, item: Media, now: Millis = cast.NOON) -> None:
    """Somebody who was never seen before looks at an item."""
    day = day_of(now)
    await store.views.secret(day, "a secret of the tests")
    assert await store.views.add(day, [Look(media_id=item.id, viewer=cast.ids.new("vis"))], most=1_000_000) == 1
