"""Loading a backup into a shared database and its place of media. Killed, it is run again and begins where that matters:
the database is filled anew, objects that are there are left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from mutoscope.blobs.port import BlobMissing, Blobs
from mutoscope.disk import make_folder, write_file
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import EXTENSIONS, is_key
from mutoscope.services.backup import MANIFEST, Layout, in_words, read_manifest, sha256_of

AT_ONCE = 4
"""How many objects are on their way at once."""
TYPES = {ending: mime_type for mime_type, ending in EXTENSIONS.items()}

Finish = Callable[[], Awaitable[None]]
Load = Callable[[Path, Finish], Awaitable[None]]
"""Fills the database from a copy; it serves nobody until what it was given has been awaited too."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded. ``kept``: files of the data folder that stood there already and were left."""

    made_at: str
    objects: int
    objects_copied: int
    kept: tuple[str, ...]


async def restore_backup(
    folder: Path, layout: Layout, data: Path, blobs: Blobs, load: Load, report: Callable[[int], None]
) -> Restored:
    """Load the backup in ``folder``. ``report`` is told how many objects are there.

    Raises Invalid when the folder holds no whole backup, Unavailable when it cannot be read, StoreUnavailable (also when
    the database is not empty), BlobsUnavailable.
    """
    with in_words():
        manifest = await asyncio.to_thread(read_manifest, folder / MANIFEST)
        database = folder / manifest.database
        if not database.is_file() or await asyncio.to_thread(sha256_of, database) != manifest.database_sha256:
            raise Invalid("The database is not the one that the manifest describes: run the backup again.")
        objects = _Objects(folder / layout.media, blobs, report)
        await load(database, objects.copy)
        kept = [name for name in manifest.files if not await asyncio.to_thread(_take_over, folder, data, name)]
        return Restored(
            made_at=manifest.made_at, objects=objects.there, objects_copied=objects.copied, kept=tuple(kept)
        )


class _Objects:
    def __init__(self, media: Path, blobs: Blobs, report: Callable[[int], None]) -> None:
        self._media, self._blobs, self._report = media, blobs, report
        self.there = self.copied = 0

    async def copy(self) -> None:
        """Store every object that is not there, several at once."""
        paths = iter(await asyncio.to_thread(lambda: sorted(path for path in self._media.rglob("*") if path.is_file())))

        async def line() -> None:
            for path in paths:
                await self._one(path)

        try:
            async with asyncio.TaskGroup() as lines:
                for _ in range(AT_ONCE):
                    lines.create_task(line())
        except BaseExceptionGroup as group:  # the first that failed ended the others
            raise group.exceptions[0] from None

    async def _one(self, path: Path) -> None:
        key = path.relative_to(self._media).as_posix()
        if not is_key(key):
            return
        if not await self._stands(key, (await asyncio.to_thread(path.stat)).st_size):
            await self._blobs.put(key, path, TYPES.get(path.suffix.removeprefix("."), "application/octet-stream"))
            self.copied += 1
        self.there += 1
        self._report(self.there)

    async def _stands(self, key: str, size_bytes: int) -> bool:
        try:
            return (await self._blobs.head(key)).size_bytes == size_bytes
        except BlobMissing:
            return False


def _take_over(folder: Path, data: Path, name: str) -> bool:
    """Copy a small file of the data folder unless one stands there."""
    if (data / name).exists():
        return False
    make_folder((data / name).parent)
    write_file(data / name, (folder / name).read_bytes(), replace=False)
    return True
