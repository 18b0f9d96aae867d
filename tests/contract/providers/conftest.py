"""A studio for each offer of each peer; stubs and the darkroom are shared."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from contract.providers.peers import PEERS, Offer
from contract.providers.vendors import VendorBench
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Darkroom
from mutoscope.store.sqlite import open_sqlite
from stubs.running import RunningStub
from worker.bench import Bench, MovableClock


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "offers(which): the offers that a test is about; all without it")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test is asked of every offer that it is about, see `peers`."""
    if "vendor" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("offers")
    which: Callable[[Offer], bool] = mark.args[0] if mark else lambda _: True
    offers = [(name, of) for name, peer in PEERS.items() for of, offer in peer.offers.items() if which(offer)]
    metafunc.parametrize("vendor", offers, indirect=True, ids="-".join, scope="function")


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningStub]]:
    """The stubs that were asked for so far."""
    running: dict[str, RunningStub] = {}
    yield running
    for stub in running.values():
        stub.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    """The real darkroom."""
    darkroom = JailedDarkroom()
    yield darkroom
    await darkroom.close()


@pytest_asyncio.fixture(loop_scope="session")
async def vendor(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    stubs: dict[str, RunningStub],
    darkroom: Darkroom,
) -> AsyncIterator[VendorBench]:
    """A studio at one offer; after every test its ledger has to add up."""
    name, offer = request.param
    peer = PEERS[name]
    if peer.stub not in stubs:
        folder = tmp_path_factory.mktemp("stub") / "state"
        stubs[peer.stub] = RunningStub(folder, module=peer.stub).start()
    clock = MovableClock()
    store = await open_sqlite(tmp_path / "studio.sqlite", clock)
    bench = Bench(tmp_path, store, FolderBlobs(tmp_path / "blobs"), darkroom, stubs[peer.stub], clock)
    await bench.provider.close()
    vendor = VendorBench(bench, name, peer, peer.offers[offer], stubs[peer.stub])
    await bench.move_in()
    yield vendor
    await bench.stop()
    proof = await store.ledger.proof()
    await store.close()
    await vendor.provider.close()
    assert proof == []
