"""What SQLite does only in large stores, done in small ones: the same tests with the thresholds at nothing."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from test_store_claims import *  # noqa: F403
from test_store_search import *  # noqa: F403

from mutoscope.domain.ids import Clock
from mutoscope.store.port import Store
from mutoscope.store.sqlite import claims, open_sqlite, search


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number of matches is too many to sort, and every queue too long to look along."""
    monkeypatch.setattr(search, "FEW", -1)
    monkeypatch.setattr(claims, "NEAR", 0)


@pytest.fixture
def opener() -> Callable[[Path, Clock], Awaitable[Store]]:
    return lambda folder, clock: open_sqlite(folder / "mutoscope.db", clock)
