"""Whole jobs in a real studio of two web processes and two workers whose database is behind a bad network.

All jobs succeed and are paid once, every page hears every event, and the memory of each process is held against what it
took in peace. One studio goes through everything, so that what one fault left behind would show in the next.
"""

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx2
import pytest

from crash.backends import new_bucket
from resilience.far import STUDIO, FarSet, FarStudio
from resilience.test_network_s3 import Memory
from servers.faults import DOWN, UP
from servers.s3 import S3Server
from stubs.running import RunningStub

WISHES = [
    {"model": "stub/film", "prompt": "Rain on a window"},
    {"model": "stub/picture", "prompt": "Two doors", "results": 2},
    {"model": "stub/picture", "prompt": "A boat"},
]
GROWTH_BYTES = 8 * 1024 * 1024
"""What memory may grow by over what peace took, over all tests: 2 MiB were measured (events that are kept, connections
that were made anew). Hundreds of transactions and connections break here: what holds on to each of them shows."""
CONFLICT, NOT_PRIMARY, SHUTTING_DOWN, WAITED_TOO_LONG = 112, 10107, 91, 64
IMPATIENT = {"heartbeatFrequencyMS": 1_000, "connectTimeoutMS": 1_000}
"""Silence is noticed after two seconds, where it is ten: what is tried is that it is."""
SILENT_S = 3.0


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarStudio]:
    """A studio that has worked in peace."""
    root = tmp_path_factory.mktemp("far")
    with ExitStack() as parts:
        mongo, s3 = FarSet(root / "mongo", **IMPATIENT), S3Server("ministack", root / "s3")
        parts.callback(s3.stop)
        parts.callback(mongo.stop)
        mongo.start()
        stub = RunningStub(root / "stub").start()
        parts.callback(stub.kill)
        httpx2.post(f"{stub.address}/admin/script", json={"finish_after_s": 0.3}).raise_for_status()
        studio = parts.enter_context(FarStudio(root / "studio", stub, mongo, s3, new_bucket(s3)))
        studio.move_in()
        yield studio


@pytest.fixture(scope="module")
def calm(studio: FarStudio) -> dict[str, int]:
    """What each process has in memory at most in peace, in bytes."""
    with memory(studio) as most:
        studio.order_all(keys("peace"), WISHES)
        studio.settle()
    return most


@contextmanager
def memory(studio: FarStudio) -> Iterator[dict[str, int]]:
    """The most that each process has in memory meanwhile; filled in at the end."""
    most: dict[str, int] = {}
    with ExitStack() as looks:
        looking = {
            name: looks.enter_context(Memory(process._process.pid)) for name, process in studio.processes.items()
        }
        yield most
    most |= {name: look.peak for name, look in looking.items()}


@contextmanager
def flat(studio: FarStudio, calm: dict[str, int]) -> Iterator[None]:
    """Memory stays by what it was in peace."""
    with memory(studio) as most:
        yield
    growth = {name: bytes - calm[name] for name, bytes in most.items()}
    assert max(growth.values()) < GROWTH_BYTES, growth


def keys(when: str, count: int = 2 * len(WISHES)) -> list[str]:
    return [f"{when}-{n}" for n in range(count)]


async def test_a_database_that_is_far_away_only_takes_longer(studio: FarStudio, calm: dict[str, int]) -> None:
    with flat(studio, calm):
        studio.mongo.way.slow(latency_ms=25)
        studio.order_all(keys("far", len(WISHES)), WISHES)
        studio.until(lambda: not studio.on_their_way(), "still on their way")
    await studio.all_is_well()


async def test_commits_whose_answers_are_lost_and_connections_that_are_cut_are_made_good(
    studio: FarStudio, calm: dict[str, int], rng: random.Random
) -> None:
    way = studio.mongo.way
    before = way.resets
    with flat(studio, calm), ThreadPoolExecutor(1) as person:
        ordering = person.submit(studio.order_all, keys("cut", 3 * len(WISHES)), WISHES)
        for _ in range(5):
            with studio.mongo.losing_a_commit() as cut:
                cut()
        for _ in range(5):
            way.cut_after(rng.randint(1, 2_000), rng.choice((UP, DOWN)), times=20)
            await asyncio.sleep(0.3)
        way.heal()
        ordering.result()
        studio.settle()
    assert way.resets - before > 50
    await studio.all_is_well()


async def test_connections_that_fall_silent_are_given_up_and_a_network_that_comes_back_is_gone_on_with(
    studio: FarStudio, calm: dict[str, int]
) -> None:
    with flat(studio, calm), ThreadPoolExecutor(1) as person:
        ordering = person.submit(studio.order_all, keys("silent"), WISHES)
        studio.until(studio.on_their_way, "nothing is ordered")
        studio.mongo.way.freeze()
        await asyncio.sleep(SILENT_S)
        studio.mongo.way.heal()
        ordering.result()
        studio.settle()
    await studio.all_is_well()


async def test_a_storm_of_conflicts_ends_with_every_order_taken_once(studio: FarStudio, calm: dict[str, int]) -> None:
    before = studio.mongo.aborted()
    conflict = {"errorCode": CONFLICT, "errorLabels": ["TransientTransactionError"], **STUDIO}
    changes = ["insert", "update", "findAndModify", "commitTransaction"]
    with flat(studio, calm):
        with studio.mongo.failing({"activationProbability": 0.1}, failCommands=changes, **conflict):
            studio.order_all(keys("storm", 16), [WISHES[2]], clients=16)
        studio.settle()
    assert studio.mongo.aborted() - before > 50
    await studio.all_is_well()


async def test_commits_that_nobody_can_vouch_for_are_asked_for_again(studio: FarStudio, calm: dict[str, int]) -> None:
    doubt = {"writeConcernError": {"code": WAITED_TOO_LONG, "errmsg": "waiting for replication timed out"}, **STUDIO}
    unknown = {"errorCode": SHUTTING_DOWN, "errorLabels": ["UnknownTransactionCommitResult"], **STUDIO}
    with flat(studio, calm):
        for name, failure in (("doubt", doubt), ("unknown", unknown)):
            with studio.mongo.failing({"activationProbability": 0.4}, failCommands=["commitTransaction"], **failure):
                studio.order_all(keys(name, len(WISHES)), WISHES)
        studio.settle()
    await studio.all_is_well()


async def test_a_primary_that_steps_down_again_and_again_is_waited_for(studio: FarStudio, calm: dict[str, int]) -> None:
    with flat(studio, calm), ThreadPoolExecutor(1) as person:
        ordering = person.submit(studio.order_all, keys("down"), WISHES)
        for _ in range(2):
            await asyncio.sleep(0.3)
            studio.mongo.command({"replSetStepDown": 1, "force": True})
            studio.mongo.await_primary()
        with studio.mongo.failing({"times": 10}, failCommands=["insert", "find", "aggregate"], errorCode=NOT_PRIMARY):
            ordering.result()
        studio.settle()
    await studio.all_is_well()
