"""Kills that only a bucket knows: in the middle of an upload in parts, and of the bucket's own server.

That the server is killed at every boundary with a bucket too is in `test_crash`.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from crash.backends import BACKENDS, Servers, in_bucket, new_bucket
from crash.films import FILM_BYTES, lengthen
from crash.studio import PATIENCE_S, KilledStudio
from crash.test_crash import WISHES, move_in, place
from mutoscope.domain.generation import State
from servers.faults import Faults
from servers.gateway import Gateway
from stubs.running import RunningStub

DOWN_S = 1.5
FILM = {"model": "stub/film", "prompt": "Rain on a window"}


@pytest.fixture
def stub(tmp_path: Path, rng: random.Random) -> Iterator[RunningStub]:
    """Its films go up in parts."""
    lengthen(tmp_path / "stub", rng)
    running = RunningStub(tmp_path / "stub").start()
    httpx2.post(f"{running.address}/admin/script", json={"finish_after_s": 0.3}).raise_for_status()
    yield running
    running.kill()


async def until_uploading(studio: KilledStudio) -> None:
    """Return when parts of a film are on their way."""
    deadline = time.monotonic() + PATIENCE_S
    while not await studio.backend.unfinished(studio.data):
        assert time.monotonic() < deadline, "no upload in parts has begun"


def kill_within(studio: KilledStudio, seconds: float, rng: random.Random) -> None:
    time.sleep(rng.uniform(0, seconds))
    studio.kill()


def take_the_bucket_away(gateway: Gateway, studio: KilledStudio, rng: random.Random, with_studio: bool) -> None:
    """Kill the bucket's server under running jobs, and the studio too, which has to start without a bucket."""
    time.sleep(rng.uniform(0, 1.0))
    gateway.kill()
    if with_studio:
        studio.kill()
        studio.start()
    time.sleep(DOWN_S)
    gateway.start()


async def settle(studio: KilledStudio) -> None:
    """Let everything come to its end, and look at it."""
    studio.wait_settled()
    studio.stop()
    studio.wait_swept()
    assert set(await studio.examine()) == {State.SUCCEEDED}


@pytest.mark.timeout(600)
async def test_parts_of_an_upload_that_was_killed_in_its_middle_are_swept_and_the_film_is_stored_again(
    tmp_path: Path, stub: RunningStub, servers: Servers, rng: random.Random
) -> None:
    server = servers.s3("ministack")
    with Faults("127.0.0.1", urlsplit(server.endpoint).port or 0) as way:
        backend = in_bucket(new_bucket(server), f"http://{way.host}:{way.port}")
        with KilledStudio(tmp_path / "data", stub, backend=backend) as studio:
            move_in(studio)
            for turn in range(2):
                way.slow(bytes_per_s=FILM_BYTES)  # A second for each film.
                studio.start()
                studio.order(f"{turn}", FILM)
                await until_uploading(studio)
                kill_within(studio, 0.8, rng)
                assert await backend.unfinished(studio.data), "it was killed too late"
                way.heal()
            studio.start()
            await settle(studio)


@pytest.mark.timeout(3600)
async def test_nothing_is_lost_when_the_buckets_server_is_killed_under_running_jobs(
    tmp_path: Path, stub: RunningStub, servers: Servers, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    turns = max(int(str(request.config.getoption("--kills"))) // 10, 1)
    keys = list[str]()
    backend = BACKENDS["radosgw"](servers)
    with KilledStudio(tmp_path / "data", stub, backend=backend) as studio:
        move_in(studio)
        studio.start()
        for turn in range(turns):
            keys += [f"{turn}-{n}" for n in range(4)]
            place(studio, keys, [*WISHES, FILM])
            take_the_bucket_away(servers.gateway(), studio, rng, with_studio=turn % 2 == 1)
        await settle(studio)
        assert len(studio.accepted) == len(keys)
