"""What MongoDB does only in large stores, done in small ones: the same tests with the threshold at nothing."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from test_store_search import *  # noqa: F403

from mutoscope.domain.ids import Clock
from mutoscope.store.mongo import open_mongo, search
from mutoscope.store.port import Store
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import Databases


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """One match is too many to sort."""
    monkeypatch.setattr(search, "FEW", 0)


@pytest.fixture
def opener(databases: Databases) -> Iterator[Callable[[Path, Clock], Awaitable[Store]]]:
    name = databases.take()
    yield lambda _, clock: open_mongo(databases.uri(name), clock, SqliteCopies())
    databases.give_back(name)
