"""Queued to submitting to rendering: ask the provider, once. The one unsafe step.

The intent is committed before the call; from then on a job whose answer is not known goes to `recover`, never back to
the queue by itself.
"""

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken, Unreadable
from mutoscope.domain.generation import Failure, FailureKind, Generation, State
from mutoscope.domain.ids import Millis
from mutoscope.providers.port import Accepted, Finished, Order, Provider, ProviderError
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.store.port import Patch
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.moves import log
from mutoscope.worker.order import order_for
from mutoscope.worker.streams import Stalled


async def submit(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. Raises StaleFence."""
    if job.cancel_requested_at is not None:
        return await moves.canceled(worker, job)
    if moves.overdue(worker, job):
        return await moves.out_of_time(worker, job)
    try:
        provider = worker.provider_of(job)
        order = await order_for(worker, job)
    except (BlobMissing, TooMuch):
        return await moves.fail(worker, job, SOURCE_GONE)
    except Unreadable as e:
        return await moves.fail(worker, job, source_unreadable(e))
    except (BlobsUnavailable, DarkroomBroken, SpoolFull, Stalled, ProviderError) as e:
        log.warning("waits", generation=job.id, stage=job.state, attempt=job.attempts, why=type(e).__name__)
        return await moves.again(worker, job, moves.pause_ms(worker, job))
    now = worker.clock.now()
    begun = await worker.store.generations.begin(job.id, job.fence, now, now + worker.numbers.lease_ms)
    if begun.cancel_requested_at is not None:
        return await moves.canceled(worker, begun)
    if worker.clock.now() > now + worker.numbers.lease_ms // 2:
        # A store that was slow to answer: the lease could end, and another ask, while this request is on its way.
        return await requeue(worker, begun)
    return await ask(worker, provider, begun, order)


SOURCE_GONE = Failure(
    kind=FailureKind.INVALID, message="The source picture is not there any more. Choose it again and try once more."
)


def source_unreadable(e: Unreadable) -> Failure:
    """Why a job fails whose source picture cannot be made to fit."""
    return Failure(kind=FailureKind.INVALID, message=f"The source picture cannot be used. {e}")


async def ask(worker: Worker, provider: Provider, job: Generation, order: Order) -> Generation:
    """Send the order and write down the answer. What else is raised leaves the job in SUBMITTING, for `recover`."""
    asked_at = worker.clock.now()
    try:
        answer = await provider.submit(order)
    except ProviderError as e:
        log.info("refused", generation=job.id, stage=job.state, attempt=job.attempts, why=e.kind)
        if e.kind in moves.SURELY_NOT_TAKEN:
            return await requeue(worker, job, e.retry_after_ms)
        if e.kind in moves.REFUSALS:
            return await moves.refused(worker, job, e)
        return await moves.again(worker, job, moves.pause_ms(worker, job, e))
    return await taken(worker, provider, job, answer, asked_at)


async def taken(
    worker: Worker, provider: Provider, job: Generation, answer: Accepted | Finished, asked_at: Millis
) -> Generation:
    """The provider has it. The store turns RENDERING into CANCELING where the person asked for that meanwhile."""
    if isinstance(answer, Finished):
        return await moves.finished(worker, job, answer, Patch(submitted_at=asked_at))
    now = worker.clock.now()
    patch = Patch(job=answer.job, submitted_at=now, due_at=now + moves.next_poll_ms(worker, provider, job))
    return await moves.advance(worker, job, State.RENDERING, patch)


async def requeue(worker: Worker, job: Generation, retry_after_ms: Millis | None = None) -> Generation:
    """Back to the queue, since it was surely not taken; half as long again as it has waited, within the bounds.

    Attempts begin anew with each stage, so the time since the order makes the pauses grow.
    """
    now, numbers = worker.clock.now(), worker.numbers
    grown = min(max((now - job.created_at) // 2, numbers.retry_base_ms), numbers.retry_cap_ms)
    due_at = now + max(grown, retry_after_ms or 0)
    moved = await moves.advance(worker, job, State.QUEUED, Patch(due_at=due_at))
    if moved.cancel_requested_at is not None:
        # Asked for while the request was under way: the next claim honours it, without the pause.
        await worker.store.generations.wake(job.id, now)
    return moved
