"""How files go up to a bucket: several parts at once as a rule, and one part at a time where the line is slow.

obstore's patience with a request runs from its beginning, also while its body is still on the way. Where all parts that
are on their way at once do not get through within that time, none ever does, however often they are sent. So when time
runs out and the server answers a small question all the same, it is the line that is slow: files then go up alone.
"""

import asyncio
import math
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes."""
PARTS_AT_ONCE = 5
"""How many parts of all files together are on their way, and in memory: most of them of one file where it is alone."""
PUTS_AT_ONCE = 3
"""How many files are stored at once; the others wait."""
SILENCE_S = 20
"""How long a request may wait for its answer, and an answer for its next bytes. All parts that may be on their way at once
need 10.5 Mbit/s to arrive in it."""
SLOW_SILENCE_S = 120
"""The same for a part that goes up alone: 350 kbit/s will do."""
BRISK_BYTES_PER_S = 2 * PARTS_AT_ONCE * PART_BYTES / SILENCE_S
"""A line that carries a file so fast is not slow any more: twice what SILENCE_S needs."""


class Uploads:
    """Stores files. ``brisk`` and ``slow`` are the same bucket, with SILENCE_S and SLOW_SILENCE_S of patience."""

    def __init__(self, brisk: S3Store, slow: S3Store) -> None:
        self._brisk, self._slow = brisk, slow
        self._turns, self._alone = asyncio.Semaphore(PUTS_AT_ONCE), asyncio.Lock()
        self._files = self._parts = 0
        self.line_is_slow = False

    async def put(self, key: str, source: Path, size_bytes: int, attributes: dict[str, str]) -> None:
        """One request, or parts that appear together at the end. Raises what obstore raises."""
        async with self._turns:
            if not self.line_is_slow and await self._briskly(key, source, size_bytes, attributes):
                return
        async with self._alone:
            await self._patiently(key, source, size_bytes, attributes)

    async def _briskly(self, key: str, source: Path, size_bytes: int, attributes: dict[str, str]) -> bool:
        """Whether it was stored; if not, the line is slow."""
        parts = self._share(size_bytes)
        self._files, self._parts = self._files + 1, self._parts + parts
        try:
            await _send(self._brisk, key, source, size_bytes, attributes, parts)
        except BaseError as e:
            if not _out_of_time(e) or not await self._answers(key):
                raise
            self.line_is_slow = True
            return False
        finally:
            self._files, self._parts = self._files - 1, self._parts - parts
        return True

    def _share(self, size_bytes: int) -> int:
        """How many parts at once a file gets: all that are free, but for one that each further file may come for."""
        further = PUTS_AT_ONCE - self._files - 1
        return min(PARTS_AT_ONCE - self._parts - further, max(1, math.ceil(size_bytes / PART_BYTES)))

    async def _patiently(self, key: str, source: Path, size_bytes: int, attributes: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await _send(self._slow, key, source, size_bytes, attributes, 1)
        # What fits into one part says more of the way there and back than of the line.
        if size_bytes > PART_BYTES and size_bytes >= BRISK_BYTES_PER_S * (loop.time() - begun):
            self.line_is_slow = False

    async def _answers(self, key: str) -> bool:
        """Whether the server answers something small."""
        try:
            async with asyncio.timeout(SILENCE_S):
                await obstore.head_async(self._brisk, key)
        except FileNotFoundError:
            return True
        except (BaseError, TimeoutError):
            return False
        return True


async def _send(
    store: S3Store, key: str, source: Path, size_bytes: int, attributes: dict[str, str], parts_at_once: int
) -> None:
    await obstore.put_async(
        store, key, source, attributes=cast(Any, attributes),
        use_multipart=size_bytes > PART_BYTES, chunk_size=PART_BYTES, max_concurrency=parts_at_once,
    )  # fmt: skip


def _out_of_time(e: BaseError) -> bool:
    # obstore has one exception for all that a network does; which it was stands in its words alone.
    return "kind: Timeout" in str(e)
