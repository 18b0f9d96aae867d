"""A bench for each test; the stub server and the darkroom are shared."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mutoscope.blobs.folder import FolderBlobs
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Darkroom
from mutoscope.store.sqlite import open_sqlite
from stubs.running import RunningStub
from worker.bench import Bench, MovableClock


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStub]:
    """A stub server; jobs have references of their own, so that tests do not meet."""
    stub = RunningStub(tmp_path_factory.mktemp("stub")).start()
    yield stub
    stub.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    """The real darkroom."""
    darkroom = JailedDarkroom()
    yield darkroom
    await darkroom.close()


@pytest_asyncio.fixture(loop_scope="session")
async def bench(tmp_path: Path, stub: RunningStub, darkroom: Darkroom) -> AsyncIterator[Bench]:
    """A studio without a front; after every test its ledger has to add up."""
    clock = MovableClock()
    store = await open_sqlite(tmp_path / "studio.sqlite", clock)
    bench = Bench(tmp_path, store, FolderBlobs(tmp_path / "blobs"), darkroom, stub, clock)
    await bench.move_in()
    yield bench
    await bench.stop()
    proof = await store.ledger.proof()
    await store.close()
    await bench.provider.close()
    assert proof == []
