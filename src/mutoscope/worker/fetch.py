"""Fetching: stream each output to the spool. A failed fetch fetches again; nothing here makes a provider generate."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec

from mutoscope.domain.generation import Failure, FailureKind, Generation, Output, State
from mutoscope.providers.port import Finished, Pending, ProviderError
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.store.port import Patch
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.moves import log
from mutoscope.worker.streams import Stalled, patiently
from mutoscope.worker.submit import requeue

SAME_ADDRESS_TRIES = 8
"""How often a dead address is tried for which the provider has no other: it may be late, not gone."""

EXPIRED = Failure(
    kind=FailureKind.EXPIRED,
    message="The provider no longer has the result. Your tokens are back; try it again.",
)


async def fetch(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. Raises StaleFence."""
    if not job.outputs:
        # A late result: what is known is the provider's job.
        return await _refresh(worker, job)
    if (home := _elsewhere(worker, job)) is not None:
        log.warning("its bytes are elsewhere", generation=job.id, stage=job.state, attempt=job.attempts, place=home)
        return await moves.again(worker, job, moves.pause_ms(worker, job), Patch(home=home))
    kept: list[Output] = []
    withheld: ProviderError | None = None
    for place, output in enumerate(job.outputs):
        named = msgspec.structs.replace(output, spooled=output.spooled or str(place))
        try:
            await _bring(worker, job, named)
        except TooMuch:
            log.warning("too large", generation=job.id, stage=job.state, attempt=job.attempts, place=place)
            continue
        except ProviderError as e:
            if e.kind is FailureKind.EXPIRED:
                return await _refresh(worker, job)
            if e.kind is FailureKind.MODERATED:
                # Some say so only at the end of the bytes.
                log.info("withheld", generation=job.id, stage=job.state, attempt=job.attempts, place=place)
                withheld = e
                continue
            return await _wait(worker, job, e)
        except (SpoolFull, Stalled) as e:
            return await _wait(worker, job, e)
        kept.append(named)
    if not kept and withheld is not None:
        return await moves.refused(worker, job, withheld)
    if not kept:
        message = "The result is larger than this studio takes. Your tokens are back."
        return await moves.fail(worker, job, Failure(kind=FailureKind.UNUSABLE, message=message))
    return await moves.advance(worker, job, State.DEVELOPING, Patch(outputs=tuple(kept)))


def _elsewhere(worker: Worker, job: Generation) -> str | None:
    """Another place that alone has bytes of this job: it is waited for, since nobody else can bring them."""
    for output in job.outputs:
        if output.url is None and output.place != worker.place and not path_of(worker, job, output).exists():
            return output.place
    return None


def path_of(worker: Worker, job: Generation, output: Output) -> Path:
    """Where an output's bytes are when they are whole."""
    assert output.spooled is not None
    return worker.spool.folder(job.id) / output.spooled


async def _bring(worker: Worker, job: Generation, output: Output) -> None:
    path = path_of(worker, job, output)
    if path.exists():
        return
    if output.url is None:
        raise ProviderError(FailureKind.EXPIRED, EXPIRED.message, "the spooled bytes are gone")
    stream = worker.provider_of(job).open(output)
    async with aclosing(patiently(stream, worker.numbers.stall_ms)) as chunks:
        # Written under a name of this claim's own, so that two holders never write into one file.
        mine = path.with_name(f"{path.name}.{job.fence}")
        # The darkroom makes the checksum, of what it has looked at.
        written = await worker.spool.write(mine, chunks, worker.media_limits.size_bytes, hashed=False)
    await asyncio.to_thread(mine.rename, path)
    log.info("fetched", generation=job.id, stage=job.state, attempt=job.attempts, size_bytes=written.size_bytes)


async def _refresh(worker: Worker, job: Generation) -> Generation:
    """Ask the provider where the bytes are now."""
    if job.job is None:
        return await moves.fail(worker, job, EXPIRED)
    try:
        answer = await worker.provider_of(job).poll(job.job)
    except ProviderError as e:
        if moves.is_lost(worker, job, e):
            return await requeue(worker, job)
        return await (_wait(worker, job, e) if e.kind in moves.PASSING else moves.fail(worker, job, EXPIRED))
    if isinstance(answer, Pending):
        return await moves.again(worker, job, moves.pause_ms(worker, job))
    if not isinstance(answer, Finished) or not answer.outputs:
        return await moves.fail(worker, job, EXPIRED)
    outputs = answer.outputs[: len(job.media_ids)]
    if {o.url for o in outputs} <= {o.url for o in job.outputs}:
        if job.attempts >= SAME_ADDRESS_TRIES:
            return await moves.fail(worker, job, EXPIRED)
        return await moves.again(worker, job, moves.pause_ms(worker, job))
    # The first fresh address is tried at once; one that is dead again waits like any failure.
    pause = moves.pause_ms(worker, job) if job.attempts else 0
    return await moves.again(worker, job, pause, Patch(outputs=outputs))


async def _wait(worker: Worker, job: Generation, e: Exception) -> Generation:
    error = e if isinstance(e, ProviderError) else None
    why = error.kind if error else type(e).__name__
    log.warning("fetch failed", generation=job.id, stage=job.state, attempt=job.attempts, why=why)
    return await moves.again(worker, job, moves.pause_ms(worker, job, error))
