"""Storing 200 MB from a provider's stream in S3, through the spool and our adapter, against obstore alone.

Both read the same stream from memory and end with the object in the same bucket: ours writes it to the spool first, durably,
and then stores the file, as the worker does; the baseline hands the stream to obstore. The server is the gateway of Ceph where
it is installed, else an emulator. The second figure is the growth of our own process over eight such jobs at once.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import obstore

from benchmarks.claim import AT_LEAST, Claim, median
from mutoscope.blobs.s3 import S3Blobs, open_s3
from mutoscope.domain.ids import Ids, SystemClock
from mutoscope.domain.media import Kind, Variant, key_for
from mutoscope.spool import Spool
from servers.s3 import CEPH, S3Server, place_in

SIZE_BYTES, PIECE_BYTES = 200_000_000, 65_536
ROUNDS, AT_ONCE = 5, 8
EVERY_S = 0.05
ids = Ids(SystemClock())


async def stream() -> AsyncIterator[bytes]:
    """What a provider sends."""
    piece = os.urandom(PIECE_BYTES)
    for _ in range(SIZE_BYTES // PIECE_BYTES):
        yield piece
        await asyncio.sleep(0)


def new_key() -> str:
    return key_for(Kind.VIDEO, ids.new("med"), Variant.MASTER, "video/mp4")


class Storing:
    """Both ways into one bucket: each says how many seconds it took until the object was there, and takes it away again."""

    def __init__(self, blobs: S3Blobs, spool: Spool) -> None:
        self._blobs, self._spool = blobs, spool

    async def ours(self) -> float:
        """As the worker stores it."""
        key, name = new_key(), ids.new("gen")
        began = time.monotonic()
        written = await self._spool.write(self._spool.folder(name) / "0", stream(), 2 * SIZE_BYTES, hashed=False)
        await self._blobs.put(key, written.path, "video/mp4")
        took_s = time.monotonic() - began
        await asyncio.to_thread(self._spool.clear, name)
        await self._blobs.delete(key)
        return took_s

    async def alone(self) -> float:
        """obstore and nothing else."""
        key = new_key()
        began = time.monotonic()
        await obstore.put_async(self._blobs.store, key, stream())
        took_s = time.monotonic() - began
        await self._blobs.delete(key)
        return took_s


def _make_room(server: S3Server) -> None:
    """Ceph keeps removed objects for two hours, here in memory: without this it is full before the last round."""
    if server.name == "radosgw":
        collect = ["radosgw-admin", "-c", str(server.folder / "ceph.conf"), "gc", "process", "--include-all"]
        subprocess.run(collect, check=True, capture_output=True)


def _anonymous_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("RssAnon"))


async def _rates(storing: Storing, server: S3Server) -> dict[str, float]:
    took: dict[str, list[float]] = {"ours": [], "alone": []}
    for _ in range(ROUNDS):
        await asyncio.to_thread(_make_room, server)
        took["ours"].append(await storing.ours())
        took["alone"].append(await storing.alone())
    return {name: SIZE_BYTES / 1e6 / median(seconds) for name, seconds in took.items()}


async def _growth(storing: Storing) -> float:
    before, most = _anonymous_mb(), 0.0
    jobs = [asyncio.create_task(storing.ours()) for _ in range(AT_ONCE)]
    while not all(job.done() for job in jobs):
        most = max(most, _anonymous_mb() - before)
        await asyncio.sleep(EVERY_S)
    await asyncio.gather(*jobs)
    return most


async def _measure(server: S3Server, folder: Path) -> tuple[dict[str, float], float]:
    blobs = open_s3(place_in(server.name, server.endpoint, "benchmark"), SystemClock())
    storing = Storing(blobs, Spool(folder / "spool"))
    await storing.ours()
    return await _rates(storing, server), await _growth(storing)


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as name:
        real = os.getuid() == 0 and all(shutil.which(program) for program in CEPH)
        server = S3Server("radosgw" if real else "ministack", Path(name) / "server")
        try:
            rate, growth = asyncio.run(_measure(server, Path(name)))
        finally:
            server.stop()
    yield Claim(
        what=f"200 MB into S3 ({server.name})", value=rate["ours"], unit="MB/s", baseline="obstore alone",
        baseline_value=rate["alone"], aim=0.85, direction=AT_LEAST, of_ratio=True,
    )  # fmt: skip
    yield Claim(
        what=f"growth over {AT_ONCE} such jobs at once", value=growth, unit="MB", aim=64,
    )  # fmt: skip
