"""The order that goes to a provider, with the source picture as a file on this machine."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from mutoscope.domain.generation import FailureKind, Generation, Output, Source
from mutoscope.domain.source import SourceFit
from mutoscope.providers.port import Order, ProviderError, SourceFile
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.worker.context import Worker
from mutoscope.worker.streams import patiently

SOURCE = "source"
"""The name of the source picture in the job's spool folder."""
FITTED = "source.fitted"
"""The name of what was made of it for the provider."""


async def order_for(worker: Worker, job: Generation) -> Order:
    """All that the provider needs. Nothing is asked yet.

    Raises SpoolFull, BlobsUnavailable, BlobMissing, Stalled, and of a source Unreadable, DarkroomBroken.
    """
    folder = worker.spool.folder(job.id)
    if shutil.disk_usage(folder).free < worker.numbers.free_bytes:
        raise SpoolFull("No room in the spool folder for a result: free some space.")
    return Order(
        reference=job.id,
        upstream=job.pinned.upstream,
        kind=job.pinned.kind,
        prompt=", ".join(text for text in (job.prompt.strip(), job.context.strip()) if text),
        negative_prompt=job.negative_prompt,
        parameters=job.parameters,
        seed=job.seed,
        results=len(job.media_ids),
        source=await _source(worker, job, job.source, folder) if job.source else None,
        spool=folder,
        keep=partial(_keep, worker, job, folder),
        webhook_url=f"{worker.webhook_base}/hooks/{job.pinned.provider}/{job.id}" if worker.webhook_base else None,
    )


async def _keep(worker: Worker, job: Generation, folder: Path, place: int, chunks: AsyncIterator[bytes]) -> Output:
    # Whole under its number or not there at all: what `recover` finds after a crash is a result.
    mine = folder / f"{place}.{job.fence}"
    try:
        async with aclosing(patiently(chunks, worker.numbers.stall_ms)) as patient:
            await worker.spool.write(mine, patient, worker.media_limits.size_bytes, hashed=False)
    except TooMuch as e:
        message = "The result is larger than this studio takes. Your tokens are back."
        raise ProviderError(FailureKind.INVALID, message) from e
    await asyncio.to_thread(mine.rename, folder / str(place))
    return Output(spooled=str(place))


async def _source(worker: Worker, job: Generation, source: Source, folder: Path) -> SourceFile:
    fit, fitted = job.pinned.source, folder / FITTED
    path = folder / SOURCE
    if not path.exists() and not (fit and fitted.exists()):
        await bring(worker, source.key, path, source.size_bytes, job.fence)
    if fit is None:
        return SourceFile(path=path, mime_type=source.mime_type, width=source.width, height=source.height)
    if not fitted.exists():
        await _fit(worker, job, source, path, fit)
    return SourceFile(path=fitted, mime_type=fit.mime_type, width=fit.width, height=fit.height)


async def _fit(worker: Worker, job: Generation, source: Source, path: Path, fit: SourceFit) -> None:
    mine = path.with_name(f"{FITTED}.{job.fence}")
    # What was taken in is made to fit also when the limits have become narrower since.
    pixels = max(worker.media_limits.pixels, source.width * source.height)
    limits = replace(worker.media_limits, size_bytes=source.size_bytes, pixels=pixels)
    await worker.darkroom.fit(path, mine, fit, limits)
    await asyncio.to_thread(mine.rename, path.with_name(FITTED))


async def bring(worker: Worker, key: str, path: Path, size_bytes: int, fence: int) -> None:
    """Copy a blob to a file. Raises SpoolFull, BlobsUnavailable, BlobMissing, Stalled."""
    async with aclosing(patiently(worker.blobs.read(key), worker.numbers.stall_ms)) as chunks:
        # Written under a name of this claim's own, so that two holders never write into one file.
        mine = path.with_name(f"{path.name}.{fence}")
        written = await worker.spool.write(mine, chunks, size_bytes, hashed=False)
    await asyncio.to_thread(written.path.rename, path)
