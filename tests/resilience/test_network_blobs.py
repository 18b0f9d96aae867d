"""The bucket alone over a bad network: lines that are slow, silent or cut, and what uploads leave behind them."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

import cast
from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.blobs.s3 import OURS, S3Blobs, S3Place, open_s3
from mutoscope.blobs.unfinished import Unfinished
from mutoscope.blobs.uploads import PART_BYTES
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Kind, Variant, key_for
from servers.faults import DOWN, UP, Faults
from servers.s3 import S3Server, place_in

FILM_BYTES = PART_BYTES + 1_000_000
"""Two parts."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server("ministack", tmp_path_factory.mktemp("ministack"))
    yield server
    server.stop()


@pytest.fixture
def direct(server: S3Server, tmp_path: Path) -> S3Place:
    """An empty bucket."""
    return place_in(server.name, server.endpoint, f"films-{time.time_ns()}")


@pytest.fixture
def way(server: S3Server) -> Iterator[Faults]:
    to = urlsplit(server.endpoint)
    assert to.hostname is not None
    assert to.port is not None
    with Faults(to.hostname, to.port) as way:
        yield way


@pytest.fixture
def place(direct: S3Place, way: Faults) -> S3Place:
    """The same bucket by the bad way."""
    return msgspec.structs.replace(direct, endpoint=f"http://{way.host}:{way.port}")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second where it is 20, and 10 where it is 120: what is tried is which of them is waited for."""
    for module in ("s3", "uploads"):
        monkeypatch.setattr(f"mutoscope.blobs.{module}.SILENCE_S", 1)
    monkeypatch.setattr("mutoscope.blobs.s3.SLOW_SILENCE_S", 10)
    monkeypatch.setattr("mutoscope.blobs.uploads.BRISK_BYTES_PER_S", 8_000_000)
    monkeypatch.setattr("mutoscope.blobs.s3.PATIENCE", timedelta(seconds=1))


def new_key() -> str:
    return key_for(Kind.VIDEO, cast.ids.new("med"), Variant.MASTER, "video/mp4")


def film(folder: Path) -> Path:
    path = folder / "film"
    path.write_bytes(bytes(range(256)) * (FILM_BYTES // 256))
    return path


async def is_there(blobs: S3Blobs, key: str, path: Path) -> bool:
    # By its address, so that looking at what came of it has more patience than what is tried.
    address = await blobs.presign(key, 600)
    assert address is not None
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.get(address)
    return answer.content == await asyncio.to_thread(path.read_bytes)


async def unfinished(place: S3Place) -> int:
    assert place.signer is not None
    async with Unfinished(place.address, place.signer, SystemClock(), 10) as uploads:
        return sum([len(await uploads.list(prefix)) for prefix in OURS])


@pytest.mark.usefixtures("impatient")
async def test_a_line_too_slow_for_several_parts_at_once_carries_films_one_part_at_a_time(
    direct: S3Place, place: S3Place, way: Faults, tmp_path: Path
) -> None:
    blobs, path, keys = open_s3(place, SystemClock()), film(tmp_path), [new_key(), new_key()]
    way.slow(bytes_per_s=4_000_000)
    await asyncio.gather(*(blobs.put(key, path, "video/mp4") for key in keys))
    assert blobs.uploads.line_is_slow
    assert [await is_there(open_s3(direct, SystemClock()), key, path) for key in keys] == [True, True]
    assert await unfinished(direct) == 0
    way.heal()
    await blobs.put(keys[0], path, "video/mp4")
    assert not blobs.uploads.line_is_slow


@pytest.mark.usefixtures("impatient")
async def test_a_silent_line_is_not_taken_for_a_slow_one(place: S3Place, way: Faults, tmp_path: Path) -> None:
    blobs, path, key = open_s3(place, SystemClock()), film(tmp_path), new_key()
    await blobs.check()
    way.freeze()
    with pytest.raises(BlobsUnavailable, match="does not answer"):
        await asyncio.wait_for(blobs.put(key, path, "video/mp4"), 9)
    assert not blobs.uploads.line_is_slow
    way.heal()
    await blobs.put(key, path, "video/mp4")
    assert await is_there(blobs, key, path)


async def test_an_upload_that_is_cut_again_and_again_is_given_up_without_leaving_parts(
    direct: S3Place, place: S3Place, way: Faults, tmp_path: Path
) -> None:
    blobs, path, key = open_s3(place, SystemClock()), film(tmp_path), new_key()
    way.cut_after(3_000_000, UP)
    with pytest.raises(BlobsUnavailable, match="does not answer"):
        await blobs.put(key, path, "video/mp4")
    assert way.resets > 2
    assert await unfinished(direct) == 0
    way.heal()
    await blobs.put(key, path, "video/mp4")
    assert await is_there(blobs, key, path)


async def test_uploads_whose_beginning_was_never_answered_are_swept(
    direct: S3Place, place: S3Place, way: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, path, key = open_s3(place, SystemClock()), film(tmp_path), new_key()
    way.cut_after(10, DOWN, times=3)
    await blobs.put(key, path, "video/mp4")
    assert await unfinished(direct) == 3
    assert await blobs.sweep() == 0, "they are younger than a day"
    monkeypatch.setattr("mutoscope.blobs.s3.UNFINISHED_MS", -2_000)
    assert await blobs.sweep() == 3
    assert await unfinished(direct) == 0
    assert await is_there(blobs, key, path)


async def test_a_sweep_over_a_line_that_is_cut_says_that_the_bucket_does_not_answer(
    direct: S3Place, place: S3Place, way: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mutoscope.blobs.s3.UNFINISHED_MS", -2_000)
    await begin(direct, new_key())
    way.cut_after(200, DOWN)
    with pytest.raises(BlobsUnavailable, match="does not answer"):
        await open_s3(place, SystemClock()).sweep()
    way.heal()
    assert await open_s3(place, SystemClock()).sweep() == 1


async def test_unfinished_uploads_of_others_are_not_even_listed_however_many_they_are(
    direct: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mutoscope.blobs.s3.UNFINISHED_MS", -2_000)
    for key in ("backups/1.tar", "videos/2024/old.mp4", new_key()):
        await begin(direct, key)
    assert await unfinished(direct) == 1
    assert await open_s3(direct, SystemClock()).sweep() == 1
    assert await unfinished(direct) == 0


async def begin(place: S3Place, key: str) -> None:
    """Begin an upload and forget it."""
    assert place.signer is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        url = place.signer.sign(f"{place.address}/{key}", SystemClock().now(), 60, "POST", {"uploads": ""})
        (await http.post(url)).raise_for_status()
