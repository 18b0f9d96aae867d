"""Outcome unknown: look again from time to time; at the deadline the tokens go back. Never a second request."""

from mutoscope.domain.generation import Generation, State, backoff_ms
from mutoscope.domain.ids import HOUR, MINUTE
from mutoscope.providers.port import CannotTell, ProviderError
from mutoscope.worker import moves, submit
from mutoscope.worker.context import Worker
from mutoscope.worker.recover import resolve


async def unknown(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. A cancel asked for meanwhile waits for the answer too. Raises StaleFence."""
    pause = backoff_ms(job.attempts, MINUTE, HOUR)
    try:
        provider = worker.provider_of(job)
        # A call of the provider's may have named it before anybody knew that its answer was lost.
        known = await worker.store.hooks.job(provider.name, job.id) or await provider.find(job.id)
    except ProviderError as e:
        return await moves.again(worker, job, max(pause, e.retry_after_ms or 0))
    if not isinstance(known, CannotTell):
        return await resolve(worker, provider, job, known)
    if provider.idempotent_by_reference and job.cancel_requested_at is None and not moves.overdue(worker, job):
        return await submit.requeue(worker, job)
    return await moves.again(worker, job, worker.deadlines[State.OUTCOME_UNKNOWN])
