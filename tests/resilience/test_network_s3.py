"""Whole jobs in a real studio whose bucket is behind a bad network: all finish, nothing is paid twice, nothing is half there.

The studio is a process of its own. It makes the same pictures and films in peace first, so that every file of every
item can be held against one that was made in peace, and its memory against what peace takes.
"""

import asyncio
import hashlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from crash.backends import Servers, in_bucket, new_bucket
from crash.films import FILM_BYTES, lengthen
from crash.studio import PATIENCE_S, KilledStudio
from mutoscope.blobs.uploads import PART_BYTES, PARTS_AT_ONCE
from mutoscope.domain.generation import State
from mutoscope.domain.search import EVERYTHING, Query
from servers.busy import BusyStub
from servers.faults import DOWN, UP, Faults
from servers.s3 import S3Server
from stubs.running import RunningStub

WISHES = [{"model": "stub/film", "prompt": "Rain on a window"}] * 4 + [
    {"model": "stub/picture", "prompt": "Two doors", "results": 2}
]
HALF_OPEN_S = 20.0
GROWTH_BYTES = PARTS_AT_ONCE * PART_BYTES
"""What memory may grow by over what peace took: all parts that may be on their way at once. A try that is cut or refused
and not let go of would add a part; there are dozens of those."""
CUTS = 60
"""More than the two jobs whose files go up at once can take without coming back for another turn: two parts each,
and each part is tried 11 times."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    servers = Servers(tmp_path_factory.mktemp("servers"))
    yield servers.s3("ministack")
    servers.stop()


@pytest.fixture
def stub(tmp_path: Path, rng: random.Random) -> Iterator[RunningStub]:
    """Its films go up in parts."""
    lengthen(tmp_path / "stub", rng)
    running = RunningStub(tmp_path / "stub").start()
    yield running
    running.kill()


@pytest.fixture
def way(server: S3Server) -> Iterator[Faults]:
    with Faults("127.0.0.1", urlsplit(server.endpoint).port or 0) as way:
        yield way


@pytest.fixture
def studio(tmp_path: Path, stub: RunningStub, server: S3Server, way: Faults) -> Iterator[KilledStudio]:
    """A studio that has worked in peace, and goes to its bucket by the way."""
    with KilledStudio(
        tmp_path / "data", stub, backend=in_bucket(new_bucket(server), f"http://{way.host}:{way.port}")
    ) as studio:
        yield studio


class Memory:
    """The most that a process has in memory while this is entered (``peak``, in bytes, resident)."""

    def __init__(self, pid: int) -> None:
        self._process, self._over = psutil.Process(pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = 0

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss)


def order(studio: KilledStudio, when: str) -> None:
    for number, wish in enumerate(WISHES):
        studio.order(f"{when}-{number}", wish)


def peace(studio: KilledStudio) -> int:
    """Make everything once, while the network is good; what it takes in memory."""
    studio.start()
    studio.people()
    with Memory(studio.pid) as memory:
        order(studio, "peace")
        studio.wait_settled()
    return memory.peak


async def all_is_well(studio: KilledStudio) -> None:
    """Everything was made, was paid once and is whole; and every file is what it would have been in peace."""
    studio.stop()
    studio.wait_swept()
    ended = await studio.examine()
    assert ended == {State.SUCCEEDED: 2 * len(WISHES)}
    store = await studio.open_store()
    try:
        items = (await store.media.search(EVERYTHING, Query(), True, None, 100)).items
    finally:
        await store.close()
    assert len(items) == 2 * sum(int(str(wish.get("results", 1))) for wish in WISHES)
    contents: dict[tuple[str, str], set[str]] = {}
    for item in items:
        for variant, file in item.files.items():
            digest = hashlib.sha256(await studio.read(file.key)).hexdigest()
            contents.setdefault((item.facts.kind, variant), set()).add(digest)
    different = [what for what, digests in contents.items() if len(digests) > 1]
    assert not different, f"not byte for byte as in peace: {different}"


async def until_uploading(studio: KilledStudio) -> None:
    """Return when parts of a film are on their way."""
    deadline = time.monotonic() + PATIENCE_S
    while not await studio.backend.unfinished(studio.data):
        assert time.monotonic() < deadline, "no upload in parts has begun"


async def test_a_bucket_that_is_far_away_only_takes_longer(studio: KilledStudio, way: Faults) -> None:
    calm = peace(studio)
    way.slow(latency_ms=200)
    with Memory(studio.pid) as memory:
        order(studio, "far")
        studio.wait_settled()
    assert memory.peak - calm < GROWTH_BYTES
    await all_is_well(studio)


async def test_uploads_and_answers_that_are_cut_are_made_good(
    studio: KilledStudio, way: Faults, rng: random.Random
) -> None:
    calm = peace(studio)
    with Memory(studio.pid) as memory:
        way.cut_after(rng.randint(100_000, 900_000), UP, times=CUTS)
        order(studio, "cut")
        await until_cut(way, CUTS)
        way.cut_after(rng.randint(1, 300), DOWN, times=10)
        studio.wait_settled()
    assert "waits" in studio.log.read_text(), "no job had to come back"
    assert memory.peak - calm < GROWTH_BYTES
    await all_is_well(studio)


async def until_cut(way: Faults, times: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while way.resets < times:
        assert time.monotonic() < deadline, f"only {way.resets} connections were cut"
        await asyncio.sleep(0.02)


@pytest.mark.timeout(240)
async def test_a_connection_that_falls_silent_in_the_middle_of_an_upload_is_given_up(
    studio: KilledStudio, way: Faults
) -> None:
    calm = peace(studio)
    way.slow(bytes_per_s=FILM_BYTES)
    with Memory(studio.pid) as memory:
        order(studio, "silent")
        await until_uploading(studio)
        way.freeze()
        await asyncio.sleep(HALF_OPEN_S)
        assert await studio.backend.unfinished(studio.data), "what was frozen had ended"
        way.heal()
        studio.wait_settled()
    assert way.resets == 0
    assert memory.peak - calm < GROWTH_BYTES
    await all_is_well(studio)


async def test_a_bucket_that_says_slow_down_is_asked_again_until_everything_is_stored(
    tmp_path: Path, stub: RunningStub, server: S3Server, rng: random.Random
) -> None:
    with BusyStub(server.endpoint, rng) as busy:
        backend = in_bucket(new_bucket(server), busy.endpoint)
        with KilledStudio(tmp_path / "data", stub, backend=backend) as studio:
            calm = peace(studio)
            busy.storm(first=30, fraction=0.3)
            with Memory(studio.pid) as memory:
                order(studio, "busy")
                studio.wait_settled()
            assert busy.refused > 30
            assert memory.peak - calm < GROWTH_BYTES
            busy.storm()
            await all_is_well(studio)
