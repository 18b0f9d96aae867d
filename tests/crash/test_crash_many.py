"""Two web processes, two workers, a real mongod and a real bucket: each is killed by SIGKILL while jobs are on their way.

Nothing accepted may be lost, and nothing charged, paid or published twice.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from crash.many import WEBS, WORKERS, ManyStudio
from crash.test_crash import BOUNDARIES, WISHES
from mutoscope.blobs.s3 import S3Place
from mutoscope.domain.generation import State
from servers.mongod import ReplicaSet
from servers.s3 import S3Server, place_in
from stubs.running import RunningStub

OF_WEB = {"before:accept", "after:accept"}
DOWN_S = 1.5
"""How long a server is gone before it is started again."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server("radosgw", tmp_path_factory.mktemp("radosgw") / "server")
    yield server
    server.stop()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[RunningStub]:
    running = RunningStub(tmp_path / "stub").start()
    httpx2.post(f"{running.address}/admin/script", json={"finish_after_s": 0.7}).raise_for_status()
    yield running
    running.kill()


@pytest.fixture(params=[1, 3], ids=["one-member", "three-members"])
def mongo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReplicaSet]:
    running = ReplicaSet(tmp_path / "mongo", request.param)
    running.start()
    yield running
    running.stop()


def place_of(s3: S3Server) -> S3Place:
    return place_in(s3.name, s3.endpoint, f"films-{time.time_ns()}")


def strike(studio: ManyStudio, what: str, rng: random.Random, keys: list[str]) -> None:
    """Kill one part while orders come in, and bring it back."""
    match what:
        case "database":
            studio.place_orders(keys, WISHES, rng)
            time.sleep(rng.uniform(0, 0.5))
            member = studio.mongo.primary()
            assert member is not None
            member.kill()
            time.sleep(DOWN_S)
            studio.place_orders(keys, WISHES, rng)
            member.start()
            studio.mongo.await_primary()
        case "bucket":
            studio.place_orders(keys, WISHES, rng)
            time.sleep(rng.uniform(0, 0.5))
            studio.s3.kill_gateway()
            time.sleep(DOWN_S)
            studio.s3.start_gateway()
        case name:
            process = studio.processes[name]
            process.kill()
            boundary = rng.choice([at for at in BOUNDARIES if (at in OF_WEB) is (name in WEBS)])
            process.begin(f"{boundary}:{rng.randint(1, 2)}")
            if process.ready():
                studio.place_orders(keys, WISHES, rng)
                process.await_death(rng.uniform(1, 4))
            studio.begin()
    studio.place_orders(keys, WISHES, rng)


async def torment(studio: ManyStudio, strikes: list[str], rng: random.Random) -> Counter[State]:
    studio.begin()
    with studio.through("web-1"):
        studio.people()
    keys: list[str] = []
    for turn, what in enumerate(strikes):
        keys += [f"{turn}-{n}" for n in range(3)]
        strike(studio, what, rng, keys)
    deadline = time.monotonic() + 60
    while len(studio.accepted) < len(keys):
        assert time.monotonic() < deadline, "an order is never taken"
        studio.place_orders(keys, WISHES, rng)
    with studio.through("web-2"):
        studio.wait_settled()
    studio.end()
    studio.sweep()
    return await studio.examine()


@pytest.mark.timeout(1800)
async def test_a_studio_of_many_processes_loses_nothing_whichever_part_is_killed(
    tmp_path: Path,
    stub: RunningStub,
    mongo: ReplicaSet,
    s3: S3Server,
    rng: random.Random,
    request: pytest.FixtureRequest,
) -> None:
    rounds = max(int(request.config.getoption("--kills")) // 10, 1)
    strikes = ["database", "bucket", *WEBS, *WORKERS, rng.choice(WORKERS)] * rounds
    rng.shuffle(strikes)
    with ManyStudio(tmp_path / "studio", stub, mongo, s3, place_of(s3)) as studio:
        ended = await torment(studio, strikes[: 7 if len(mongo.members) == 3 else None], rng)
        assert set(ended) == {State.SUCCEEDED}
        assert ended.total() == len(studio.accepted) == 3 * len(strikes[: 7 if len(mongo.members) == 3 else None])
        assert await studio.open_blobs().sweep() == 0
