"""The server is killed by SIGKILL at every boundary of a job's way and at random moments; nothing may be lost.

``--kills=N`` says how often (20 in the ordinary run, 200 by `make crash`), ``--seed`` repeats a run.
"""

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from crash.studio import DiedEarly, KilledStudio
from crash.victim import OPERATIONS
from mutoscope.domain.generation import State
from stubs.running import RunningStub

WISHES = (
    {"model": "stub/picture", "prompt": "A lamp by the sea"},
    {"model": "stub/film", "prompt": "Rain on a window"},
    {"model": "stub/picture", "prompt": "Four doors", "results": 4},
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


def place(studio: KilledStudio, keys: list[str]) -> None:
    """Order what was not accepted yet; what the server's death left without an answer is ordered again by its key."""
    for number, key in enumerate(keys):
        if key not in studio.accepted:
            studio.order(key, WISHES[number % len(WISHES)])


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


def killed_at_random(studio: KilledStudio, rng: random.Random, keys: list[str]) -> None:
    studio.start()
    place(studio, keys)
    time.sleep(rng.uniform(0, 1.0))
    studio.kill()


async def torment(studio: KilledStudio, kills: int, rng: random.Random, boundaries: list[str]) -> Counter[State]:
    studio.start()
    studio.people()
    studio.stop()
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


@pytest.mark.timeout(3600)
async def test_every_accepted_job_survives_kills_when_the_provider_can_be_asked(
    tmp_path: Path, stub: RunningStub, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    kills = int(request.config.getoption("--kills"))
    studio = KilledStudio(tmp_path / "data", stub, can_be_asked=True)
    boundaries = rng.sample(BOUNDARIES, len(BOUNDARIES))
    ended = await torment(studio, kills * 7 // 10, rng, boundaries)
    assert set(ended) == {State.SUCCEEDED}
    assert ended.total() == len(studio.accepted)


@pytest.mark.timeout(3600)
async def test_a_provider_that_cannot_be_asked_is_never_asked_twice(
    tmp_path: Path, stub: RunningStub, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    kills = int(request.config.getoption("--kills"))
    studio = KilledStudio(tmp_path / "data", stub, can_be_asked=False)
    ended = await torment(studio, kills * 3 // 10, rng, sorted(IN_DOUBT))
    assert set(ended) <= {State.SUCCEEDED, State.OUTCOME_UNKNOWN}
    assert ended[State.OUTCOME_UNKNOWN] > 0, "the kills between intent and answer were not hit"
