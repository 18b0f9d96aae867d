"""One writer thread with group commit, a few readers, and the lock that gives the data file one owner.

A write is a function of the writer's connection. The writer takes every function that waits, runs each inside its own
savepoint, and commits them together: one fsync for many. A future resolves only after the COMMIT that holds its work.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from mutoscope.domain.ids import Clock
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.sqlite.copying import sync
from mutoscope.store.sqlite.schema import migrate

T = TypeVar("T")

READERS = 4
BATCH = 512
"""Writes in one commit at most, so that the first of them does not wait for ever."""
BUSY_TIMEOUT_S = 5.0
CLOSED = "The store is closed."

Work = Callable[[sqlite3.Connection], Any]
Outcome = tuple[Any, Exception | None]


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """The port's exception for one of SQLite's."""
    failure = StoreUnavailable(f"The database did not do it: {error}. Nothing was changed.")
    failure.__cause__ = error
    return failure


class Engine:
    """The data file at ``path``. Made in a thread, since it reads and migrates; then ``start`` in the event loop.

    Raises StoreUnavailable when another process owns the file, OSError or sqlite3.Error when it cannot be opened.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self.clock = path.absolute(), clock
        self._lock = _own(self.path)
        try:
            self._writer = _open_writer(self.path)
        except BaseException:
            os.close(self._lock)
            raise
        self._inbox: queue.SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mutoscope-writer", daemon=True)
        self._readers = _Readers(self.path)
        self._look: Callable[[sqlite3.Connection], int] = lambda _: 0
        self._tell: Callable[[int], None] = lambda _: None
        self._revision = 0
        """Odd while a commit is under way. One number, so that it is read and written in one step."""
        self.closed = False

    def start(self, look: Callable[[sqlite3.Connection], int], tell: Callable[[int], None]) -> None:
        """Begin to write. After each commit ``look`` runs on the writer, and ``tell`` gets its answer in the loop."""
        self._loop = asyncio.get_running_loop()
        self._look, self._tell = look, tell
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on the writer; returns when it is committed. What it raises undoes it, and it alone."""
        if self.closed:
            raise StoreUnavailable(CLOSED)
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put((work, future))
        return await future

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on a reader, in one snapshot that has everything committed before."""
        if self.closed:
            raise StoreUnavailable(CLOSED)
        return await asyncio.get_running_loop().run_in_executor(self._readers.pool, self._readers.run, work)

    def revision(self) -> int | None:
        """The number of what can be read now: another one after every change; None while a commit is under way."""
        return None if self._revision % 2 else self._revision

    async def close(self) -> None:
        """Commit what waits and let go of the file."""
        if self.closed:
            return
        self.closed = True
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.close)
        with contextlib.suppress(sqlite3.Error):  # what is in the log is durable; the next start folds it in
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.close()
        os.close(self._lock)

    def _run(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._next_batch()
            if batch:
                outcomes = self._commit([work for work, _ in batch])
                self._hand_back([future for _, future in batch], outcomes)

    def _next_batch(self) -> tuple[list[tuple[Work, asyncio.Future[Any]]], bool]:
        """What waits, after waiting for the first; and whether more may come."""
        batch: list[tuple[Work, asyncio.Future[Any]]] = []
        item = self._inbox.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH:
                return batch, True
            try:
                item = self._inbox.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, works: list[Work]) -> list[Outcome]:
        before = self._writer.total_changes
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = [self._step(work) for work in works]
            self._end(changed=self._writer.total_changes != before)
        except sqlite3.Error as error:
            self._roll_back()
            return [(None, unavailable(error)) for _ in works]
        return outcomes

    def _end(self, changed: bool) -> None:
        """COMMIT. The revision is in doubt before the first reader can see what is new, until no reader sees the old."""
        self._revision += changed
        try:
            self._writer.execute("COMMIT")
        finally:
            self._revision += changed

    def _step(self, work: Work) -> Outcome:
        self._writer.execute("SAVEPOINT step")
        try:
            result = work(self._writer)
        except Exception as error:
            if not self._writer.in_transaction:  # SQLite gave up the whole transaction: what came before is lost too
                raise error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError(str(error)) from error
            self._writer.execute("ROLLBACK TO step")
            self._writer.execute("RELEASE step")
            return None, unavailable(error) if isinstance(error, sqlite3.Error) else error
        self._writer.execute("RELEASE step")
        return result, None

    def _roll_back(self) -> None:
        # A failed ROLLBACK leaves the transaction to the next BEGIN, which then fails and tries this again.
        with contextlib.suppress(sqlite3.Error):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    def _hand_back(self, futures: list[asyncio.Future[Any]], outcomes: list[Outcome]) -> None:
        news: int | None = None
        with contextlib.suppress(sqlite3.Error):
            news = self._look(self._writer)
        with contextlib.suppress(RuntimeError):  # the event loop is gone, and with it whoever waited
            self._loop.call_soon_threadsafe(self._deliver, futures, outcomes, news)

    def _deliver(self, futures: list[asyncio.Future[Any]], outcomes: list[Outcome], news: int | None) -> None:
        if news is not None:
            self._tell(news)
        for future, (result, error) in zip(futures, outcomes, strict=True):
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class _Readers:
    """Read-only connections, one for each thread of a small pool."""

    def __init__(self, path: Path) -> None:
        self._uri = path.as_uri() + "?mode=ro"
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []
        self.pool = ThreadPoolExecutor(READERS, thread_name_prefix="mutoscope-reader")

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = _connect(self._uri)
            self._all.append(self._mine.connection)
        return self._mine.connection

    def close(self) -> None:
        self.pool.shutdown(wait=True)
        for connection in self._all:
            connection.close()


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _open_writer(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its log the same mode
    connection = _connect(path.as_uri())
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreUnavailable(f"{path} is on a file system that cannot share memory; keep it on a local disk.")
        connection.execute("PRAGMA synchronous = FULL")  # every COMMIT is on the disk when it returns
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, path)
        sync(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _own(path: Path) -> int:
    """The descriptor of the lock beside the file. Raises StoreUnavailable, naming the process that has it."""
    lock = path.with_name(path.name + ".lock")
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreUnavailable(
            f"{path} belongs to the running process {owner}. Stop that one first: a data file has one owner."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
