"""After an item was locked: its blurred files. Until they are there, strangers see a plain sheet and nothing of the item."""

import asyncio
import shutil

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken, Derived, Unreadable
from mutoscope.domain.generation import backoff_ms
from mutoscope.domain.media import Kind, Media, StoredFile, Variant, blurred_key, blurred_prefix
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.store.port import Blur
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.develop import put_at
from mutoscope.worker.moves import log
from mutoscope.worker.order import bring
from mutoscope.worker.streams import Stalled

STILLS = (Variant.THUMB_SMALL, Variant.POSTER, Variant.MASTER)
"""What the blurred pictures are made of: the first that is there. A few pixels are left, so the smallest is enough."""


async def blur(worker: Worker, taken: Blur) -> None:
    """One run of the step. Raises StaleFence."""
    item = taken.item
    try:
        files = await _make(worker, taken)
    except (BlobsUnavailable, SpoolFull, DarkroomBroken, Stalled) as e:
        await _later(worker, taken, e)
        return
    if Variant.BLURRED not in files:
        files = {}  # the preview alone would leave the item without a poster, as if it had one
    now = worker.clock.now()
    done = await worker.store.media.finish_blur(item.id, taken.fence, item.blur_intensity, now, files)
    await moves.clear(worker, _folder(item))
    await _forget_older(worker, done)


def _folder(item: Media) -> str:
    return f"blur-{item.id}"


async def _make(worker: Worker, taken: Blur) -> dict[Variant, StoredFile]:
    item, files = taken.item, dict[Variant, StoredFile]()
    stills = [v for v in STILLS if v in item.files and not (v is Variant.MASTER and item.facts.kind is Kind.VIDEO)]
    for variant in (*stills[:1], *({Variant.PREVIEW} & item.files.keys())):
        try:
            files |= await _made_of(worker, taken, variant)
        except (Unreadable, BlobMissing, TooMuch) as e:
            log.warning("not blurred", media=item.id, variant=variant, attempt=taken.attempts, why=type(e).__name__)
    return files


async def _made_of(worker: Worker, taken: Blur, variant: Variant) -> dict[Variant, StoredFile]:
    item, stored = taken.item, taken.item.files[variant]
    folder = worker.spool.folder(_folder(item))
    path, work = folder / f"{variant}.{item.version}", folder / f"work-{variant}-{taken.fence}"
    if not path.exists():
        await bring(worker, stored.key, path, stored.size_bytes, taken.fence)
    try:
        await asyncio.to_thread(work.mkdir)
        made = await worker.darkroom.blur(path, work, item.blur_intensity, worker.media_limits)
        return {made_variant: await _put(worker, item, made_variant, d) for made_variant, d in made.items()}
    except OSError as e:
        raise SpoolFull("The work folder cannot be made: free some space or mend its permissions.") from e
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


async def _put(worker: Worker, item: Media, variant: Variant, derived: Derived) -> StoredFile:
    return await put_at(worker, blurred_key(item, variant, derived.mime_type), derived)


async def _forget_older(worker: Worker, item: Media) -> None:
    """Remove what was made before: a weaker blur may show more than is wanted now. What is left, the next time removes."""
    try:
        there = [blob.key async for blob in worker.blobs.list(blurred_prefix(item))]
        now_is = await worker.store.media.get(item.id)
        # Listed before it was read: what a run after this one stores is not among them.
        if now_is is None or now_is.version != item.version:
            return
        kept = {file.key for file in item.files.values()}
        for key in there:
            if key not in kept:
                await worker.blobs.delete(key)
    except BlobsUnavailable as e:
        log.warning("older blurred files stay for now", media=item.id, why=str(e))


async def _later(worker: Worker, taken: Blur, e: Exception) -> None:
    numbers, now, item = worker.numbers, worker.clock.now(), taken.item
    log.warning("the blur waits", media=item.id, attempt=taken.attempts, why=type(e).__name__)
    if isinstance(e, DarkroomBroken) and taken.attempts + 1 >= numbers.preview_attempts:
        await worker.store.media.finish_blur(item.id, taken.fence, item.blur_intensity, now, {})
        await moves.clear(worker, _folder(item))
        return
    pause = backoff_ms(taken.attempts, numbers.retry_base_ms, numbers.retry_cap_ms)
    await worker.store.media.postpone_blur(item.id, taken.fence, now + pause)
