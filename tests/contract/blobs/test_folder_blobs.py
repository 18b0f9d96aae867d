"""What the folder promises beyond the contract: disks that fail, links, power cuts and crashes in the middle."""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path

import pytest

import disks
import strace
from mutoscope.blobs.folder import INCOMING, FolderBlobs
from mutoscope.blobs.port import BlobMissing, BlobsUnavailable

MB = 1024 * 1024


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def keys(blobs: FolderBlobs) -> list[str]:
    return [info.key async for info in blobs.list("")]


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


def source_of(at: Path, data: bytes) -> Path:
    at.mkdir(exist_ok=True)
    source = at / "source"
    source.write_bytes(data)
    return source


def half_written(root: Path) -> bool:
    incoming = root / INCOMING
    return incoming.is_dir() and any(part.stat().st_size > 0 for part in incoming.iterdir())


# A put whose source is a pipe stands still in the middle for as long as the test wants.


async def test_a_process_killed_in_the_middle_of_a_put_leaves_nothing_to_be_seen(
    key: str, child: list[str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = await asyncio.create_subprocess_exec(*child, "put", "folder", str(tmp_path), key, str(tmp_path / "pipe"))
    writer = await asyncio.to_thread(os.open, tmp_path / "pipe", os.O_WRONLY)
    try:
        await asyncio.to_thread(os.write, writer, b"half a film")
        await until(lambda: half_written(tmp_path / "media"), "the first half")
        process.kill()
        await process.wait()
    finally:
        os.close(writer)
    blobs = FolderBlobs(tmp_path / "media")
    assert half_written(tmp_path / "media")
    with pytest.raises(BlobMissing):
        await blobs.head(key)
    assert await keys(blobs) == []
    await blobs.put(key, source_of(tmp_path, b"a whole film"), "video/mp4")
    assert await whole(blobs.read(key)) == b"a whole film"


async def test_a_canceled_put_does_not_land_later(key: str, tmp_path: Path) -> None:
    blobs, incoming = FolderBlobs(tmp_path / "media"), tmp_path / "media" / INCOMING
    os.mkfifo(tmp_path / "pipe")
    putting = asyncio.create_task(blobs.put(key, tmp_path / "pipe", "video/mp4"))
    writer = await asyncio.to_thread(os.open, tmp_path / "pipe", os.O_WRONLY)
    try:
        await asyncio.to_thread(os.write, writer, b"half a film")
        await until(lambda: half_written(tmp_path / "media"), "the first half")
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
    finally:
        os.close(writer)
    await until(lambda: not any(incoming.iterdir()), "the thread to clean up")
    with pytest.raises(BlobMissing):
        await blobs.head(key)


async def test_what_a_crash_left_is_swept_at_a_start_a_day_later_and_not_before(key: str, tmp_path: Path) -> None:
    incoming = tmp_path / INCOMING
    incoming.mkdir()
    young, old = incoming / "young.part", incoming / "old.part"
    for part in (young, old):
        part.write_bytes(b"half")
    day_and_hour_ago = time.time() - 25 * 3600
    os.utime(old, (day_and_hour_ago, day_and_hour_ago))
    blobs = FolderBlobs(tmp_path)
    assert [part.name for part in incoming.iterdir()] == ["young.part"]
    assert await keys(blobs) == []


async def test_a_put_writes_syncs_renames_and_syncs_the_folders_in_that_order(
    key: str, child: list[str], tmp_path: Path
) -> None:
    source = source_of(tmp_path, b"film" * MB)
    command = [*child, "put", "folder", str(tmp_path), key, str(source)]
    calls = await asyncio.to_thread(strace.trace, command, tmp_path / "trace")
    part, media = rf"/{INCOMING}/[0-9a-f]{{32}}\.part>", str(tmp_path / "media")
    folder = f"{media}/{key.rpartition('/')[0]}"
    written = strace.last(calls, strace.WRITES, part)
    synced = strace.after(calls, strace.SYNCS, part, written)
    placed = strace.after(calls, strace.RENAMES, rf"/{INCOMING}>.*<{folder}>", synced)
    named = strace.after(calls, strace.SYNCS, rf"<{folder}>", placed)
    above = strace.after(calls, strace.SYNCS, rf"<{media}/videos>", named)
    strace.after(calls, strace.SYNCS, rf"<{media}>", above)
    strace.after(calls, strace.SYNCS, rf"<{tmp_path}>")  # the root itself was new


async def test_a_large_file_from_another_disk_takes_no_more_memory_than_a_small_one(
    key: str, child: list[str], tmp_path: Path
) -> None:
    with disks.small_disk(tmp_path / "disk", "310m") as disk:  # the kernel copies within a disk only
        (disk / "small").write_bytes(bytes(4 * MB))
        with (disk / "large").open("wb") as file:
            file.truncate(300 * MB)
        command = [*child, "measure", "folder", str(tmp_path), key, str(disk / "small"), str(disk / "large")]
        measured = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert measured.returncode == 0, measured.stderr
    assert int(measured.stdout) < 16 * MB


async def test_a_full_disk_is_said_and_the_old_film_stays(key: str, tmp_path: Path) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        blobs = FolderBlobs(disk / "media")
        await blobs.put(key, source_of(tmp_path, b"the old film"), "video/mp4")
        with pytest.raises(BlobsUnavailable, match="disk is full: free some space"):
            await blobs.put(key, source_of(tmp_path, b"x" * 2 * MB), "video/mp4")
        assert not any((disk / "media" / INCOMING).iterdir())
        assert await whole(blobs.read(key)) == b"the old film"
        assert await keys(blobs) == [key]
        await blobs.put(key, source_of(tmp_path, b"a small film"), "video/mp4")
        assert await whole(blobs.read(key)) == b"a small film"


async def test_a_disk_that_fills_up_within_itself_is_said_and_works_again_when_there_is_room(
    key: str, tmp_path: Path
) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        blobs = FolderBlobs(disk / "media")
        source = source_of(disk / "spool", b"f" * 300_000)
        filler = disks.fill(disk)
        with pytest.raises(BlobsUnavailable, match="disk is full"):
            await blobs.put(key, source, "video/mp4")
        with pytest.raises(BlobsUnavailable, match="disk is full"):
            await blobs.check()
        filler.unlink()
        await blobs.check()
        await blobs.put(key, source, "video/mp4")
        assert await whole(blobs.read(key)) == b"f" * 300_000


async def test_a_read_only_disk_is_said_and_can_still_be_read(key: str, tmp_path: Path) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        source = source_of(tmp_path, b"film")
        blobs = FolderBlobs(disk / "media")
        await blobs.put(key, source, "video/mp4")
        disks.make_read_only(disk)
        for attempt in (blobs.put(key, source, "video/mp4"), blobs.delete(key), blobs.check()):
            with pytest.raises(BlobsUnavailable, match="mounted read-only"):
                await attempt
        assert await whole(FolderBlobs(disk / "media").read(key)) == b"film"


@pytest.fixture
def open_folder() -> Generator[Path]:
    """A folder that every account may pass through, as pytest's own ones are closed to nobody."""
    with tempfile.TemporaryDirectory(prefix="mutoscope-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_a_folder_that_may_not_be_written_is_said(key: str, open_folder: Path) -> None:
    source = source_of(open_folder, b"film")
    (open_folder / "media").mkdir()
    (open_folder / "media").chmod(0o555)
    blobs = FolderBlobs(open_folder / "media")
    with disks.as_nobody():
        for attempt in (blobs.put(key, source, "video/mp4"), blobs.check()):
            with pytest.raises(BlobsUnavailable, match="mend the owner or the permissions"):
                await attempt
    assert not any((open_folder / "media").iterdir())


async def test_a_film_of_another_account_is_not_missing_but_unavailable(key: str, open_folder: Path) -> None:
    blobs = FolderBlobs(open_folder / "media")
    await blobs.put(key, source_of(open_folder, b"film"), "video/mp4")
    if os.geteuid() != 0:
        (open_folder / "media" / key).chmod(0)
    with disks.as_nobody(), pytest.raises(BlobsUnavailable, match="mend the owner or the permissions"):
        await whole(blobs.read(key))


async def test_what_is_stored_is_closed_to_other_accounts(key: str, tmp_path: Path) -> None:
    await FolderBlobs(tmp_path / "media").put(key, source_of(tmp_path, b"film"), "video/mp4")
    modes = {path.stat().st_mode & 0o077 for path in [tmp_path / "media", *(tmp_path / "media").rglob("*")]}
    assert modes == {0}


async def test_a_folder_that_is_a_link_leads_nowhere(key: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    victim = outside / key.partition("/")[2]
    victim.parent.mkdir(parents=True)
    victim.write_bytes(b"not ours")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "videos").symlink_to(outside)
    blobs = FolderBlobs(tmp_path / "media")
    source = source_of(tmp_path, b"film")
    for attempt in (blobs.put(key, source, "video/mp4"), blobs.head(key), whole(blobs.read(key)), blobs.delete(key)):
        with pytest.raises(BlobsUnavailable, match="link"):
            await attempt
    with pytest.raises(BlobsUnavailable, match="link"):
        await keys(blobs)
    assert victim.read_bytes() == b"not ours"


async def test_a_file_that_is_a_link_is_not_followed(key: str, tmp_path: Path) -> None:
    secret = tmp_path / "jwt"
    secret.write_bytes(b"secret")
    place = tmp_path / "media" / key
    place.parent.mkdir(parents=True)
    place.symlink_to(secret)
    blobs = FolderBlobs(tmp_path / "media")
    for attempt in (blobs.head(key), whole(blobs.read(key))):
        with pytest.raises(BlobsUnavailable, match="link"):
            await attempt
    assert await keys(blobs) == []
    await blobs.put(key, source_of(tmp_path, b"film"), "video/mp4")
    assert await whole(blobs.read(key)) == b"film"
    assert secret.read_bytes() == b"secret"


async def test_files_that_are_not_ours_are_passed_over(key: str, tmp_path: Path) -> None:
    media = tmp_path / "media"
    blobs = FolderBlobs(media)
    await blobs.put(key, source_of(tmp_path, b"film"), "video/mp4")
    (media / "lost+found").mkdir()
    (media / "notes.txt").write_text("mine")
    (media / "videos" / ".DS_Store").write_text("mine")
    ((media / key).parent / "master.mp4.part").write_text("mine")
    assert await keys(blobs) == [key]


async def test_a_folder_larger_than_one_window_is_listed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mutoscope.blobs.folder.WINDOW_NAMES", 3)
    monkeypatch.setattr("mutoscope.blobs.folder.BATCH", 2)
    made = [f"sources/gen_01kahtr2x09e3v6k8m5q7w4c{n:02}.png" for n in range(11)]
    folder = tmp_path / "sources"
    folder.mkdir()
    for key in reversed(made):
        (tmp_path / key).write_bytes(b"picture")
    assert await keys(FolderBlobs(tmp_path)) == made


async def test_a_store_that_was_never_written_is_empty_and_stays_so(key: str, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "media")
    assert await keys(blobs) == []
    await blobs.delete(key)
    assert await blobs.presign(key, 60) is None
    assert not (tmp_path / "media").exists()


def test_a_relative_root_stays_where_it_was_when_the_process_moves(tmp_path: Path, key: str, child: list[str]) -> None:
    script = (
        "import asyncio, os\nfrom pathlib import Path\nfrom mutoscope.blobs.folder import FolderBlobs\n"
        f"blobs = FolderBlobs(Path('media'))\nos.chdir('/')\nasyncio.run(blobs.put({key!r}, Path({str(tmp_path / 'source')!r}), ''))"
    )
    source_of(tmp_path, b"film")
    subprocess.run([child[0], "-c", script], check=True, cwd=tmp_path)
    assert (tmp_path / "media" / key).read_bytes() == b"film"
