"""The few moves that make files survive a power cut, and what a disk's refusals mean in words."""

import ctypes
import errno
import os
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
"""What the studio keeps is for its own account on the machine: other accounts would get round the rights."""

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the quota of the disk is used up: free some space or raise it",
    errno.EROFS: "the disk is mounted read-only: mount it for writing",
    errno.EACCES: "this account may not write there: mend the owner or the permissions of the folder",
    errno.EPERM: "this account may not write there: mend the owner or the permissions of the folder",
    errno.ELOOP: "a symbolic link is where a folder or file of ours should be: remove it",
    errno.ENOTDIR: "a file or link is where a folder of ours should be: remove it",
    errno.EEXIST: "a file is where a folder of ours should be: remove it",
    errno.EISDIR: "a folder is where a file of ours should be: remove it",
    errno.EXDEV: "a folder of ours is on another disk than the rest: keep them together",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.EIO: "the disk gives errors: look at the log of the system before it loses more",
}


def reason(e: OSError) -> str:
    """Why the disk refused, and what to do; no path, as people may come to read it."""
    return _REASONS.get(e.errno or 0) or f"the disk refused ({e.strerror or type(e).__name__})"


_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
_BEGIN = 2  # SYNC_FILE_RANGE_WRITE of linux/fs.h
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def begin_sync(descriptor: int, start: int, size_bytes: int) -> None:
    """Begin to bring written bytes to the disk, so that a later fsync has less to do. It promises nothing.

    What goes wrong is for that fsync to say: with this flag alone the kernel looks at no errors and forgets none.
    """
    if _sync_file_range is not None:  # Linux has it; elsewhere fsync does all of the work
        _sync_file_range(descriptor, start, size_bytes, _BEGIN)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable: a rename or a new file is on the disk only after this. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each durably, for this account alone. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it: the kernel may take less at once. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(path: Path, data: bytes, *, replace: bool) -> None:
    """Write a small file whole and durably, mode 600. Raises OSError; FileExistsError unless it may ``replace``.

    It appears under its name only when every byte is on the disk; two writers at once never mix.
    """
    part = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            part.replace(path)
        else:
            path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
