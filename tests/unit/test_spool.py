"""Bytes on their way: whole and on the disk, or not there at all."""

import asyncio
import ctypes
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import disks
import strace
from mutoscope.spool import AHEAD_BYTES, GATHER_BYTES, Spool, SpoolFull, TooMuch


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def breaking(error: BaseException, *chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise error


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool in a folder that does not exist yet."""
    return Spool(tmp_path / "data" / "spool")


@pytest.mark.parametrize(
    "chunks",
    [
        (), (b"",), (b"a", b"", b"bc"), (b"x" * GATHER_BYTES, b"y"), (b"z" * (GATHER_BYTES - 1),) * 3,
        (b"a" * AHEAD_BYTES, b"b" * AHEAD_BYTES, b"c"),
    ],
)  # fmt: skip
async def test_a_stream_is_written_whole_with_its_size_and_checksum(spool: Spool, chunks: tuple[bytes, ...]) -> None:
    path = spool.folder("gen_1") / "0"
    written = await spool.write(path, pieces(*chunks), 100_000_000)
    film = b"".join(chunks)
    assert path.read_bytes() == film
    assert (written.path, written.size_bytes, written.sha256) == (path, len(film), hashlib.sha256(film).hexdigest())
    assert os.listdir(path.parent) == ["0"]


async def test_a_checksum_that_nobody_asks_for_is_not_made(spool: Spool) -> None:
    path = spool.folder("gen_1") / "0"
    written = await spool.write(path, pieces(b"film"), 100, hashed=False)
    assert path.read_bytes() == b"film"
    assert (written.size_bytes, written.sha256) == (4, "")


async def test_a_second_write_replaces_the_first(spool: Spool) -> None:
    path = spool.folder("gen_1") / "0"
    await spool.write(path, pieces(b"first and longer"), 100)
    await spool.write(path, pieces(b"second"), 100)
    assert path.read_bytes() == b"second"


async def test_what_a_crash_left_half_written_is_written_over(spool: Spool) -> None:
    path = spool.folder("gen_1") / "0"
    path.with_name("0.part").write_bytes(b"half a film of a process that is gone")
    await spool.write(path, pieces(b"whole"), 100)
    assert os.listdir(path.parent) == ["0"]
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("chunks", [(b"x" * 11,), (b"x" * 10, b"x"), (b"x",) * 11])
async def test_a_stream_over_its_limit_is_stopped_and_leaves_nothing(spool: Spool, chunks: tuple[bytes, ...]) -> None:
    path = spool.folder("gen_1") / "0"
    with pytest.raises(TooMuch, match="more than 10 bytes"):
        await spool.write(path, pieces(*chunks), 10)
    assert os.listdir(path.parent) == []
    await spool.write(path, pieces(b"x" * 10), 10)


@pytest.mark.parametrize("error", [ConnectionResetError("by peer"), TimeoutError("silent"), ValueError("odd")])
async def test_what_the_stream_raises_comes_through_as_it_is(spool: Spool, error: Exception) -> None:
    path = spool.folder("gen_1") / "0"
    with pytest.raises(type(error)) as raised:
        await spool.write(path, breaking(error, b"half"), 100)
    assert raised.value is error
    assert os.listdir(path.parent) == []


async def test_a_failed_write_leaves_the_earlier_file(spool: Spool) -> None:
    path = spool.folder("gen_1") / "0"
    await spool.write(path, pieces(b"earlier"), 100)
    with pytest.raises(ValueError, match="odd"):
        await spool.write(path, breaking(ValueError("odd"), b"half"), 100)
    assert path.read_bytes() == b"earlier"


async def test_a_canceled_write_leaves_nothing(spool: Spool) -> None:
    path, reached = spool.folder("gen_1") / "0", asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * GATHER_BYTES
            reached.set()
            await asyncio.sleep(0)

    writing = asyncio.create_task(spool.write(path, endless(), 1 << 40))
    await reached.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert os.listdir(path.parent) == []


async def test_a_full_disk_is_said_by_every_call_and_nothing_half_stays(tmp_path: Path) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        spool = Spool(disk / "spool")
        folder = spool.folder("gen_1")
        await spool.write(folder / "0", pieces(b"earlier"), 100)
        free = spool.free_bytes()
        assert 0 < free < 1 << 20
        with pytest.raises(SpoolFull, match="disk is full: free some space"):
            await spool.write(folder / "1", pieces(*[b"x" * 50_000] * 40), 10_000_000)
        assert spool.free_bytes() == free
        disks.fill(disk)
        assert spool.free_bytes() == 0
        with pytest.raises(SpoolFull, match="disk is full"):
            await spool.write(folder / "1", pieces(b"x" * 10_000), 10_000_000)
        assert os.listdir(folder) == ["0"]
        assert (folder / "0").read_bytes() == b"earlier"


async def test_a_disk_without_room_for_a_folder_is_said(tmp_path: Path) -> None:
    with disks.small_disk(tmp_path / "disk", "1m,nr_inodes=4") as disk:
        spool = Spool(disk / "spool")
        folder = spool.folder("gen_1")
        (disk / "last").touch()
        with pytest.raises(SpoolFull, match="disk is full"):
            spool.folder("gen_2")
        with pytest.raises(SpoolFull, match="disk is full"):
            await spool.write(folder / "0", pieces(b"x"), 10)
        assert spool.names() == ["gen_1"]


async def test_a_read_only_disk_is_said_by_every_call_that_writes(tmp_path: Path) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        spool = Spool(disk / "spool")
        folder = spool.folder("gen_1")
        disks.make_read_only(disk)
        with pytest.raises(SpoolFull, match="read-only"):
            spool.folder("gen_2")
        with pytest.raises(SpoolFull, match="read-only"):
            await spool.write(folder / "0", pieces(b"x"), 10)
        spool.clear("gen_1")
        assert spool.names() == ["gen_1"]


def test_a_spool_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    spool = Spool(tmp_path / "spool")
    for call in (lambda: spool.folder("gen_1"), spool.names, spool.free_bytes):
        with pytest.raises(SpoolFull, match="where a folder of ours should be"):
            call()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "A", "-x", ".x", "a b", "x" * 81, "x\0", "x\n"])
def test_a_name_that_leads_elsewhere_is_no_spool_folder_and_clears_nothing(spool: Spool, name: str) -> None:
    (spool.folder("gen_1") / "0").write_bytes(b"film")
    with pytest.raises(ValueError, match="not a spool name"):
        spool.folder(name)
    spool.clear(name)
    assert (spool.root / "gen_1" / "0").read_bytes() == b"film"
    assert spool.root.parent.is_dir()


def test_a_folder_is_cleared_with_what_is_in_it_and_twice_is_harmless(spool: Spool) -> None:
    (spool.folder("gen_1") / "work").mkdir()
    (spool.folder("gen_1") / "work" / "0").write_bytes(b"film")
    spool.folder("gen_2")
    spool.clear("gen_1")
    spool.clear("gen_1")
    assert spool.names() == ["gen_2"]


def test_names_are_the_folders_and_nothing_else(spool: Spool, tmp_path: Path) -> None:
    assert spool.names() == []
    spool.folder("gen_2")
    spool.folder("gen_1")
    (spool.root / "stray").write_text("a file")
    (spool.root / "link").symlink_to(tmp_path)
    assert spool.names() == ["gen_1", "gen_2"]


def test_used_bytes_are_the_files_in_all_folders(spool: Spool) -> None:
    assert spool.used_bytes() == 0
    (spool.folder("gen_1") / "0").write_bytes(b"x" * 700)
    (spool.folder("gen_2") / "0.part").write_bytes(b"x" * 77)
    assert spool.used_bytes() == 777


def test_a_write_is_synced_renamed_and_its_folder_synced_in_that_order(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from mutoscope.spool import Spool

async def film():
    for _ in range(5):
        yield b"x" * 200_000

spool = Spool(Path({str(tmp_path)!r}) / "spool")
asyncio.run(spool.write(spool.folder("gen_1") / "0", film(), 10**9))
"""
    calls = strace.trace([sys.executable, "-c", script], tmp_path / "trace")
    part, folder = r"/gen_1/0\.part", rf"<{tmp_path}/spool/gen_1>"
    synced = strace.after(calls, strace.SYNCS, part, strace.last(calls, strace.WRITES, part))
    placed = strace.after(calls, strace.RENAMES, r"/gen_1/0\.part.*/gen_1/0\"", synced)
    strace.after(calls, strace.SYNCS, folder, placed)
    assert strace.after(calls, strace.SYNCS, rf"<{tmp_path}/spool>") < placed  # the folder itself was new
    strace.after(calls, strace.SYNCS, rf"<{tmp_path}>")


def test_a_long_stream_goes_to_the_disk_while_it_comes_and_is_synced_at_its_end(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from mutoscope.spool import Spool

async def film():
    for _ in range(3):
        yield b"x" * {AHEAD_BYTES}

spool = Spool(Path({str(tmp_path)!r}) / "spool")
asyncio.run(spool.write(spool.folder("gen_1") / "0", film(), 10**9))
"""
    calls = strace.trace([sys.executable, "-c", script], tmp_path / "trace")
    part = r"/gen_1/0\.part"
    last = strace.last(calls, strace.WRITES, part)
    if hasattr(ctypes.CDLL(None), "sync_file_range"):
        assert strace.after(calls, strace.BEGUN_SYNCS, part) < last
    strace.after(calls, strace.SYNCS, part, last)
