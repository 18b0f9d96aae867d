"""What a blob store can do. Keys are ours (`domain.media.key_for`), never a person's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec

from mutoscope.domain.ids import Millis

CHUNK_BYTES = 256 * 1024
"""How much of a file is in memory at once."""


class BlobMissing(Exception):
    """There is nothing under that key."""


class BlobsUnavailable(Exception):
    """The store cannot be reached, is full or may not be written. Nothing half-written is left where it can be read."""


class BlobInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is under a key."""

    key: str
    size_bytes: int
    modified_at: Millis


class Blobs(Protocol):
    """Bytes by key. Every call raises ValueError for a key that is not one of ours (`domain.media.is_key`)."""

    async def put(self, key: str, source: Path, content_type: str) -> None:
        """Store a copy of a file durably, replacing what was there; readers see the old or the new, never a mixture.

        Raises BlobsUnavailable; FileNotFoundError when ``source`` is not there. Bounded memory.
        """
        ...

    async def head(self, key: str) -> BlobInfo:
        """Size and time. Raises BlobMissing."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end`` in chunks of at most CHUNK_BYTES. Raises BlobMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Remove; removing twice is harmless."""
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """What is under keys that begin so, in the order of the keys."""
        ...

    async def presign(self, key: str, seconds: int) -> str | None:
        """An address that opens the object for that long without us; None where the store has no such thing."""
        ...

    async def sweep(self) -> int:
        """Clear away what stores that were cut short left where nobody sees it, once it is a day old; how many.

        Raises BlobsUnavailable.
        """
        ...

    async def check(self) -> None:
        """Write, read back and remove a small object. Raises BlobsUnavailable with a sentence that says what to do."""
        ...
