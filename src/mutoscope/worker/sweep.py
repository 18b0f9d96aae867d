"""The sweep: what crashes and refusals left behind, once it is old enough that nobody can be at work on it.

Only names that have the form of our own are looked at; a bucket may hold what is not ours.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Container
from pathlib import Path

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.domain.counting import Day, day_of
from mutoscope.domain.generation import TERMINAL
from mutoscope.domain.ids import Millis, is_id
from mutoscope.domain.media import Previews
from mutoscope.spool import Spool
from mutoscope.store.port import StoreUnavailable
from mutoscope.worker.context import Worker
from mutoscope.worker.moves import log, where

OURS = re.compile(
    r"(?:sources/(gen_[0-9a-z]{26})\.[a-z0-9]+|(?:images|videos)/(med_[0-9a-z]{26})/[a-z0-9-]+\.[a-z0-9]+)"
)
PREFIXES = ("sources/gen_", "images/med_", "videos/med_")


async def sweep(worker: Worker) -> None:
    """Sweep now and every ``sweep_ms``, compare objects with records now and every ``audit_ms``; until canceled."""
    rounds = max(worker.numbers.audit_ms // worker.numbers.sweep_ms, 1)
    while True:
        for turn in range(rounds):
            await _try(sweep_once, worker)
            if turn == 0:
                await _try(audit_objects, worker)
            await asyncio.sleep(worker.numbers.sweep_ms / 1000)


async def sweep_once(worker: Worker) -> None:
    """Remove old folders that belong to nothing living, old events, what is known of old calls, and who looked at what."""
    for spool in (worker.spool, *worker.leftovers):
        for name in await asyncio.to_thread(spool.names):
            if await _is_leftover(worker, spool, name):
                log.info("swept", folder=name)
                await asyncio.to_thread(spool.clear, name)
    old = worker.clock.now() - worker.numbers.event_age_ms
    await worker.store.events.prune(old)
    await worker.store.hooks.prune(old)
    # Yesterday's viewers stay: a process may still have looks of yesterday to write.
    await worker.store.views.prune(Day(day_of(worker.clock.now()) - 1))


async def audit_objects(worker: Worker) -> None:
    """Remove old objects that no record names. A job that failed keeps its source: it may be tried again."""
    if unfinished := await worker.blobs.sweep():
        log.info("swept", unfinished=unfinished)
    known: tuple[str, Container[str]] = ("", ())
    for prefix in PREFIXES:
        async for info in worker.blobs.list(prefix):
            match = OURS.fullmatch(info.key)
            id = match and (match[1] or match[2])
            if not id or not _old(worker, info.modified_at, worker.numbers.object_age_ms):
                continue
            if known[0] != id:
                known = (id, await _named(worker, id))
            if info.key not in known[1]:
                await _remove(worker, info.key)


async def _remove(worker: Worker, key: str) -> None:
    # Looked at again: it may have been stored anew since it was listed.
    try:
        info = await worker.blobs.head(key)
    except BlobMissing:
        return
    if _old(worker, info.modified_at, worker.numbers.object_age_ms):
        log.info("swept", object=key)
        await worker.blobs.delete(key)


async def _named(worker: Worker, id: str) -> Container[str]:
    """The keys that a record names; none where there is no record."""
    if is_id(id, "gen"):
        job = await worker.store.generations.get(id)
        return {job.source.key} if job is not None and job.source is not None else ()
    item = await worker.store.media.get(id)
    return {file.key for file in item.files.values()} if item is not None else ()


async def _is_leftover(worker: Worker, spool: Spool, name: str) -> bool:
    if not _old(worker, await asyncio.to_thread(_touched_at, spool.root / name), worker.numbers.folder_age_ms):
        return False
    if is_id(name, "gen"):
        job = await worker.store.generations.get(name)
        return job is None or job.state in TERMINAL
    if is_id(name, "med"):
        item = await worker.store.media.get(name)
        return item is None or item.previews is not Previews.PENDING
    return spool is worker.spool


def _touched_at(folder: Path) -> Millis:
    """When something in the folder last changed; a folder that has just gone counts as new."""
    try:
        return max(path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))) // 1_000_000
    except FileNotFoundError:
        return 1 << 62


def _old(worker: Worker, at: Millis, age_ms: Millis) -> bool:
    return at < worker.clock.now() - age_ms


async def _try(what: Callable[[Worker], Awaitable[None]], worker: Worker) -> None:
    try:
        await what(worker)
    except (StoreUnavailable, BlobsUnavailable) as e:
        log.warning("sweeping waits", why=str(e))
    except Exception as e:  # the next round tries again
        log.error("sweeping failed", why=type(e).__name__, where=where(e))
