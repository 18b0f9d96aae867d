"""The moves that several stages make: try again, hand on, end. Money moves in the store, in the same commit."""

import asyncio
import random
import traceback
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from mutoscope.domain.generation import Failure, FailureKind, Generation, State, backoff_ms, poll_after_ms
from mutoscope.domain.ids import Millis
from mutoscope.providers.port import Finished, Provider, ProviderError
from mutoscope.store.port import NOTHING, Patch, StoreUnavailable
from mutoscope.worker.context import Worker

log: Any = structlog.get_logger("mutoscope.worker")

SURELY_NOT_TAKEN = frozenset({FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE})
REFUSALS = frozenset(
    {
        FailureKind.INVALID,
        FailureKind.MODERATED,
        FailureKind.UNAUTHORIZED,
        FailureKind.OUT_OF_CREDIT,
        FailureKind.RETIRED,
    }
)
PASSING = SURELY_NOT_TAKEN | {FailureKind.UNAUTHORIZED, FailureKind.OUT_OF_CREDIT, FailureKind.AMBIGUOUS}
"""Answers to a question about a job that say nothing of the job itself: a key that is refused today, say."""

SPREAD = 0.2
"""How much longer than it has to be a pause between two polls may be."""

TIMED_OUT = {
    State.QUEUED: "The provider had no room for this job in time.",
    State.RENDERING: "The provider did not finish in time.",
    State.OUTCOME_UNKNOWN: "The provider never told what became of this job.",
    State.FETCHING: "The result could not be fetched from the provider in time.",
    State.DEVELOPING: "The result could not be stored in time.",
}


def deadline_ms(worker: Worker, job: Generation) -> Millis:
    """When the present stage has had its time. Waiting in the queue counts from the order, however often it came back."""
    since = job.created_at if job.state is State.QUEUED else job.stage_since
    return since + worker.deadlines[job.state]


def overdue(worker: Worker, job: Generation) -> bool:
    """Whether the present stage has had its time."""
    return worker.clock.now() >= deadline_ms(worker, job)


def pause_ms(worker: Worker, job: Generation, error: ProviderError | None = None) -> Millis:
    """The pause after a failure: doubling with each try, and not shorter than the provider asked for."""
    pause = backoff_ms(job.attempts, worker.numbers.retry_base_ms, worker.numbers.retry_cap_ms)
    return max(pause, (error.retry_after_ms if error else None) or 0)


def next_poll_ms(
    worker: Worker, provider: Provider, job: Generation, asked_ms: Millis | None = None, late_ms: Millis = 0
) -> Millis:
    """The pause before the provider is asked how it stands; ``asked_ms`` is what it wants, which is honoured within bounds.

    Up to a fifth longer, by chance, and by as much as this poll was late, at most twice as long: jobs that came due
    together, as all do while the studio is off, are not asked for together for ever.
    """
    pause = poll_after_ms(job.pinned.typical_ms, provider.minimum_poll_ms)
    if asked_ms is not None:
        pause = max(min(asked_ms, worker.numbers.retry_cap_ms), provider.minimum_poll_ms)
    longer_ms = pause * SPREAD + min(late_ms, pause)
    return pause + int(longer_ms * random.random())  # noqa: S311  # spreads questions, hides nothing


async def again(worker: Worker, job: Generation, pause: Millis, patch: Patch = NOTHING) -> Generation:
    """Try the stage again after ``pause`` ms. A stage that has had its time ends instead.

    Stages look before they end: a server that was off for a day finds what was finished meanwhile.
    """
    if overdue(worker, job):
        return await out_of_time(worker, job)
    now = worker.clock.now()
    due_at = min(now + pause, deadline_ms(worker, job))
    return await worker.store.generations.postpone(job.id, job.fence, job.state, now, due_at, patch)


async def out_of_time(worker: Worker, job: Generation) -> Generation:
    """End a stage at its deadline: what nobody can tell becomes OUTCOME_UNKNOWN, the rest fails or is canceled."""
    if job.state is State.SUBMITTING:
        return await advance(worker, job, State.OUTCOME_UNKNOWN)
    if job.state is State.CANCELING or (job.state is State.OUTCOME_UNKNOWN and job.cancel_requested_at is not None):
        return await canceled(worker, job)
    message = f"{TIMED_OUT[job.state]} Your tokens are back; try it again."
    return await fail(worker, job, Failure(kind=FailureKind.TIMED_OUT, message=message, detail=f"stage {job.state}"))


async def advance(worker: Worker, job: Generation, to: State, patch: Patch = NOTHING) -> Generation:
    """Hand the job on to another stage."""
    moved = await worker.store.generations.advance(job.id, job.fence, job.state, to, worker.clock.now(), patch)
    log.info("moved", generation=job.id, stage=job.state, to=moved.state, attempt=job.attempts)
    return moved


async def finished(worker: Worker, job: Generation, answer: Finished, patch: Patch = NOTHING) -> Generation:
    """The provider has made it: fetch it. With nothing to fetch it is no success, whatever the provider calls it."""
    outputs = answer.outputs[: len(job.media_ids)]
    if not outputs and answer.withheld:
        return await fail(worker, job, Failure(kind=FailureKind.MODERATED, message=answer.withheld))
    if not outputs:
        message = "The provider finished without a result. Your tokens are back; try it again."
        return await fail(worker, job, Failure(kind=FailureKind.UNUSABLE, message=message))
    # What came with the answer is nowhere else.
    outputs = tuple(replace(o, place=worker.place) if o.url is None else o for o in outputs)
    patch = Patch(outputs=outputs, submitted_at=patch.submitted_at)
    return await advance(worker, job, State.FETCHING, patch)


def is_lost(worker: Worker, job: Generation, error: ProviderError) -> bool:
    """Whether the provider no longer has a job that it may simply make again: one that nobody has settled or canceled."""
    provider = worker.providers.get(job.pinned.provider)
    lost = error.kind is FailureKind.EXPIRED and provider is not None and provider.repeats_free
    return lost and not job.settled and job.cancel_requested_at is None


async def fail(worker: Worker, job: Generation, failure: Failure) -> Generation:
    """End in FAILED; the tokens go back in the same commit."""
    return await _end(worker, job, State.FAILED, failure, 0)


async def refused(worker: Worker, job: Generation, error: ProviderError) -> Generation:
    """End in FAILED for what the provider said. A model that is gone is marked, so that nobody orders it again."""
    ended = await fail(worker, job, Failure(kind=error.kind, message=error.message, detail=error.detail))
    if error.kind is FailureKind.RETIRED:
        await _retire(worker, job, error)
    return ended


async def _retire(worker: Worker, job: Generation, error: ProviderError) -> None:
    # After the tokens: what fails or is killed here is marked by the next job that is refused.
    model, why = job.pinned, error.detail or error.message
    try:
        new = await worker.store.models.retire(model.model, model.upstream, why, worker.clock.now())
    except StoreUnavailable as e:
        log.warning("the model is not marked as retired yet", model=model.model, why=str(e))
        return
    if new:
        log.warning("the provider says that the model is gone", model=model.model, upstream=model.upstream)


async def canceled(worker: Worker, job: Generation) -> Generation:
    """End in CANCELED. The model's fee is taken when the provider had begun before the person asked."""
    asked, begun = job.cancel_requested_at, job.submitted_at
    late = asked is not None and begun is not None and asked >= begun
    return await _end(worker, job, State.CANCELED, None, min(job.pinned.cancel_fee, job.hold) if late else 0)


async def _end(worker: Worker, job: Generation, to: State, failure: Failure | None, captured: int) -> Generation:
    ended = await worker.store.generations.finish(
        job.id, job.fence, job.state, to, worker.clock.now(), failure, captured
    )
    log.info("ended", generation=job.id, stage=job.state, to=to, attempt=job.attempts, why=failure and failure.kind)
    if failure is None or failure.kind is not FailureKind.TIMED_OUT:
        # What a job that ran out of time had spooled is left to the sweep: a person may still rescue it.
        await clear(worker, job.id)
    return ended


async def clear(worker: Worker, name: str) -> None:
    """Remove a spool folder that nobody needs any more."""
    await asyncio.to_thread(worker.spool.clear, name)


def where(e: BaseException) -> list[str]:
    """Where an exception came from, for the log. Its own words may hold an address or a prompt, so they stay out."""
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(e.__traceback__)[-5:]]
