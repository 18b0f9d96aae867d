"""A process of its own that uses a blob store, to be killed, traced or measured: ``child.py WHAT BACKEND PLACE ...``."""

import asyncio
import resource
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # where the servers of the tests are

from backends import BACKENDS

from mutoscope.blobs.port import CHUNK_BYTES, Blobs


async def put(blobs: Blobs, key: str, source: str) -> None:
    """Store one file."""
    await blobs.put(key, Path(source), "video/mp4")


async def swap(blobs: Blobs, key: str, *sources: str) -> None:
    """Store one file after the other under the same key, until killed."""
    while True:
        for source in sources:
            print("begun", flush=True)
            await blobs.put(key, Path(source), "video/mp4")


async def measure(blobs: Blobs, key: str, small: str, large: str) -> None:
    """Print by how many bytes the memory grew over a large file, once a small one has warmed everything up."""
    await _there_and_back(blobs, key, small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await _there_and_back(blobs, key, large)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


async def _there_and_back(blobs: Blobs, key: str, source: str) -> None:
    await blobs.put(key, Path(source), "video/mp4")
    size = 0
    async for chunk in blobs.read(key):
        assert len(chunk) <= CHUNK_BYTES
        size += len(chunk)
    assert size == (await blobs.head(key)).size_bytes


if __name__ == "__main__":
    what, backend, place, *rest = sys.argv[1:]
    asyncio.run({"put": put, "swap": swap, "measure": measure}[what](BACKENDS[backend](Path(place)), *rest))
