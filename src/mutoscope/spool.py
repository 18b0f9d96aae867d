"""Bytes on their way: files on the data disk, in a folder for each job or upload, until they are stored.

A file is written under a ``.part`` name and renamed when it is whole and on the disk, so a name without ``.part`` can
be trusted after a crash.
"""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

NAME = re.compile(r"[a-z0-9_.-]{1,80}")


class SpoolFull(Exception):
    """The disk is full or cannot be written; what was begun is gone, nothing else changed."""


class TooMuch(Exception):
    """The stream was longer than its limit."""


class Written:
    """What was written: ``size_bytes`` and hexadecimal ``sha256``."""

    def __init__(self, path: Path, size_bytes: int, sha256: str) -> None:
        self.path, self.size_bytes, self.sha256 = path, size_bytes, sha256


class Spool:
    """The spool folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """The folder of one job or upload, made when it is not there. Raises SpoolFull."""
        if not NAME.fullmatch(name) or name.startswith("."):
            raise ValueError(f"not a spool name: {name!r}")
        path = self.root / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise SpoolFull(_sentence(e)) from e
        return path

    async def write(self, path: Path, chunks: AsyncIterator[bytes], limit_bytes: int) -> Written:
        """Stream into ``path``, durably. Raises SpoolFull, TooMuch, and whatever the stream raises; then nothing is left."""
        part = path.with_name(path.name + ".part")
        digest, size = hashlib.sha256(), 0
        try:
            with part.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit_bytes:
                        raise TooMuch(f"more than {limit_bytes} bytes")
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            part.rename(path)
            await asyncio.to_thread(_sync_folder, path.parent)
        except OSError as e:
            part.unlink(missing_ok=True)
            raise SpoolFull(_sentence(e)) from e
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return Written(path, size, digest.hexdigest())

    def clear(self, name: str) -> None:
        """Remove a folder and what is in it; removing twice is harmless."""
        if NAME.fullmatch(name):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def names(self) -> list[str]:
        """The folders that are there."""
        try:
            return sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir())
        except FileNotFoundError:
            return []


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sentence(e: OSError) -> str:
    return f"{e.strerror or 'write error'} in the spool folder: free some space or mend its permissions"
