"""Every backend of the store port runs every test in this folder that asks for ``store``."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import cast
import journey
from mutoscope.domain.ids import Clock
from mutoscope.domain.people import Person
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite


async def open_sqlite_store(folder: Path, clock: Clock) -> Store:
    return await open_sqlite(folder / "mutoscope.db", clock)


BACKENDS: dict[str, Callable[[Path, Clock], Awaitable[Store]]] = {"sqlite": open_sqlite_store}
"""A backend is a function from a folder of its own and a clock to an open, empty store."""


@pytest.fixture
def clock() -> cast.HandClock:
    return cast.HandClock()


Opener = Callable[[Path, Clock], Awaitable[Store]]


@pytest.fixture(params=BACKENDS)
def opener(request: pytest.FixtureRequest) -> Opener:
    """Opens a store of the backend that is being tested."""
    return BACKENDS[request.param]


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
