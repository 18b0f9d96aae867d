"""Disks that are full, read-only or closed to us, for real. What needs root is skipped without it, in one loud line."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Generator[Path]:
    """A tmpfs of that size at ``folder`` for as long as the block runs."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a small tmpfs to fill it")
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Mount the disk at ``folder`` again, read-only."""
    _mount("-o", "remount,ro", str(folder))


def make_writable(folder: Path) -> None:
    """Mount it again as it was."""
    _mount("-o", "remount,rw", str(folder))


def fill(folder: Path) -> Path:
    """Take all the room there is. Returns the file that took it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece in (64 * 1024, 1024, 1):
            try:
                while file.write(bytes(piece)) == piece:
                    pass
            except OSError:
                continue
    return filler


@contextmanager
def as_nobody() -> Generator[None]:
    """Without root's right to pass over permissions: this whole process is nobody for as long as the block runs."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _mount(*arguments: str) -> None:
    mounted = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
