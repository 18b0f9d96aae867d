"""A bucket whose server is down while a job comes to its end: the spool keeps the bytes, and the job goes on by itself."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mutoscope.blobs.s3 import S3Place, open_s3
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Kind
from mutoscope.store.sqlite import open_sqlite
from servers.s3 import KEYS, S3Server, free_port, place_in
from stubs.running import RunningStub
from worker.bench import Bench, MovableClock

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[RunningStub]:
    """The stub provider."""
    stub = RunningStub(tmp_path / "stub").start()
    yield stub
    stub.kill()


@pytest.fixture
def place() -> S3Place:
    """A bucket of a server that does not run yet."""
    key, secret = KEYS["ministack"]
    return S3Place(
        bucket="films", access_key_id=key, secret_access_key=secret, endpoint=f"http://127.0.0.1:{free_port()}"
    )


@pytest_asyncio.fixture(loop_scope="session")
async def bench(tmp_path: Path, stub: RunningStub, place: S3Place) -> AsyncIterator[Bench]:
    """A studio without a front that keeps its media in the bucket."""
    clock = MovableClock()
    store, darkroom = await open_sqlite(tmp_path / "studio.sqlite", clock), JailedDarkroom()
    bench = Bench(tmp_path, store, open_s3(place, SystemClock()), darkroom, stub, clock)
    await bench.move_in()
    yield bench
    await bench.stop()
    assert await store.ledger.proof() == []
    await store.close()
    await darkroom.close()
    await bench.provider.close()


async def test_a_job_waits_with_its_bytes_in_the_spool_and_goes_on_when_the_bucket_is_back(
    bench: Bench, place: S3Place, tmp_path: Path
) -> None:
    job = await bench.order(kind=Kind.VIDEO)
    bench.start()
    await bench.until_tried(job, State.DEVELOPING, 1)
    assert (bench.spool.folder(job.id) / "0").exists()
    assert place.endpoint is not None
    server = S3Server("ministack", tmp_path / "ministack", int(place.endpoint.rpartition(":")[2]))
    try:
        place_in("ministack", place.endpoint, place.bucket)
        done = await bench.until(job, State.SUCCEEDED)
        (item,) = await bench.items(done)
        assert await bench.whole(item)
        assert await bench.counts(job) == {"asked": 1, "paid": 1}
        assert done.captured == done.hold
    finally:
        await bench.stop()
        server.stop()
