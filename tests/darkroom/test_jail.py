"""The jail: what it refuses, what it survives, and that nothing is left behind."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from darkroom import reel
from darkroom.holding import cpu_limits, held_at_work
from mutoscope.darkroom.jail import Bounds
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import DarkroomBroken, Unreadable

DEADLINE_S = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; fail when it does not."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough frames that its child can be met at work."""
    shots = [reel.pixels(64, 36, i) for i in range(30)] * 50
    return reel.film(
        tmp_path_factory.mktemp("long") / "long.mp4", rate=60, pictures=shots, options={"preset": "ultrafast"}
    )


@pytest.fixture
async def darkroom() -> AsyncIterator[JailedDarkroom]:
    """A darkroom of the test's own."""
    room = JailedDarkroom()
    yield room
    await room.close()


@pytest.fixture
async def stopped(darkroom: JailedDarkroom, long_film: Path) -> AsyncIterator[tuple[asyncio.Task[object], int]]:
    """A job, and its child, which stands still in the middle of it."""
    job, pid = await held_at_work(darkroom, long_film)
    yield job, pid
    await darkroom.close()
    await asyncio.gather(job, return_exceptions=True)


def test_every_wall_that_this_machine_has_holds() -> None:
    walls = JailedDarkroom().walls()
    assert len(walls) == 14
    always = {"memory", "processor time", "output", "environment"}
    assert not [name for name in always if not walls[name]]
    lacking = [name for name, holds in walls.items() if not holds]
    if lacking:
        pytest.skip(f"needs a kernel and a user that allow: {', '.join(lacking)}")


def test_walls_say_so_when_one_is_missing() -> None:
    code = """if True:
        from mutoscope.darkroom import jail, seccomp, walls
        seccomp.apply = lambda libc: False
        print(walls.held(walls._SINGLE["seccomp"][0], walls._make_a_socket), end=" ")
        print(walls.held(walls._shut_in, walls._fork), end=" ")
        print(walls.held(lambda: None, walls._read_a_file))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL])
async def test_a_crash_of_the_decoder_is_told_and_the_next_file_works(
    darkroom: JailedDarkroom, stopped: tuple[asyncio.Task[object], int], tmp_path: Path, number: signal.Signals
) -> None:
    job, pid = stopped
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)
    with pytest.raises(Unreadable, match="crashed"):
        await job
    assert (await darkroom.inspect(reel.still(tmp_path / "a.png"), reel.LIMITS)).width == 64


async def test_a_child_killed_from_outside_is_no_fault_of_the_file(
    darkroom: JailedDarkroom, stopped: tuple[asyncio.Task[object], int], long_film: Path
) -> None:
    job, pid = stopped
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(DarkroomBroken, match="killed"):
        await job
    assert (await darkroom.inspect(long_film, reel.LIMITS)).frames == 1500


async def test_too_much_processor_time_is_told(stopped: tuple[asyncio.Task[object], int]) -> None:
    job, pid = stopped
    os.kill(pid, signal.SIGXCPU)
    os.kill(pid, signal.SIGCONT)
    with pytest.raises(Unreadable, match="takes too long"):
        await job


async def test_a_child_that_hangs_is_killed(long_film: Path, tmp_path: Path) -> None:
    darkroom = JailedDarkroom(wall_s=2.0)
    try:
        job, pid = await held_at_work(darkroom, long_film)
        with pytest.raises(DarkroomBroken, match="did not end within 2 s"):
            await job
        assert not psutil.pid_exists(pid)
        assert (await darkroom.inspect(reel.still(tmp_path / "a.png"), reel.LIMITS)).width == 64
    finally:
        await darkroom.close()


async def test_looking_at_an_upload_has_less_time_than_developing(long_film: Path, tmp_path: Path) -> None:
    darkroom = JailedDarkroom(inspect_s=2.0)
    try:
        job, pid = await held_at_work(darkroom, long_film)
        assert cpu_limits(pid) == ["1", "3"]
        with pytest.raises(DarkroomBroken, match="did not end within 2 s"):
            await job
        assert (await darkroom.develop(long_film, tmp_path, reel.LIMITS)).facts.frames == 1500
    finally:
        await darkroom.close()


async def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    big = reel.film(tmp_path / "a.mp4", frames=3, size=(1920, 1080), options={"preset": "ultrafast", "bf": "0"})
    darkroom = JailedDarkroom(bounds=Bounds(memory_bytes=250 << 20))
    try:
        with pytest.raises(Unreadable):
            await darkroom.inspect(big, reel.LIMITS)
        small = reel.still(tmp_path / "a.png")
        assert (await darkroom.inspect(small, reel.LIMITS)).width == 64
    finally:
        await darkroom.close()


async def test_what_is_made_cannot_fill_the_disk(tmp_path: Path) -> None:
    darkroom = JailedDarkroom(bounds=Bounds(output_bytes=256))
    try:
        with pytest.raises(Unreadable, match="too large"):
            await darkroom.develop(reel.still(tmp_path / "a.png"), tmp_path, reel.LIMITS)
        assert sorted(os.listdir(tmp_path)) == ["a.png"]
    finally:
        await darkroom.close()


async def test_the_zygote_is_started_again_when_it_died(
    darkroom: JailedDarkroom, stopped: tuple[asyncio.Task[object], int], long_film: Path
) -> None:
    job, pid = stopped
    zygote = darkroom.sandbox.zygote_pid
    assert zygote is not None
    os.kill(zygote, signal.SIGKILL)
    with pytest.raises(DarkroomBroken, match="next file gets a new one"):
        await job
    await until(lambda: gone(pid))
    assert (await darkroom.inspect(long_film, reel.LIMITS)).frames == 1500
    assert darkroom.sandbox.zygote_pid != zygote


def gone(pid: int) -> bool:
    """Whether a process has ended; one that waits for init to collect it has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_job_that_nobody_waits_for_ends(
    darkroom: JailedDarkroom, stopped: tuple[asyncio.Task[object], int]
) -> None:
    job, pid = stopped
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await until(lambda: gone(pid))


async def test_closing_ends_everything(darkroom: JailedDarkroom, stopped: tuple[asyncio.Task[object], int]) -> None:
    job, pid = stopped
    zygote = darkroom.sandbox.zygote_pid
    assert zygote is not None
    await darkroom.close()
    with pytest.raises(DarkroomBroken):
        await job
    assert gone(zygote)
    await until(lambda: gone(pid))
    with pytest.raises(DarkroomBroken, match="closed"):
        await darkroom.inspect(Path(__file__), reel.LIMITS)


async def test_children_die_with_a_server_that_is_killed(long_film: Path) -> None:
    code = f"""if True:
        import asyncio, os, signal
        from pathlib import Path
        from darkroom.holding import held_at_work
        from mutoscope.darkroom.jailed import JailedDarkroom
        async def main():
            room = JailedDarkroom()
            job, pid = await held_at_work(room, Path({str(long_film)!r}))
            print(room.sandbox.zygote_pid, pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    tests = str(Path(__file__).parents[1])
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": tests}
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    zygote, child = map(int, done.stdout.split())
    await until(lambda: gone(zygote) and gone(child))


async def test_no_more_than_two_files_are_decoded_at_once(darkroom: JailedDarkroom, long_film: Path) -> None:
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(darkroom.sandbox.pids))
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    facts = await asyncio.gather(*(darkroom.inspect(long_film, reel.LIMITS) for _ in range(5)))
    watcher.cancel()
    assert [f.frames for f in facts] == [1500] * 5
    assert 1 <= most <= 2


async def test_fifty_files_leave_no_process_and_no_descriptor(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    good, bad = reel.still(tmp_path / "a.png"), tmp_path / "bad.png"
    await asyncio.to_thread(bad.write_bytes, b"\x89PNG\r\n\x1a\nnothing")
    await darkroom.develop(good, tmp_path, reel.LIMITS)
    zygote = psutil.Process(darkroom.sandbox.zygote_pid)
    gc.collect()
    mine, its = psutil.Process().num_fds(), zygote.num_fds()
    for _ in range(25):
        await darkroom.develop(good, tmp_path, reel.LIMITS)
        with pytest.raises(Unreadable):
            await darkroom.develop(bad, tmp_path, reel.LIMITS)
    assert (psutil.Process().num_fds(), zygote.num_fds()) == (mine, its)
    assert not zygote.children()
    assert not darkroom.sandbox.pids


async def test_a_large_file_costs_no_more_memory_than_a_small_one(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    small = reel.film(tmp_path / "a.mp4")
    large = tmp_path / "b.mp4"
    await asyncio.to_thread(reel.padded, small, large, 3 << 30)
    limits = reel.MediaLimits(size_bytes=4 << 30, pixels=4_000_000, duration_s=60.0)
    assert (await darkroom.previews(large, tmp_path, limits)).keys()
    assert psutil.Process(darkroom.sandbox.zygote_pid).memory_info().rss < 200 << 20
