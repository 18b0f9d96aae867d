"""Developing: facts, poster and thumbnails, then master and variants to the blob store, then publish."""

import asyncio
import shutil
from pathlib import Path

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken, Derived, Developed, Unreadable
from mutoscope.domain.generation import Failure, FailureKind, Generation, Output, State
from mutoscope.domain.media import Kind, StoredFile, Variant, key_for
from mutoscope.spool import SpoolFull
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.fetch import path_of
from mutoscope.worker.moves import log
from mutoscope.worker.publish import Stored, publish

SET_ASIDE = ".unreadable"


async def develop(worker: Worker, job: Generation) -> Generation:
    """One run of the stage. The bytes stay in the spool until the items are published. Raises StaleFence."""
    items: list[Stored] = []
    reasons: list[str] = []
    for place, output in enumerate(job.outputs):
        path = path_of(worker, job, output)
        if not path.exists():
            return await moves.advance(worker, job, State.FETCHING)
        try:
            items.append(await _one(worker, job, path, job.media_ids[place]))
        except Unreadable as e:
            log.warning("unreadable", generation=job.id, stage=job.state, attempt=job.attempts, place=place)
            if await _set_aside(output, path):
                return await moves.advance(worker, job, State.FETCHING)
            reasons.append(str(e))
        except (BlobsUnavailable, SpoolFull, DarkroomBroken) as e:
            log.warning("waits", generation=job.id, stage=job.state, attempt=job.attempts, why=type(e).__name__)
            return await moves.again(worker, job, moves.pause_ms(worker, job))
    if not items:
        message = "What the provider sent is no picture or film that can be used. Your tokens are back; try it again."
        failure = Failure(kind=FailureKind.UNUSABLE, message=message, detail=" ".join(reasons))
        return await moves.fail(worker, job, failure)
    return await publish(worker, job, items)


async def _set_aside(output: Output, path: Path) -> bool:
    """Whether the file was put aside to be fetched once more: the first time, it may be the way that spoiled it."""
    aside = path.with_name(path.name + SET_ASIDE)
    if output.url is None or aside.exists():
        return False
    await asyncio.to_thread(path.rename, aside)
    return True


async def _one(worker: Worker, job: Generation, path: Path, media_id: str) -> Stored:
    work = path.with_name(f"work-{job.fence}-{path.name}")
    try:
        await asyncio.to_thread(_fresh, work)
        developed = await worker.darkroom.develop(path, work, worker.media_limits)
        if developed.facts.kind is not job.pinned.kind:
            raise Unreadable(f"This is no {job.pinned.kind}.")
        return Stored(media_id=media_id, developed=developed, files=await _store(worker, media_id, path, developed))
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


def _fresh(work: Path) -> None:
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
    except OSError as e:
        raise SpoolFull("The work folder cannot be made: free some space or mend its permissions.") from e


async def _store(worker: Worker, media_id: str, path: Path, developed: Developed) -> dict[Variant, StoredFile]:
    facts = developed.facts
    master = Derived(path=path, mime_type=facts.mime_type, width=facts.width, height=facts.height)
    files = {Variant.MASTER: await put(worker, facts.kind, media_id, Variant.MASTER, master)}
    for variant, derived in developed.files.items():
        files[variant] = await put(worker, facts.kind, media_id, variant, derived)
    return files


async def put(worker: Worker, kind: Kind, media_id: str, variant: Variant, derived: Derived) -> StoredFile:
    """Store one file under its own key, and see that it is there. Raises BlobsUnavailable."""
    return await put_at(worker, key_for(kind, media_id, variant, derived.mime_type), derived)


async def put_at(worker: Worker, key: str, derived: Derived) -> StoredFile:
    """Store one file under a key, and see that it is there. Raises BlobsUnavailable."""
    size_bytes = derived.path.stat().st_size
    await worker.blobs.put(key, derived.path, derived.mime_type)
    try:
        stored = await worker.blobs.head(key)
    except BlobMissing as e:
        raise BlobsUnavailable("What was just stored is not there.") from e
    if stored.size_bytes != size_bytes:
        raise BlobsUnavailable("What was just stored has another size.")
    return StoredFile(
        key=key, mime_type=derived.mime_type, size_bytes=size_bytes, width=derived.width, height=derived.height
    )
