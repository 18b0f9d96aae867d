"""The child process: renders one job's folder. ``python -m mutoscope.providers.local.render FOLDER PARENT``.

It ends with its parent, is limited in memory, processor time and file size, and decodes the source picture, which the
darkroom has looked at before, with no environment and at the lowest priority.
"""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024
LIMITS = {
    resource.RLIMIT_AS: 2048 * MIB,
    resource.RLIMIT_CPU: 900,
    resource.RLIMIT_FSIZE: 1024 * MIB,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_CORE: 0,
}
"""Memory in bytes (a film in 1920x1080 needs about half of it, much of it address space only), processor time in seconds."""
PR_SET_PDEATHSIG = 1
MALLOPT = {-3: 32 * MIB, -1: 1024 * MIB, -2: 64 * MIB}
"""M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD of glibc: memory of one frame is kept for the next. Given back to the
kernel and taken again, it cost more time than all the drawing."""


def main(folder: Path, parent: int) -> None:
    """Render what is missing in the folder, or write down why not."""
    _end_with(parent)
    for limit, value in LIMITS.items():
        resource.setrlimit(limit, (value, value))
    os.nice(10)
    _keep_memory()
    # Before the libraries are loaded: they read it once.
    os.environ.update(OPENBLAS_NUM_THREADS="1", VIPS_CONCURRENCY="2")
    with (folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        render(folder, parent)


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before the line above took hold.
    if os.getppid() != parent:
        sys.exit(1)


def _keep_memory() -> None:
    with suppress(AttributeError):  # another C library
        for option, value in MALLOPT.items():
            ctypes.CDLL(None).mallopt(option, value)


def render(path: Path, parent: int) -> None:
    """Render what is missing. What cannot be drawn, and a full disk, is written down; anything else is raised."""
    from mutoscope.domain.generation import Failure, FailureKind
    from mutoscope.providers.local.folder import DISK_FULL, Folder
    from mutoscope.providers.local.work import CannotDraw, work

    folder = Folder(path)
    if folder.canceled() or folder.failure() is not None:
        return
    try:
        work(folder, go_on=lambda: os.getppid() == parent and not folder.asked_to_stop())
    except CannotDraw as e:
        folder.fail(Failure(kind=FailureKind.INVALID, message=str(e)))
    except OSError as e:
        if e.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        folder.fail(Failure(kind=FailureKind.UNAVAILABLE, message=DISK_FULL, detail=str(e)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
