"""Bytes on their way: files on the data disk, in a folder for each job or upload, until they are stored.

A file is written under a ``.part`` name and renamed when it is whole and on the disk, so a name without ``.part`` can
be trusted after a crash.
"""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from mutoscope.disk import begin_sync, make_folder, reason, sync_folder

NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,79}")
GATHER_BYTES = 512 * 1024
"""Streams come in small pieces: this much is gathered before the disk is asked."""
AHEAD_BYTES = 8 * 1024 * 1024
"""Each time so much was written it begins to go to the disk, while the rest of the stream still comes."""


class SpoolFull(Exception):
    """The disk is full or cannot be written; what was begun is gone, nothing else changed."""


class TooMuch(Exception):
    """The stream was longer than its limit."""


class Written(msgspec.Struct, frozen=True):
    """What was written; ``sha256`` is hexadecimal, and empty where nobody asked for it."""

    path: Path
    size_bytes: int
    sha256: str


class Spool:
    """The spool folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """The folder of one job or upload, made durably when it is not there. Raises SpoolFull, ValueError."""
        if not NAME.fullmatch(name):
            raise ValueError(f"not a spool name: {name!r}")
        with _in_words():
            make_folder(self.root / name)
        return self.root / name

    async def write(
        self, path: Path, chunks: AsyncIterator[bytes], limit_bytes: int, *, hashed: bool = True
    ) -> Written:
        """Stream into ``path``, durably. Raises SpoolFull, TooMuch, and whatever the stream raises; then nothing is left.

        Without ``hashed`` no checksum is made, which is half of the work. One writer to a path: two would write into the same ``.part`` file.
        """
        part = path.with_name(path.name + ".part")
        try:
            with _in_words():
                file = part.open("wb")
            try:
                written = await self._pour(file, path, chunks, limit_bytes, hashed)
            finally:
                # What matters was flushed before. Closing waits for the thread of a canceled write: it has the file's lock.
                with suppress(OSError):
                    file.close()
            with _in_words():
                await asyncio.to_thread(_place, part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        return written

    async def _pour(
        self, file: BinaryIO, path: Path, chunks: AsyncIterator[bytes], limit_bytes: int, hashed: bool
    ) -> Written:
        digest, size, gathered, ahead = hashlib.sha256(), 0, bytearray(), 0

        def drop() -> None:
            nonlocal ahead
            if hashed:
                digest.update(gathered)
            file.write(gathered)
            if size - ahead >= AHEAD_BYTES:
                begin_sync(file.fileno(), ahead, size - ahead)
                ahead = size

        async for chunk in chunks:
            size += len(chunk)
            if size > limit_bytes:
                raise TooMuch(f"more than {limit_bytes} bytes")
            gathered += chunk
            if len(gathered) >= GATHER_BYTES:
                with _in_words():
                    await asyncio.to_thread(drop)
                gathered = bytearray()
        with _in_words():
            await asyncio.to_thread(drop)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        return Written(path, size, digest.hexdigest() if hashed else "")

    def clear(self, name: str) -> None:
        """Remove a folder and what is in it; removing twice is harmless, and what cannot be removed waits for the sweep."""
        if NAME.fullmatch(name):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def names(self) -> list[str]:
        """The folders that are there. Raises SpoolFull when the spool cannot be read."""
        try:
            with _in_words(), os.scandir(self.root) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except SpoolFull as e:
            if isinstance(e.__cause__, FileNotFoundError):
                return []
            raise

    def free_bytes(self) -> int:
        """How much may still be written to the spool's disk. Raises SpoolFull when that cannot be told."""
        with _in_words():
            make_folder(self.root)
            return shutil.disk_usage(self.root).free

    def used_bytes(self) -> int:
        """How much is in the spool now, for the operator; files that go meanwhile are not counted."""
        total = 0
        for folder, _, files in os.walk(self.root):
            for name in files:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except FileNotFoundError:
                    continue
        return total


def _place(part: Path, path: Path) -> None:
    part.rename(path)
    sync_folder(path.parent)


@contextmanager
def _in_words() -> Generator[None]:
    """Around what the disk does, and nothing else: a stream may raise an OSError of its own, which is no full disk."""
    try:
        yield
    except OSError as e:
        raise SpoolFull(f"The spool folder cannot be used: {reason(e)}.") from e
