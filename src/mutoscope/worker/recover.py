"""A job found in submitting: we meant to ask the provider, and do not know whether it heard. It is not asked twice."""

import re

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken, Unreadable
from mutoscope.domain.generation import Generation, Output, ProviderJob, State, found
from mutoscope.providers.port import Accepted, CannotTell, Finished, Gone, Provider, ProviderError
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.worker import moves, submit
from mutoscope.worker.context import Worker
from mutoscope.worker.moves import log
from mutoscope.worker.order import order_for
from mutoscope.worker.streams import Stalled

KEPT = re.compile(r"([0-9]+)(?:\.[0-9]+)?")
"""What `order.keep` leaves of a result that is whole."""


async def recover(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. Raises StaleFence."""
    try:
        provider = worker.provider_of(job)
        if provider.idempotent_by_reference:
            order = await order_for(worker, job)
            return await submit.ask(worker, provider, job, order)
        known = await provider.find(job.id)
    except (BlobMissing, TooMuch):
        return await moves.fail(worker, job, submit.SOURCE_GONE)
    except Unreadable as e:
        return await moves.fail(worker, job, submit.source_unreadable(e))
    except (BlobsUnavailable, DarkroomBroken, SpoolFull, Stalled, ProviderError) as e:
        log.warning("waits", generation=job.id, stage=job.state, attempt=job.attempts, why=type(e).__name__)
        return await moves.again(worker, job, moves.pause_ms(worker, job))
    if isinstance(known, CannotTell):
        return await _cannot_tell(worker, job)
    return await resolve(worker, provider, job, known)


async def resolve(worker: Worker, provider: Provider, job: Generation, known: ProviderJob | Gone) -> Generation:
    """What the provider says of a job in SUBMITTING or OUTCOME_UNKNOWN decides."""
    now = worker.clock.now()
    if isinstance(known, ProviderJob):
        return await submit.taken(worker, provider, job, Accepted(job=found(job, known)), now)
    believed_at = job.stage_since + worker.numbers.gone_after_ms
    if now < believed_at:
        return await moves.again(worker, job, believed_at - now)
    if job.cancel_requested_at is not None:
        return await moves.canceled(worker, job)
    return await submit.requeue(worker, job)


async def _cannot_tell(worker: Worker, job: Generation) -> Generation:
    """A provider that answers with the bytes themselves may have begun to: what is whole in the spool is the result."""
    found = [match for path in worker.spool.folder(job.id).iterdir() if (match := KEPT.fullmatch(path.name))]
    # By place, and one for each: a name with a claim's number was whole, and had not got its own name yet.
    whole = {int(match[1]): match[0] for match in sorted(found, key=lambda match: (int(match[1]), match[0]))}
    if whole:
        outputs = tuple(Output(spooled=name) for name in whole.values())
        return await moves.finished(worker, job, Finished(outputs=outputs))
    return await moves.advance(worker, job, State.OUTCOME_UNKNOWN)
