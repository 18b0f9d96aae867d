"""Who gets which job: leases, fences, limits and fairness."""

import asyncio
from collections import Counter

import pytest

import journey
from cast import NOON
from mutoscope.domain.errors import StaleFence
from mutoscope.domain.generation import AT_PROVIDER, TAKEN_OVER_AFTER_MS, State
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.people import Person
from mutoscope.store.port import Limits, Patch, Store

S = State
QUEUED = frozenset({S.QUEUED})
LATER = NOON + MINUTE


def limits(per_person: int = 1_000, **per_provider: int) -> Limits:
    return Limits(per_provider=per_provider, per_person=per_person)


async def take(store: Store, limits: Limits, now: int = NOON) -> str | None:
    """Claim from the queue and say whose job it was."""
    job = await store.generations.claim(QUEUED, "w", now, now + MINUTE, limits)
    return job and job.owner_id


async def test_a_claim_sets_the_lease_and_adds_one_to_the_fence(store: Store, alice: Person) -> None:
    job = await journey.accept(store, alice)
    claimed = await store.generations.claim(journey.ALL, "walker", NOON, LATER, journey.NO_LIMITS)
    assert claimed is not None
    assert (claimed.id, claimed.fence, claimed.lease_until, claimed.worker) == (job.id, job.fence + 1, LATER, "walker")
    assert (claimed.state, claimed.version) == (job.state, job.version)
    assert await store.generations.get(job.id) == claimed


async def test_nothing_to_claim_is_none(store: Store) -> None:
    assert await store.generations.claim(journey.ALL, "w", NOON, LATER, journey.NO_LIMITS) is None
    assert await store.generations.claim(frozenset(), "w", NOON, LATER, journey.NO_LIMITS) is None


async def test_a_job_goes_to_one_of_many_workers(store: Store, alice: Person) -> None:
    for _ in range(5):
        await journey.accept(store, alice)
    claims = await asyncio.gather(
        *(store.generations.claim(journey.ALL, f"w{n}", NOON, LATER, journey.NO_LIMITS) for n in range(20))
    )
    taken = [job.id for job in claims if job]
    assert len(taken) == len(set(taken)) == 5


async def test_a_lease_that_has_ended_is_claimable_again(store: Store, alice: Person) -> None:
    await journey.accept(store, alice)
    first = await journey.claim(store)
    assert await store.generations.claim(journey.ALL, "w", first.lease_until - 1, LATER, journey.NO_LIMITS) is None
    second = await journey.claim(store, first.lease_until)
    assert (second.id, second.fence) == (first.id, first.fence + 1)


async def test_a_renewed_lease_is_kept(store: Store, alice: Person) -> None:
    await journey.accept(store, alice)
    job = await journey.claim(store)
    await store.generations.renew(job.id, job.fence, LATER + MINUTE)
    assert await store.generations.claim(journey.ALL, "w", LATER, LATER + 1, journey.NO_LIMITS) is None
    with pytest.raises(StaleFence):
        await store.generations.renew(job.id, job.fence - 1, LATER)


async def test_a_lease_that_was_given_up_is_not_renewed(store: Store, alice: Person) -> None:
    await journey.accept(store, alice)
    job = await journey.claim(store)
    await store.generations.postpone(job.id, job.fence, S.QUEUED, NOON, NOON)
    with pytest.raises(StaleFence):
        await store.generations.renew(job.id, job.fence, LATER)
    assert await store.generations.claim(journey.ALL, "w", NOON, LATER, journey.NO_LIMITS) is not None


async def test_what_is_not_due_is_not_claimed(store: Store, alice: Person) -> None:
    job = await journey.accept(store, alice, due_at=LATER)
    assert await store.generations.claim(journey.ALL, "w", LATER - 1, LATER, journey.NO_LIMITS) is None
    assert (await journey.claim(store, LATER)).id == job.id


async def test_only_the_states_that_were_asked_for_are_claimed(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.RENDERING)
    assert await store.generations.claim(journey.ALL - {S.RENDERING}, "w", LATER, LATER + 1, journey.NO_LIMITS) is None
    claimed = await store.generations.claim(
        frozenset({S.RENDERING, S.FETCHING}), "w", LATER, LATER + 1, journey.NO_LIMITS
    )
    assert claimed is not None
    assert claimed.id == job.id


async def test_who_asks_for_no_state_gets_none_of_the_queue(store: Store, alice: Person) -> None:
    await journey.accept(store, alice)
    assert await store.generations.claim(frozenset(), "w", NOON, LATER, journey.NO_LIMITS) is None
    assert await store.generations.claim(frozenset({S.QUEUED}), "w", NOON, LATER, journey.NO_LIMITS) is not None


async def test_what_has_ended_is_never_claimed(store: Store, alice: Person) -> None:
    await journey.failed(store, alice)
    await journey.published(store, alice)
    assert await store.generations.claim(journey.ALL, "w", LATER, LATER + 1, journey.NO_LIMITS) is None
    assert await store.generations.next_due(journey.ALL) is None


async def test_the_job_that_fell_due_first_comes_first(store: Store, alice: Person) -> None:
    jobs = [await journey.at(store, alice, S.RENDERING, NOON) for _ in range(3)]
    for job, due_at in zip(jobs, (NOON + 30, NOON + 10, NOON + 20), strict=True):
        await store.generations.postpone(job.id, job.fence, S.RENDERING, NOON, due_at)
    claimed = [(await journey.claim(store, LATER)).id for _ in range(3)]
    assert claimed == [jobs[1].id, jobs[2].id, jobs[0].id]


async def test_next_due_is_the_earliest_due_time_or_end_of_a_lease(store: Store, alice: Person) -> None:
    assert await store.generations.next_due(journey.ALL) is None
    await journey.at(store, alice, S.RENDERING)
    assert await store.generations.next_due(journey.ALL) == NOON + journey.LEASE
    await journey.accept(store, alice, due_at=NOON + 5)
    assert await store.generations.next_due(journey.ALL) == NOON + 5
    assert await store.generations.next_due(frozenset({S.RENDERING})) == NOON + journey.LEASE
    assert await store.generations.next_due(frozenset({S.FETCHING})) is None


async def test_queued_jobs_stay_within_the_limit_of_their_provider(store: Store, alice: Person, bob: Person) -> None:
    for owner in (alice, alice, bob):
        await journey.accept(store, owner, provider="fal")
    other = await journey.accept(store, bob, provider="local")
    taken = [await store.generations.claim(QUEUED, "w", NOON, LATER, limits(fal=2)) for _ in range(4)]
    assert Counter(job.pinned.provider for job in taken if job) == {"fal": 2, "local": 1}
    assert other.id in {job.id for job in taken if job}
    assert taken[3] is None


async def test_queued_jobs_stay_within_the_limit_of_a_person(store: Store, alice: Person, bob: Person) -> None:
    for owner in (alice, alice, alice, bob):
        await journey.accept(store, owner)
    taken = [await take(store, limits(per_person=2)) for _ in range(4)]
    assert Counter(taken) == {alice.id: 2, bob.id: 1, None: 1}


@pytest.mark.parametrize("state", sorted(AT_PROVIDER))
async def test_what_is_at_a_provider_takes_a_slot(store: Store, alice: Person, state: State) -> None:
    await journey.at(store, alice, state)
    await journey.accept(store, alice)
    assert await take(store, limits(local=1)) is None
    assert await take(store, limits(per_person=1)) is None
    assert await take(store, limits(per_person=2, local=2)) == alice.id


@pytest.mark.parametrize("state", [S.FETCHING, S.DEVELOPING, S.OUTCOME_UNKNOWN])
async def test_what_has_left_the_provider_takes_no_slot(store: Store, alice: Person, state: State) -> None:
    await journey.at(store, alice, state)
    await journey.accept(store, alice)
    assert await take(store, limits(per_person=1, local=1)) == alice.id


async def test_a_queued_lease_that_has_ended_takes_no_slot(store: Store, alice: Person) -> None:
    await journey.accept(store, alice)
    await journey.accept(store, alice)
    assert await take(store, limits(local=1)) == alice.id
    assert await take(store, limits(local=1)) is None
    assert await take(store, limits(local=1), now=LATER) == alice.id
    assert await take(store, limits(local=1), now=LATER) is None


async def test_limits_do_not_hold_back_what_has_begun(store: Store, alice: Person) -> None:
    await journey.at(store, alice, S.RENDERING)
    claimed = await store.generations.claim(journey.ALL, "w", LATER, LATER + 1, limits(per_person=0, local=0))
    assert claimed is not None
    assert claimed.state is S.RENDERING


async def test_many_claims_at_once_stay_within_the_limit(store: Store, alice: Person, bob: Person) -> None:
    for owner in (alice, bob) * 8:
        await journey.accept(store, owner, price_each=1)
    taken = await asyncio.gather(*(take(store, limits(local=5)) for _ in range(16)))
    assert Counter(taken) == {alice.id: 3, bob.id: 2, None: 11}


async def test_the_owner_with_the_fewest_running_jobs_comes_first(store: Store, alice: Person, bob: Person) -> None:
    for _ in range(3):
        await journey.accept(store, alice)
    await journey.accept(store, bob, created_at=NOON + 1)
    await journey.accept(store, bob, created_at=NOON + 2)
    order = [await take(store, limits()) for _ in range(5)]
    assert order == [alice.id, bob.id, alice.id, bob.id, alice.id]


async def test_of_two_owners_with_as_many_the_older_job_comes_first(store: Store, alice: Person, bob: Person) -> None:
    await journey.at(store, alice, S.RENDERING)
    await journey.at(store, bob, S.RENDERING)
    await journey.accept(store, bob, created_at=NOON + 2)
    await journey.accept(store, alice, created_at=NOON + 3)
    await journey.accept(store, alice, created_at=NOON + 1)
    assert [await take(store, limits()) for _ in range(3)] == [alice.id, bob.id, alice.id]


async def test_a_full_provider_does_not_hold_up_its_owners_other_jobs(store: Store, alice: Person) -> None:
    for n in range(3):
        await journey.accept(store, alice, provider="fal", created_at=NOON + n)
    await journey.accept(store, alice, provider="local", created_at=NOON + 9)
    taken = [await store.generations.claim(QUEUED, "w", NOON, LATER, limits(fal=1)) for _ in range(3)]
    assert [job and job.pinned.provider for job in taken] == ["fal", "local", None]


async def test_a_job_that_has_begun_is_left_to_its_place_until_it_is_late(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.SUBMITTING)
    await store.generations.advance(job.id, job.fence, S.SUBMITTING, S.RENDERING, NOON, Patch(home="here"))

    async def take_at(place: str, now: int) -> str | None:
        found = await store.generations.claim(journey.ALL, "w", now, now, journey.NO_LIMITS, place)
        return found and found.home

    late = NOON + TAKEN_OVER_AFTER_MS
    assert await take_at("there", late - 1) is None
    assert await take_at("here", NOON) == "here"
    assert await take_at("", NOON) == "here"
    assert await take_at("there", late) == "there"
    assert await take_at("here", NOON) is None


async def test_a_job_that_waits_in_the_queue_is_for_every_place(store: Store, alice: Person) -> None:
    await journey.accept(store, alice, home="here")
    claimed = await store.generations.claim(QUEUED, "w", NOON, LATER, journey.NO_LIMITS, "there")
    assert claimed is not None
    assert claimed.home == "there"
    assert await store.generations.get(claimed.id) == claimed
