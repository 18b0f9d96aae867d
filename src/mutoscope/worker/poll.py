"""Rendering: ask how it stands. Between two questions a job is a row, not a task."""

from mutoscope.domain.generation import Generation, State
from mutoscope.providers.port import Canceled, Finished, Pending, Provider, ProviderError
from mutoscope.store.port import NOTHING, Patch
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.moves import log
from mutoscope.worker.submit import requeue


async def poll(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. Raises StaleFence."""
    if job.cancel_requested_at is not None:
        # Noted while the outcome was unknown.
        return await moves.advance(worker, job, State.CANCELING)
    assert job.job is not None
    try:
        answer = await worker.provider_of(job).poll(job.job)
    except ProviderError as e:
        log.info("poll failed", generation=job.id, stage=job.state, attempt=job.attempts, why=e.kind)
        if e.kind in moves.PASSING:
            return await moves.again(worker, job, moves.pause_ms(worker, job, e))
        if moves.is_lost(worker, job, e):
            return await requeue(worker, job)
        return await moves.refused(worker, job, e)
    if isinstance(answer, Finished):
        return await moves.finished(worker, job, answer)
    if isinstance(answer, Canceled):
        # Stopped by itself, or by someone at the provider's; nobody here asked, so nothing is charged.
        return await moves.advance(worker, job, State.CANCELING)
    return await _pending(worker, worker.provider_of(job), job, answer)


async def _pending(worker: Worker, provider: Provider, job: Generation, answer: Pending) -> Generation:
    late_ms = max(worker.clock.now() - job.due_at, 0)
    pause = moves.next_poll_ms(worker, provider, job, answer.poll_after_ms, late_ms)
    patch = NOTHING
    if answer.progress is not None and answer.progress > (job.progress or 0.0):
        patch = Patch(progress=min(answer.progress, 1.0))
    return await moves.again(worker, job, pause, patch)
