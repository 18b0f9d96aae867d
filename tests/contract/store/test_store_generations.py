"""Jobs on their way: guarded steps, publication, ends, cancels, and outcomes that nobody knows."""

import asyncio

import pytest

import cast
import journey
from cast import NOON
from mutoscope.domain.errors import StaleFence, WrongState
from mutoscope.domain.generation import TERMINAL, TRANSITIONS, Output, State
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.people import Person
from mutoscope.store.port import Patch, Store

S = State
LATER = NOON + MINUTE


async def balance(store: Store, person: Person) -> tuple[int, int]:
    found = await store.ledger.balance(person.id)
    return found.available, found.held


async def test_beginning_keeps_the_lease_and_says_so_to_people(store: Store, alice: Person) -> None:
    await journey.accept(store, alice)
    claimed = await journey.claim(store)
    begun = await store.generations.begin(claimed.id, claimed.fence, LATER, LATER + MINUTE)
    assert (begun.state, begun.fence, begun.lease_until) == (S.SUBMITTING, claimed.fence, LATER + MINUTE)
    assert (begun.version, begun.stage_since, begun.worker) == (claimed.version + 1, LATER, "walker")
    assert await store.generations.get(begun.id) == begun


async def test_advancing_gives_up_the_lease_and_resets_the_attempts(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.RENDERING)
    job = await store.generations.postpone(job.id, job.fence, S.RENDERING, NOON, NOON)
    job = await journey.claim(store)
    assert job.attempts == 1
    outputs = (Output(url="https://example.test/film.mp4"),)
    moved = await store.generations.advance(
        job.id, job.fence, S.RENDERING, S.FETCHING, LATER, Patch(outputs=outputs, progress=1.0)
    )
    assert (moved.state, moved.lease_until, moved.attempts, moved.stage_since) == (S.FETCHING, 0, 0, LATER)
    assert (moved.due_at, moved.outputs, moved.progress) == (LATER, outputs, 1.0)
    assert await store.generations.get(job.id) == moved


async def test_a_patch_writes_what_it_names_and_keeps_the_rest(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.SUBMITTING)
    patch = Patch(job=cast.job(job), submitted_at=NOON, due_at=LATER)
    moved = await journey.step(store, job, S.RENDERING, patch=patch)
    assert (moved.job, moved.submitted_at, moved.due_at) == (cast.job(job), NOON, LATER)
    job = await journey.claim(store, LATER)
    kept = await store.generations.postpone(job.id, job.fence, S.RENDERING, LATER, LATER, Patch(progress=0.5))
    assert (kept.job, kept.submitted_at, kept.progress) == (cast.job(job), NOON, 0.5)


async def test_a_stale_fence_is_refused_by_every_write(store: Store, alice: Person) -> None:
    old = await journey.at(store, alice, S.RENDERING)
    new = await journey.claim(store, old.lease_until)
    assert new.fence == old.fence + 1
    writes = [
        store.generations.renew(old.id, old.fence, LATER),
        store.generations.advance(old.id, old.fence, S.RENDERING, S.FETCHING, LATER),
        store.generations.postpone(old.id, old.fence, S.RENDERING, LATER, LATER),
        store.generations.finish(old.id, old.fence, S.RENDERING, S.FAILED, LATER, journey.BROKE),
        store.generations.begin(old.id, old.fence, LATER, LATER),
        store.generations.publish(old.id, old.fence, LATER, [cast.media(old)], 10),
    ]
    for write in writes:
        with pytest.raises(StaleFence):
            await write
    assert await store.generations.get(old.id) == new
    assert await store.media.of_generation(old.id) == []


async def test_a_write_from_another_state_is_refused(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.RENDERING)
    writes = [
        store.generations.advance(job.id, job.fence, S.FETCHING, S.DEVELOPING, NOON),
        store.generations.postpone(job.id, job.fence, S.FETCHING, NOON, NOON),
        store.generations.finish(job.id, job.fence, S.FETCHING, S.FAILED, NOON, journey.BROKE),
        store.generations.begin(job.id, job.fence, NOON, LATER),
        store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], 10),
    ]
    for write in writes:
        with pytest.raises(StaleFence):
            await write
    assert await store.generations.get(job.id) == job


async def test_writes_to_a_job_that_is_not_there_are_stale(store: Store) -> None:
    with pytest.raises(StaleFence):
        await store.generations.renew("gen_nobody", 1, LATER)
    with pytest.raises(StaleFence):
        await store.generations.advance("gen_nobody", 1, S.RENDERING, S.FETCHING, NOON)


@pytest.mark.parametrize(("from_", "to"), [(a, b) for a in S for b in S if b not in TRANSITIONS[a] or b in TERMINAL])
async def test_advance_takes_only_the_steps_of_the_table(store: Store, from_: State, to: State) -> None:
    with pytest.raises(ValueError, match=f"{from_} to {to}"):
        await store.generations.advance("gen_any", 1, from_, to, NOON)


@pytest.mark.parametrize(
    ("from_", "to"),
    [(S.DEVELOPING, S.SUCCEEDED), (S.RENDERING, S.CANCELED), (S.SUCCEEDED, S.FAILED), (S.QUEUED, S.SUBMITTING)],
)
async def test_finish_ends_only_in_failure_or_cancel_by_the_table(store: Store, from_: State, to: State) -> None:
    with pytest.raises(ValueError, match="job"):
        await store.generations.finish("gen_any", 1, from_, to, NOON, None)


async def test_postponing_counts_an_attempt_and_gives_up_the_lease(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.FETCHING)
    waiting = await store.generations.postpone(job.id, job.fence, S.FETCHING, NOON, LATER)
    assert (waiting.attempts, waiting.due_at, waiting.lease_until) == (1, LATER, 0)
    assert waiting.version == job.version
    assert waiting.stage_since == job.stage_since


async def test_publishing_keeps_the_items_and_takes_the_tokens(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.DEVELOPING, results=2)
    done = await store.generations.publish(job.id, job.fence, LATER, [cast.media(job, 0), cast.media(job, 1)], 20)
    assert (done.state, done.captured, done.finished_at) == (S.SUCCEEDED, 20, LATER)
    assert done.delivered == job.media_ids
    assert [item.id for item in await store.media.of_generation(job.id)] == list(job.media_ids)
    assert await balance(store, alice) == (80, 0)


async def test_many_that_publish_at_once_get_places_one_after_another(store: Store, alice: Person) -> None:
    jobs = [await journey.at(store, alice, S.DEVELOPING) for _ in range(8)]
    await asyncio.gather(*(store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], 10) for job in jobs))
    items = [item for job in jobs for item in await store.media.of_generation(job.id)]
    first = min(item.seq for item in items)
    assert sorted(item.seq for item in items) == list(range(first, first + len(jobs)))
    assert await balance(store, alice) == (20, 0)


async def test_two_of_four_pictures_cost_a_share(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.DEVELOPING, results=4)
    done = await store.generations.publish(job.id, job.fence, NOON, [cast.media(job, 1), cast.media(job, 3)], 20)
    assert done.delivered == (job.media_ids[1], job.media_ids[3])
    assert await balance(store, alice) == (80, 0)
    kinds = [entry.kind.value for entry, _ in (await store.ledger.statement(alice.id, None, 10)).items]
    assert sorted(kinds) == ["capture", "grant", "hold", "release"]


async def test_a_second_publication_is_refused(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.DEVELOPING)
    await store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], 10)
    with pytest.raises(StaleFence):
        await store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], 10)
    assert len(await store.media.of_generation(job.id)) == 1
    assert await balance(store, alice) == (90, 0)


async def test_publishing_twice_at_once_publishes_once(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.DEVELOPING)
    answers = await asyncio.gather(
        *(store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], 10) for _ in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, StaleFence) for answer in answers) == 7
    assert len(await store.media.of_generation(job.id)) == 1
    assert await balance(store, alice) == (90, 0)


@pytest.mark.parametrize("captured", [-1, 11])
async def test_more_than_the_hold_cannot_be_captured(store: Store, alice: Person, captured: int) -> None:
    job = await journey.at(store, alice, S.DEVELOPING)
    with pytest.raises(ValueError, match="capture"):
        await store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], captured)
    assert await store.generations.get(job.id) == job
    assert await balance(store, alice) == (90, 10)


async def test_a_failure_gives_the_tokens_back(store: Store, alice: Person) -> None:
    failed = await journey.failed(store, alice)
    assert (failed.state, failed.failure, failed.captured, failed.finished_at) == (S.FAILED, journey.BROKE, 0, NOON)
    assert await balance(store, alice) == (100, 0)


async def test_a_second_failure_is_refused_and_gives_nothing_back(store: Store, alice: Person) -> None:
    failed = await journey.failed(store, alice)
    with pytest.raises(StaleFence):
        await store.generations.finish(failed.id, failed.fence, S.RENDERING, S.FAILED, NOON, journey.BROKE)
    assert await balance(store, alice) == (100, 0)


async def test_a_late_cancel_costs_the_fee_of_the_model(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.CANCELING)
    ended = await store.generations.finish(job.id, job.fence, S.CANCELING, S.CANCELED, NOON, None, captured=4)
    assert (ended.state, ended.captured, ended.failure) == (S.CANCELED, 4, None)
    assert await balance(store, alice) == (96, 0)


async def test_canceling_in_the_queue_ends_at_once_and_costs_nothing(store: Store, alice: Person) -> None:
    job = await journey.accept(store, alice)
    canceled = await store.generations.cancel(job.id, LATER)
    assert (canceled.state, canceled.captured, canceled.finished_at) == (S.CANCELED, 0, LATER)
    assert canceled.cancel_requested_at == LATER
    assert await balance(store, alice) == (100, 0)
    assert await store.generations.claim(journey.ALL, "w", LATER, LATER + 1, journey.NO_LIMITS) is None


async def test_two_cancels_at_once_give_the_tokens_back_once(store: Store, alice: Person) -> None:
    job = await journey.accept(store, alice)
    answers = await asyncio.gather(*(store.generations.cancel(job.id, NOON) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(answer, WrongState) for answer in answers) == 1
    assert await balance(store, alice) == (100, 0)


async def test_canceling_while_the_provider_works_breaks_the_lease(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.RENDERING)
    canceling = await store.generations.cancel(job.id, LATER)
    assert (canceling.state, canceling.lease_until, canceling.due_at) == (S.CANCELING, 0, LATER)
    assert await balance(store, alice) == (90, 10)
    with pytest.raises(StaleFence):
        await store.generations.renew(job.id, job.fence, LATER + MINUTE)
    with pytest.raises(StaleFence):
        await store.generations.advance(job.id, job.fence, S.RENDERING, S.FETCHING, LATER)
    assert await store.generations.cancel(job.id, LATER + 1) == canceling
    assert (await journey.claim(store, LATER)).state is S.CANCELING


@pytest.mark.parametrize("state", [S.QUEUED, S.SUBMITTING, S.OUTCOME_UNKNOWN])
async def test_a_cancel_that_must_wait_is_noted_once(store: Store, alice: Person, state: State) -> None:
    job = await journey.at(store, alice, state)
    noted = await store.generations.cancel(job.id, NOON + 5)
    assert (noted.state, noted.cancel_requested_at, noted.fence) == (state, NOON + 5, job.fence)
    assert (noted.lease_until, noted.version) == (job.lease_until, job.version + 1)
    assert await store.generations.cancel(job.id, NOON + 6) == noted


async def test_a_cancel_during_submission_takes_effect_when_the_provider_has_it(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.SUBMITTING)
    await store.generations.cancel(job.id, NOON)
    moved = await store.generations.advance(
        job.id, job.fence, S.SUBMITTING, S.RENDERING, LATER, Patch(job=cast.job(job), due_at=LATER + MINUTE)
    )
    assert (moved.state, moved.job) == (S.CANCELING, cast.job(job))


async def test_a_cancel_during_submission_does_not_lose_a_result_that_is_there(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.SUBMITTING)
    await store.generations.cancel(job.id, NOON)
    assert (await journey.step(store, job, S.FETCHING)).state is S.FETCHING


@pytest.mark.parametrize("state", [S.FETCHING, S.DEVELOPING])
async def test_what_the_provider_has_finished_cannot_be_canceled(store: Store, alice: Person, state: State) -> None:
    job = await journey.at(store, alice, state)
    with pytest.raises(WrongState):
        await store.generations.cancel(job.id, NOON)
    assert await store.generations.get(job.id) == job


async def test_what_has_ended_cannot_be_canceled(store: Store, alice: Person) -> None:
    for ended in (await journey.failed(store, alice), (await journey.published(store, alice))[0]):
        with pytest.raises(WrongState):
            await store.generations.cancel(getattr(ended, "generation_id", ended.id), NOON)


async def test_waking_makes_a_job_due_and_changes_nothing_else(store: Store, alice: Person) -> None:
    job = await journey.accept(store, alice, due_at=LATER)
    await store.generations.wake(job.id, NOON)
    await store.generations.wake("gen_nobody", NOON)
    woken = await store.generations.get(job.id)
    assert woken is not None
    assert (woken.due_at, woken.version, woken.fence) == (NOON, job.version, job.fence)
    await store.generations.wake(job.id, LATER)
    assert await store.generations.get(job.id) == woken


async def test_an_unknown_outcome_is_resolved_by_the_providers_job(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.OUTCOME_UNKNOWN)
    resolved = await store.generations.settle_unknown(job.id, LATER, cast.job(job), None)
    assert (resolved.state, resolved.job, resolved.due_at, resolved.lease_until) == (
        S.RENDERING,
        cast.job(job),
        LATER,
        0,
    )
    assert await balance(store, alice) == (90, 10)
    with pytest.raises(StaleFence):
        await store.generations.renew(job.id, job.fence, LATER)
    with pytest.raises(WrongState):
        await store.generations.settle_unknown(job.id, LATER, cast.job(job), None)


async def test_a_cancel_noted_in_an_unknown_outcome_is_honoured_when_it_is_resolved(
    store: Store, alice: Person
) -> None:
    job = await journey.at(store, alice, S.OUTCOME_UNKNOWN)
    await store.generations.cancel(job.id, NOON)
    assert (await store.generations.settle_unknown(job.id, NOON, cast.job(job), None)).state is S.CANCELING


async def test_an_unknown_outcome_is_resolved_by_failure_with_release(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.OUTCOME_UNKNOWN)
    resolved = await store.generations.settle_unknown(job.id, LATER, None, journey.BROKE)
    assert (resolved.state, resolved.failure, resolved.captured) == (S.FAILED, journey.BROKE, 0)
    assert await balance(store, alice) == (100, 0)


async def test_a_known_outcome_is_not_settled_again(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.RENDERING)
    with pytest.raises(WrongState):
        await store.generations.settle_unknown(job.id, NOON, None, journey.BROKE)


async def test_a_late_result_is_kept_and_costs_nothing(store: Store, alice: Person) -> None:
    failed = await journey.failed(store, alice)
    late = await store.generations.late(failed.id, LATER, cast.job(failed))
    assert (late.state, late.job, late.settled) == (S.FETCHING, cast.job(failed), True)
    job = await journey.claim(store, LATER)
    job = await journey.step(store, job, S.DEVELOPING, LATER)
    job = await journey.claim(store, LATER)
    done = await store.generations.publish(job.id, job.fence, LATER, [cast.media(job)], captured=10)
    assert (done.state, done.captured) == (S.SUCCEEDED, 0)
    assert len(await store.media.of_generation(job.id)) == 1
    assert await balance(store, alice) == (100, 0)


async def test_a_late_result_that_cannot_be_had_changes_no_balance(store: Store, alice: Person) -> None:
    job = await journey.at(store, alice, S.CANCELING)
    await store.generations.finish(job.id, job.fence, S.CANCELING, S.CANCELED, NOON, None, captured=4)
    await store.generations.late(job.id, LATER, cast.job(job))
    job = await journey.claim(store, LATER)
    failed = await store.generations.finish(job.id, job.fence, S.FETCHING, S.FAILED, LATER, journey.BROKE)
    assert (failed.state, failed.captured) == (S.FAILED, 4)
    assert await balance(store, alice) == (96, 0)


async def test_only_what_failed_or_was_canceled_has_a_late_result(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    running = await journey.at(store, alice, S.RENDERING)
    for id in (item.generation_id, running.id):
        assert id is not None
        with pytest.raises(WrongState):
            await store.generations.late(id, NOON, cast.job(running))
