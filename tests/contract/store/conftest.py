"""Every backend of the store port runs every test in this folder that asks for ``store``."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import cast
import journey
from mutoscope.domain.ids import Clock
from mutoscope.domain.people import Person
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import Databases

Opener = Callable[[Path, Clock], Awaitable[Store]]
"""From a folder of its own and a clock to an open, empty store."""


@contextmanager
def on_sqlite(_: pytest.FixtureRequest) -> Generator[Opener]:
    yield lambda folder, clock: open_sqlite(folder / "mutoscope.db", clock)


@contextmanager
def on_mongo(request: pytest.FixtureRequest) -> Generator[Opener]:
    databases: Databases = request.getfixturevalue("databases")
    taken: defaultdict[Path, str] = defaultdict(databases.take)
    yield lambda folder, clock: open_mongo(databases.uri(taken[folder]), clock, SqliteCopies())
    for name in taken.values():
        databases.give_back(name)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Opener]]] = {
    "sqlite": on_sqlite,
    "mongo": on_mongo,
}


@pytest.fixture
def clock() -> cast.HandClock:
    return cast.HandClock()


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens a store of the backend that is being tested; the same folder is the same store again."""
    with BACKENDS[request.param](request) as opener:
        yield opener


@pytest.fixture
async def store(opener: Opener, tmp_path: Path, clock: cast.HandClock) -> AsyncIterator[Store]:
    """An open store; when the test is over, its ledger must add up."""
    store = await opener(tmp_path, clock)
    yield store
    assert await store.ledger.proof() == []
    await store.close()


@pytest.fixture
async def alice(store: Store) -> Person:
    return await journey.join(store, cast.alice())


@pytest.fixture
async def bob(store: Store) -> Person:
    return await journey.join(store, cast.bob())
