"""Canceling: stands until the provider has answered."""

from mutoscope.domain.generation import Generation
from mutoscope.providers.port import Canceled, Finished, ProviderError
from mutoscope.worker import moves
from mutoscope.worker.context import Worker


async def cancel(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. What was finished first succeeds and is charged. Raises StaleFence."""
    assert job.job is not None
    try:
        answer = await worker.provider_of(job).cancel(job.job)
    except ProviderError as e:
        if e.kind in moves.PASSING:
            return await moves.again(worker, job, moves.pause_ms(worker, job, e))
        return await moves.refused(worker, job, e)
    if isinstance(answer, Finished):
        return await moves.finished(worker, job, answer)
    if isinstance(answer, Canceled):
        return await moves.canceled(worker, job)
    return await moves.again(worker, job, max(moves.pause_ms(worker, job), answer.poll_after_ms or 0))
