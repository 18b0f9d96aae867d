"""Blobs in a local folder: a key is a path below the root.

A file is copied to ``.incoming``, synced, renamed to its place, and then the folders on the way are synced, so what is
under a key is whole, and stays after a power cut. Folders are opened one by one and links are not followed: no key, and
no link that someone put there, leads out of the root. Empty folders stay when their last file goes; they are harmless.
"""

import asyncio
import errno
import heapq
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Event

from mutoscope.blobs.port import CHUNK_BYTES, BlobInfo, BlobMissing, BlobsUnavailable
from mutoscope.disk import FILE_MODE, FOLDER_MODE, make_folder, reason, write_all
from mutoscope.domain.ids import DAY, SECOND
from mutoscope.domain.media import is_key

INCOMING = ".incoming"
TOPS = ("images", "sources", "videos")
STALE_S = DAY // SECOND
COPY_BYTES = 8 * 1024 * 1024
"""How much the kernel copies before the thread looks whether it is still wanted."""
WINDOW_NAMES = 50_000
"""How many names of one folder are in memory at once; a larger folder is read again for the next ones."""
BATCH = 200

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


class FolderBlobs:
    """The folder ``root``, made at the first put. Keys that are not ours raise ValueError everywhere."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._sweep()

    async def put(self, key: str, source: Path, content_type: str) -> None:
        """Store a copy of a file; ``content_type`` shows in the key's ending. Raises FileNotFoundError without source."""
        _ours(key)
        given_up = Event()
        try:
            await asyncio.to_thread(self._put, key, source, given_up)
        finally:
            given_up.set()  # a canceled put ends at its next step instead of landing later

    async def head(self, key: str) -> BlobInfo:
        """Size and time of change."""
        return await asyncio.to_thread(self._info, _ours(key))

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes as they were when reading began, whatever is put meanwhile. Raises ValueError when ``start`` < 0."""
        if start < 0:
            raise ValueError("a range starts at 0 or later")
        descriptor = await asyncio.to_thread(self._open, _ours(key))
        try:
            while end is None or start < end:
                size = CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - start)
                with _in_words():
                    chunk = await asyncio.to_thread(os.pread, descriptor, size, start)
                if not chunk:
                    break
                start += len(chunk)
                yield chunk
        finally:
            # When a read was canceled its thread may still be about to call pread: what that gives is thrown away.
            os.close(descriptor)

    async def delete(self, key: str) -> None:
        """Remove, durably."""
        await asyncio.to_thread(self._delete, _ours(key))

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """What is there, read a batch at a time; files that are not ours are passed over."""
        found = self._walk("", prefix)
        while batch := await asyncio.to_thread(lambda: list(islice(found, BATCH))):
            for info in batch:
                yield info

    async def presign(self, key: str, seconds: int) -> str | None:
        """None: a folder has no addresses."""
        return None

    async def sweep(self) -> int:
        """Remove what a crash left unfinished, as each start does."""
        return await asyncio.to_thread(self._sweep)

    async def check(self) -> None:
        """Store, read back and remove a few bytes. Raises BlobsUnavailable."""
        await asyncio.to_thread(self._check)

    # What follows runs in threads; each call opens what it needs and closes it again.

    def _put(self, key: str, source: Path, given_up: Event) -> None:
        with source.open("rb", buffering=0) as origin:
            self._store(key, lambda target: _copy(origin.fileno(), target, given_up), given_up)

    def _store(self, key: str, fill: Callable[[int], None], given_up: Event) -> None:
        part = os.urandom(16).hex() + ".part"
        folder, _, name = key.rpartition("/")
        with _in_words():
            make_folder(self._root)
            with self._folders(INCOMING, make=True) as (*_, incoming):
                try:
                    _write(incoming, part, fill)
                    with self._folders(folder, make=True) as way:
                        if given_up.is_set():
                            raise BlobsUnavailable("The copy was given up.")
                        os.rename(part, name, src_dir_fd=incoming, dst_dir_fd=way[-1])
                        for descriptor in reversed(way):
                            os.fsync(descriptor)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(part, dir_fd=incoming)
                    raise

    @contextmanager
    def _folders(self, folder: str, make: bool = False) -> Generator[Sequence[int]]:
        """The root and each folder below it on the way, open."""
        with ExitStack() as opened:
            way = [os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
            opened.callback(os.close, way[0])
            for part in folder.split("/"):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, FOLDER_MODE, dir_fd=way[-1])
                way.append(os.open(part, _FOLDER, dir_fd=way[-1]))
                opened.callback(os.close, way[-1])
            yield way

    def _open(self, key: str) -> int:
        folder, _, name = key.rpartition("/")
        with _in_words(), _missing(key), self._folders(folder) as way:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way[-1])

    def _info(self, key: str) -> BlobInfo:
        folder, _, name = key.rpartition("/")
        with _in_words(), _missing(key), self._folders(folder) as way:
            found = os.stat(name, dir_fd=way[-1], follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise BlobsUnavailable(_sentence(OSError(errno.ELOOP, "")))
        return BlobInfo(key=key, size_bytes=found.st_size, modified_at=found.st_mtime_ns // 1_000_000)

    def _delete(self, key: str) -> None:
        folder, _, name = key.rpartition("/")
        with _in_words(), suppress(FileNotFoundError), self._folders(folder) as way:
            os.unlink(name, dir_fd=way[-1])
            os.fsync(way[-1])

    def _walk(self, folder: str, prefix: str) -> Iterator[BlobInfo]:
        """Depth first, in the order of names: for our shapes of keys that is the order of keys."""
        for name in self._names(folder, prefix):
            path = folder + name
            if is_key(path):
                with suppress(BlobMissing, BlobsUnavailable):  # gone meanwhile, or no file
                    yield self._info(path)
            elif is_key(path + "/x.x") or path in TOPS:
                yield from self._walk(path + "/", prefix)

    def _names(self, folder: str, prefix: str) -> Iterator[str]:
        if not folder:
            yield from (name for name in TOPS if _on_the_way(name, prefix))
            return
        if prefix.startswith(folder) and "/" in prefix[len(folder) :]:
            yield prefix[len(folder) :].partition("/")[0]
            return
        last = ""
        while window := self._window(folder, prefix, last):
            yield from window
            last = window[-1]

    def _window(self, folder: str, prefix: str, after: str) -> Sequence[str]:
        with _in_words(), suppress(FileNotFoundError), ExitStack() as opened:
            way = opened.enter_context(self._folders(folder.rstrip("/")))
            entries = opened.enter_context(os.scandir(way[-1]))
            names = (e.name for e in entries if e.name > after and _on_the_way(folder + e.name, prefix))
            return heapq.nsmallest(WINDOW_NAMES, names)
        return ()

    def _check(self) -> None:
        token = os.urandom(8)
        key = f"sources/gen_7zzzzzzzzz{token.hex()}.bin"  # of the last millisecond that an id can name: no job has it
        self._store(key, lambda target: write_all(target, token), Event())
        descriptor = self._open(key)
        try:
            with _in_words():
                same = os.pread(descriptor, 64, 0) == token
        finally:
            os.close(descriptor)
        self._delete(key)
        if not same:
            raise BlobsUnavailable("The media folder gives back other bytes than were written: check the disk.")

    def _sweep(self) -> int:
        """Remove what a crash left unfinished; how many. What cannot be removed now is left for the next time."""
        swept = 0
        with suppress(OSError), self._folders(INCOMING) as way, os.scandir(way[-1]) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - STALE_S:
                        os.unlink(entry.name, dir_fd=way[-1])
                        swept += 1
        return swept


def _ours(key: str) -> str:
    if not is_key(key):
        raise ValueError(f"not a key of ours: {key!r}")
    return key


def _on_the_way(path: str, prefix: str) -> bool:
    return path.startswith(prefix) or prefix.startswith(path)


def _write(folder: int, name: str, fill: Callable[[int], None]) -> None:
    target = os.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE, dir_fd=folder
    )
    try:
        fill(target)
        os.fsync(target)
    finally:
        os.close(target)


def _copy(origin: int, target: int, given_up: Event) -> None:
    """All bytes, inside the kernel where it can (a file system with reflinks copies none); else a chunk at a time.

    Stops early when the copy is given up.
    """
    in_kernel = sys.platform == "linux"
    while not given_up.is_set():
        try:
            if in_kernel:
                if not os.copy_file_range(origin, target, COPY_BYTES):
                    return
                continue
        except OSError as e:
            if e.errno not in _NO_KERNEL_COPY:
                raise
            in_kernel = False
        chunk = os.read(origin, CHUNK_BYTES)
        if not chunk:
            return
        write_all(target, chunk)


@contextmanager
def _in_words() -> Generator[None]:
    try:
        yield
    except OSError as e:
        raise BlobsUnavailable(_sentence(e)) from e


def _sentence(e: OSError) -> str:
    return f"The media folder cannot be used: {reason(e)}."


@contextmanager
def _missing(key: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BlobMissing(f"nothing is stored under {key}") from None
