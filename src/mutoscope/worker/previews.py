"""After publication: the preview loop and the storyboard. An item without them is whole."""

import asyncio
import shutil

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken, Unreadable
from mutoscope.domain.generation import backoff_ms
from mutoscope.domain.media import Media, StoredFile, Variant
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.develop import put
from mutoscope.worker.moves import log
from mutoscope.worker.order import bring
from mutoscope.worker.streams import Stalled


async def previews(worker: Worker, item: Media) -> None:
    """One run of the step. Raises StaleFence."""
    media, now = worker.store.media, worker.clock.now()
    try:
        files = await _make(worker, item)
    except (Unreadable, BlobMissing, TooMuch) as e:
        log.warning("no previews", media=item.id, attempt=item.previews_attempts, why=type(e).__name__)
        await media.finish_previews(item.id, item.fence, now, {}, failed=True)
    except (BlobsUnavailable, SpoolFull, DarkroomBroken, Stalled) as e:
        await _later(worker, item, e)
        return
    else:
        await media.finish_previews(item.id, item.fence, now, files)
    await moves.clear(worker, item.id)


async def _make(worker: Worker, item: Media) -> dict[Variant, StoredFile]:
    master = item.files[Variant.MASTER]
    folder = worker.spool.folder(item.id)
    path, work = folder / "master", folder / f"work-{item.fence}"
    if not path.exists():
        await bring(worker, master.key, path, master.size_bytes, item.fence)
    try:
        await asyncio.to_thread(work.mkdir)
        made = await worker.darkroom.previews(path, work, worker.media_limits)
        return {variant: await put(worker, item.facts.kind, item.id, variant, d) for variant, d in made.items()}
    except OSError as e:
        raise SpoolFull("The work folder cannot be made: free some space or mend its permissions.") from e
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


async def _later(worker: Worker, item: Media, e: Exception) -> None:
    numbers, now = worker.numbers, worker.clock.now()
    log.warning("previews wait", media=item.id, attempt=item.previews_attempts, why=type(e).__name__)
    if isinstance(e, DarkroomBroken) and item.previews_attempts + 1 >= numbers.preview_attempts:
        await worker.store.media.finish_previews(item.id, item.fence, now, {}, failed=True)
        await moves.clear(worker, item.id)
        return
    pause = backoff_ms(item.previews_attempts, numbers.retry_base_ms, numbers.retry_cap_ms)
    await worker.store.media.postpone_previews(item.id, item.fence, now + pause)
