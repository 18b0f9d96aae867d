"""What every test may ask for."""

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from servers.mongod import Databases, ReplicaSet

settings.register_profile(
    "mutoscope",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("mutoscope")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="repeat a random run")
    parser.addoption("--kills", type=int, default=20, help="how often the crash suite kills the server")
    parser.addoption(
        "--examples", type=int, default=4, help="requests of each kind, by each viewer, for each operation described"
    )


@pytest.fixture(scope="session")
def run_seed(request: pytest.FixtureRequest) -> int:
    """The number that decides everything random in this run; printed when a test fails."""
    given = request.config.getoption("--seed")
    return int(
        os.environ.get("MUTOSCOPE_TEST_SEED", given if given is not None else random.SystemRandom().randrange(2**32))
    )


@pytest.fixture
def seed(run_seed: int) -> int:
    """The run's seed, said in the output of the test that uses it."""
    print(f"repeat with --seed={run_seed}")
    return run_seed


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Dice that can be thrown again."""
    return random.Random(seed)


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    """A replica set of one, for all tests of this process: each takes a database of its own."""
    running = ReplicaSet(tmp_path_factory.mktemp("mongod"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def databases(mongod: ReplicaSet) -> Databases:
    """Empty databases of that set."""
    return Databases(mongod)
