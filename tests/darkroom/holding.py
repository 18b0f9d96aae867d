"""Catch a child of the darkroom in the middle of its work."""

import asyncio
import os
import signal
from pathlib import Path

import psutil

from darkroom import reel
from mutoscope.darkroom.jailed import JailedDarkroom


async def held_at_work(room: JailedDarkroom, path: Path) -> tuple[asyncio.Task[object], int]:
    """A job and its child, which is shut in and stands still. On a busy machine one may finish unseen: then another."""
    while True:
        job: asyncio.Task[object] = asyncio.create_task(room.inspect(path, reel.LIMITS))
        while not job.done():
            for pid in room.sandbox.pids:
                if _limited(pid) and _stand_still(pid):
                    return job, pid
            await asyncio.sleep(0)
        await job


def cpu_limits(pid: int) -> list[str]:
    """The seconds of processor time at which a child is told, and is killed."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[3:5] for line in lines if line.startswith("Max cpu time"))


def _limited(pid: int) -> bool:
    """Whether the limits stand: from then on it dies with the zygote."""
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return False
    return any(line.startswith("Max address space") and "unlimited" not in line for line in limits.splitlines())


def _stand_still(pid: int) -> bool:
    """Whether it could be stopped before its end."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while (status := psutil.Process(pid).status()) not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
            pass
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    return status == psutil.STATUS_STOPPED
