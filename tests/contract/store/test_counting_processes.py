"""Views that two processes hear of, on each backend."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import cast
import journey
from contract.store.conftest import Opener
from mutoscope.domain.counting import Visitor
from mutoscope.domain.ids import DAY
from mutoscope.domain.rights import STRANGER, Viewer
from mutoscope.services.counting import Counting
from mutoscope.store.port import Store

KEY = b"a key that both processes have"


@pytest.fixture
async def others_store(
    request: pytest.FixtureRequest, store: Store, opener: Opener, tmp_path: Path, clock: cast.HandClock
) -> AsyncIterator[Store]:
    """The store as another process has it; a data file has one process, so there it is the same."""
    if request.node.callspec.params["opener"] == "sqlite":
        yield store
        return
    async with AsyncExitStack() as parts:
        other = await opener(tmp_path, clock)
        parts.push_async_callback(other.close)
        yield other


def visitor(number: int) -> Visitor:
    return Visitor(source=f"192.0.2.{number}", user_agent="Browser")


async def test_a_viewer_whom_two_processes_hear_of_counts_once_a_day(
    store: Store, others_store: Store, clock: cast.HandClock
) -> None:
    alice, bob = await journey.join(store, cast.alice()), await journey.join(store, cast.bob())
    [item] = await journey.published(store, alice)
    processes = [Counting(each, clock, KEY, gather_s=3_600) for each in (store, others_store)]
    for day in range(2):
        clock.tick(day * DAY)
        for process in processes:
            for number in range(5):
                await process.viewed(STRANGER, item, visitor(number))
            await process.viewed(Viewer(person_id=bob.id), item, visitor(0))
        for process in processes:
            await process.flush()
        found = await others_store.media.get(item.id)
        assert found is not None
        assert found.views == 6 * (day + 1)
    assert sum(process.counted for process in processes) == 12
    for process in processes:
        await process.close()
