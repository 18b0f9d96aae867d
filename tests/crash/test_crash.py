"""The server is killed by SIGKILL at every boundary of a job's way and at random moments; nothing may be lost.

``--kills=N`` says how often (20 in the ordinary run, 200 by `make crash`), ``--seed`` repeats a run.
"""

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crash.backends import BACKENDS, Backend, Servers
from crash.studio import DiedEarly, KilledStudio
from crash.victim import OPERATIONS
from mutoscope.domain.generation import State
from stubs.running import RunningStub

WISHES = (
    {"model": "stub/picture", "prompt": "A lamp by the sea"},
    {"model": "stub/film", "prompt": "Rain on a window"},
    {"model": "stub/picture", "prompt": "Four doors", "results": 4},
)
LOCAL_WISHES = (
    {
        "model": "local/dream",
        "prompt": "Rain on a window",
        "seed": 5,
        "parameters": {"duration_s": 2, "size": "640x360"},
    },
    {
        "model": "local/still",
        "prompt": "A lamp by the sea",
        "seed": 6,
        "results": 2,
        "parameters": {"size": "1280x720"},
    },
)
BOUNDARIES = [f"{when}:{name}" for name in OPERATIONS for when in ("before", "after")]
IN_DOUBT = {"after:begin", "before:submit", "after:submit", "before:advance"}
"""Kills that may fall between the intent and the provider's answer."""


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[RunningStub]:
    running = RunningStub(tmp_path / "stub").start()
    httpx2.post(f"{running.address}/admin/script", json={"finish_after_s": 1.0}).raise_for_status()
    yield running
    running.kill()


def place(studio: KilledStudio, keys: list[str], wishes: Sequence[dict[str, Any]] = WISHES) -> None:
    """Order what was not accepted yet; what the server's death left without an answer is ordered again by its key."""
    for number, key in enumerate(keys):
        if key not in studio.accepted:
            studio.order(key, wishes[number % len(wishes)])


def killed_at(studio: KilledStudio, boundary: str, rng: random.Random, keys: list[str]) -> None:
    # Each turn orders three jobs, one of them a film: every operation happens at least so often.
    number = 1 if boundary.endswith(":previews") else rng.randint(1, 3)
    studio.start(f"{boundary}:{number}")
    try:
        if studio.alive():
            place(studio, keys)
    except DiedEarly:
        pass
    studio.wait_dead()


def killed_at_random(
    studio: KilledStudio,
    rng: random.Random,
    keys: list[str],
    wishes: Sequence[dict[str, Any]] = WISHES,
    within_s: float = 1.0,
) -> None:
    studio.start()
    place(studio, keys, wishes)
    time.sleep(rng.uniform(0, within_s))
    studio.kill()


def move_in(studio: KilledStudio) -> None:
    studio.start()
    studio.people()
    studio.stop()


async def torment(studio: KilledStudio, kills: int, rng: random.Random, boundaries: list[str]) -> Counter[State]:
    move_in(studio)
    keys: list[str] = []
    at = itertools.cycle(boundaries)
    for turn in range(kills):
        keys += [f"{turn}-{n}" for n in range(3)]
        if turn % 3 == 2:
            killed_at_random(studio, rng, keys)
        else:
            killed_at(studio, next(at), rng, keys)
    studio.start()
    place(studio, keys)
    studio.wait_settled()
    studio.stop()
    studio.wait_swept()
    return await studio.examine()


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend:
    return BACKENDS[request.param](servers)


@pytest.mark.timeout(3600)
async def test_every_accepted_job_survives_kills_when_the_provider_can_be_asked(
    tmp_path: Path, stub: RunningStub, rng: random.Random, kills: int, backend: Backend
) -> None:
    share = 6 if backend == Backend() else 2
    with KilledStudio(tmp_path / "data", stub, backend=backend) as studio:
        # The boundaries of what a backend does itself come first, for where the kills do not reach to all.
        boundaries = sorted(rng.sample(BOUNDARIES, len(BOUNDARIES)), key=lambda at: not at.endswith(":put"))
        ended = await torment(studio, kills * share // 10, rng, boundaries)
    assert set(ended) == {State.SUCCEEDED}
    assert ended.total() == len(studio.accepted)


@pytest.mark.timeout(3600)
async def test_a_provider_that_cannot_be_asked_is_never_asked_twice(
    tmp_path: Path, stub: RunningStub, rng: random.Random, kills: int
) -> None:
    with KilledStudio(tmp_path / "data", stub, "cannot-be-asked") as studio:
        ended = await torment(studio, kills * 2 // 10, rng, sorted(IN_DOUBT))
    assert set(ended) <= {State.SUCCEEDED, State.OUTCOME_UNKNOWN}
    assert ended[State.OUTCOME_UNKNOWN] > 0, "the kills between intent and answer were not hit"


@pytest.mark.timeout(3600)
async def test_a_provider_that_knows_the_reference_is_asked_again_and_paid_once(
    tmp_path: Path, stub: RunningStub, rng: random.Random, kills: int
) -> None:
    with KilledStudio(tmp_path / "data", stub, "idempotent") as studio:
        ended = await torment(studio, kills * 2 // 10, rng, rng.sample(sorted(IN_DOUBT), len(IN_DOUBT)))
    assert set(ended) == {State.SUCCEEDED}
    assert ended.total() == len(studio.accepted)


@pytest.mark.timeout(3600)
async def test_films_of_this_machine_come_out_byte_for_byte_as_without_kills(
    tmp_path: Path, stub: RunningStub, rng: random.Random, kills: int
) -> None:
    with KilledStudio(tmp_path / "data", stub, "local") as studio:
        move_in(studio)
        disturbed, calm = ([f"{how}-{n}" for n in range(len(LOCAL_WISHES))] for how in ("disturbed", "calm"))
        for _ in range(max(kills * 3 // 20, 1)):
            killed_at_random(studio, rng, disturbed, LOCAL_WISHES, within_s=2.5)
        studio.start()
        place(studio, disturbed + calm, LOCAL_WISHES)
        studio.wait_settled()
        assert checksums(studio, disturbed) == checksums(studio, calm)
        studio.stop()
        studio.wait_swept()
        assert set(await studio.examine()) == {State.SUCCEEDED}


def checksums(studio: KilledStudio, keys: list[str]) -> list[str]:
    jobs = [studio.ask(f"/api/generations/{studio.accepted[key]}") for key in keys]
    return [item["sha256"] for job in jobs for item in job["media"]]
