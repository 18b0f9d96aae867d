"""Moving a library between two places, such as the data folder and a bucket.

Records keep keys and not places, so nothing but bytes moves. Each object is copied, read back and compared; what the
source holds is removed only at the very end, when everything that any record names was found whole in the target. So it
can be killed at any moment and run again: it goes on where it stopped.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any

import msgspec

from mutoscope.blobs.port import BlobInfo, BlobMissing, Blobs, BlobsUnavailable
from mutoscope.domain.errors import Invalid, Unavailable
from mutoscope.domain.ids import Clock, Millis
from mutoscope.domain.media import EXTENSIONS, Variant
from mutoscope.domain.search import EVERYTHING, Query
from mutoscope.spool import Spool, SpoolFull, TooMuch
from mutoscope.store.port import GenerationFilter, Store

AT_ONCE = 4
"""How many objects are on their way at once: the spool has to have room for so many."""
PAGE = 100
PREFIXES = ("images/med_", "sources/gen_", "videos/med_")
NAMED = 100
"""How many of what is missing or wrong are named; all are counted."""
DAMAGED = "{} is damaged in the source: it holds other bytes than were stored. Look for it in a backup."
AGAIN = "What was copied is kept: run it again, and it goes on where it stopped."
TYPES = {ending: mime_type for mime_type, ending in EXTENSIONS.items()}


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An object as a record describes it; ``sha256`` (hexadecimal) where the record has one."""

    key: str
    mime_type: str
    size_bytes: int
    sha256: str | None = None


class RecordedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of them, and the cursor that continues after them; None at the end."""

    items: list[Recorded]
    next: str | None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did, in numbers of objects."""

    copied: int
    copied_bytes: int
    skipped: int
    """Stood in the target already."""
    missing: int
    """Named by a record, and in neither place."""
    wrong: int
    """Damaged in the source, come to the target as something else, or not the same in both."""
    deleted: int
    """Removed from the source."""
    named: tuple[str, ...]
    """A sentence for each that is missing or wrong, the first NAMED of them."""

    @property
    def whole(self) -> bool:
        """Whether the target has all."""
        return not self.missing and not self.wrong


Records = Callable[[str | None], Awaitable[RecordedPage]]
Report = Callable[[int], None]


async def recorded(store: Store, cursor: str | None) -> RecordedPage:
    """A page of the objects that items and jobs name. Raises Invalid for a cursor that is not one of ours."""
    part, _, rest = (cursor or "items:").partition(":")
    if part == "items":
        page = await store.media.search(EVERYTHING, Query(), True, rest or None, PAGE)
        found = [
            Recorded(
                key=file.key,
                mime_type=file.mime_type,
                size_bytes=file.size_bytes,
                sha256=item.facts.sha256 if variant is Variant.MASTER else None,
            )
            for item in page.items
            for variant, file in item.files.items()
        ]
        return RecordedPage(items=found, next=f"items:{page.next}" if page.next else "jobs:")
    if part == "jobs":
        jobs = await store.generations.list(GenerationFilter(), rest or None, PAGE)
        sources = [job.source for job in jobs.items if job.source is not None and job.source.media_id is None]
        found = [
            Recorded(key=of.key, mime_type=of.mime_type, size_bytes=of.size_bytes, sha256=of.sha256) for of in sources
        ]
        return RecordedPage(items=found, next=f"jobs:{jobs.next}" if jobs.next else None)
    raise Invalid("That is no cursor of this list.", {"cursor": "is not one of ours"})


async def move(
    source: Blobs,
    target: Blobs,
    records: Records,
    spool: Spool,
    scratch: str,
    clock: Clock,
    delete_source: bool = False,
    report: Report = lambda _: None,
) -> Moved:
    """Copy everything of ours from ``source`` to ``target`` through ``spool``, and look whether it arrived whole.

    With ``delete_source`` the source's objects are removed at the end, if the target has all; what was in the target
    already is compared byte for byte then. ``report`` is told the bytes that are looked after so far.
    ``scratch`` names a folder in the spool that no other run uses meanwhile.

    Raises Unavailable when a place or the spool fails; then nothing was removed that the target lacks.
    """
    mover, began = _Mover(source, target, spool, scratch, report), clock.now()
    try:
        await mover.copy_recorded(records, thorough=delete_source)
        await mover.copy_others()
        if delete_source and not mover.missing and not mover.wrong:
            await mover.remove(began)
    except (BlobsUnavailable, SpoolFull) as e:
        raise Unavailable(f"{e} {AGAIN}") from e
    finally:
        spool.clear(scratch)
    return mover.moved()


class _Mover:
    def __init__(self, source: Blobs, target: Blobs, spool: Spool, scratch: str, report: Report) -> None:
        self._source, self._target, self._spool, self._report = source, target, spool, report
        self._scratch = scratch
        self.copied = self.copied_bytes = self.skipped = self.deleted = self._looked_after = 0
        self.missing: dict[str, str] = {}
        self.wrong: dict[str, str] = {}

    async def copy_recorded(self, records: Records, thorough: bool) -> None:
        """What records name, page by page."""
        look_after, cursor = partial(self._look_after, thorough), None
        while True:
            page = await records(cursor)
            once = {each.key: each for each in page.items}  # jobs that were tried again share their source
            await _some_at_once(look_after, once.values())
            cursor = page.next
            if cursor is None:
                return

    async def copy_others(self) -> None:
        """What no record names, or none did when they were read: of jobs under way, and of items made meanwhile.

        What the target has under such a key stays: it may be younger.
        """
        copy, batch = partial(self._look_after, False), list[Recorded]()
        async for info, there in _side_by_side(self._source, self._target):
            if there is None and info.key not in self.missing and info.key not in self.wrong:
                mime_type = TYPES.get(info.key.rpartition(".")[2], "application/octet-stream")
                batch.append(Recorded(key=info.key, mime_type=mime_type, size_bytes=info.size_bytes))
            if len(batch) >= PAGE:
                await _some_at_once(copy, batch)
                batch = []
        await _some_at_once(copy, batch)

    async def remove(self, began: Millis) -> None:
        """Remove from the source what the target has byte for byte, one by one; what was put there since stays."""
        async for info, there in _side_by_side(self._source, self._target):
            alike = there is not None and there.size_bytes == info.size_bytes and info.modified_at <= began
            if alike and not await self._differs(info.key):
                await self._source.delete(info.key)
                self.deleted += 1

    async def _look_after(self, thorough: bool, of: Recorded) -> None:
        if await self._is_there(of, thorough):
            self.skipped += 1
        else:
            await self._copy(of)
        self._looked_after += of.size_bytes
        self._report(self._looked_after)

    async def _is_there(self, of: Recorded, thorough: bool) -> bool:
        if await _size(self._target, of.key) != of.size_bytes:
            return False
        if not thorough:
            return True
        if of.sha256 is not None:
            return await _digest(self._target, of.key) == of.sha256
        # What was removed from the source, or made in the target since, has nothing to be compared with.
        if await _size(self._source, of.key) == of.size_bytes and await self._differs(of.key):
            self.wrong[of.key] = f"{of.key} differs in the two places: remove the one that is not right."
        return True

    async def _differs(self, key: str) -> bool:
        return await _digest(self._source, key) != await _digest(self._target, key)

    async def _copy(self, of: Recorded) -> None:
        path = self._spool.folder(self._scratch) / of.key.replace("/", "_")
        try:
            written = await self._spool.write(path, self._source.read(of.key), of.size_bytes)
            if written.size_bytes != of.size_bytes or of.sha256 not in (None, written.sha256):
                self.wrong[of.key] = DAMAGED.format(of.key)
                return
            await self._target.put(of.key, path, of.mime_type)
            if await _digest(self._target, of.key) != written.sha256:
                self.wrong[of.key] = f"{of.key} came to the target as other bytes: look at that disk or server."
                return
        except BlobMissing:
            self.missing[of.key] = f"{of.key} is in neither place as it was stored: look for it in a backup."
            return
        except TooMuch:
            self.wrong[of.key] = DAMAGED.format(of.key)
            return
        finally:
            path.unlink(missing_ok=True)
        self.copied, self.copied_bytes = self.copied + 1, self.copied_bytes + of.size_bytes

    def moved(self) -> Moved:
        named = [*self.missing.values(), *self.wrong.values()]
        return Moved(
            copied=self.copied,
            copied_bytes=self.copied_bytes,
            skipped=self.skipped,
            missing=len(self.missing),
            wrong=len(self.wrong),
            deleted=self.deleted,
            named=tuple(named[:NAMED]),
        )


async def _side_by_side(source: Blobs, target: Blobs) -> AsyncIterator[tuple[BlobInfo, BlobInfo | None]]:
    """What the source has, each with what the target has under that key: both list in the order of the keys."""
    for prefix in PREFIXES:
        others = target.list(prefix)
        there = await anext(others, None)
        async for info in source.list(prefix):
            while there is not None and there.key < info.key:
                there = await anext(others, None)
            yield info, there if there is not None and there.key == info.key else None


async def _some_at_once(work: Callable[[Recorded], Coroutine[Any, Any, None]], on: Iterable[Recorded]) -> None:
    """Do it with each, AT_ONCE at a time. The first failure ends the others, and is raised."""
    room = asyncio.Semaphore(AT_ONCE)

    async def within(each: Recorded) -> None:
        async with room:
            await work(each)

    try:
        async with asyncio.TaskGroup() as group:
            for each in on:
                group.create_task(within(each))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _size(blobs: Blobs, key: str) -> int | None:
    try:
        return (await blobs.head(key)).size_bytes
    except BlobMissing:
        return None


async def _digest(blobs: Blobs, key: str) -> str:
    digest = hashlib.sha256()
    async for chunk in blobs.read(key):
        digest.update(chunk)
    return digest.hexdigest()
