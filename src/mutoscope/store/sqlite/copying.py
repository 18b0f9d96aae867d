"""A consistent copy of the data file while work goes on."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mutoscope.store.port import StoreUnavailable

PAGES_PER_STEP = 1_024


def copy_database(
    connection: sqlite3.Connection, target: Path, leave_out: Callable[[sqlite3.Connection], None] | None = None
) -> None:
    """Copy what ``connection`` sees to ``target``, replacing it: under another name first, renamed when on the disk.

    ``leave_out`` takes from the copy what must not be in it. The copy is one snapshot: a read transaction stands while it
    runs, so that writers do not make it start again.
    """
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            _snapshot(connection, copy)
            if leave_out is not None:
                leave_out(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        sync(part)
        part.replace(target)
        sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _snapshot(connection: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    began = not connection.in_transaction
    if began:
        connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.backup(copy, pages=PAGES_PER_STEP, sleep=0)
    finally:
        if began:
            connection.execute("ROLLBACK")


def back_up(connection: sqlite3.Connection, target: Path, leave_out: Callable[[sqlite3.Connection], None]) -> None:
    """Copy to a file that must not be there. Raises FileExistsError, StoreUnavailable when it cannot be written."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        copy_database(connection, target, leave_out)
    except FileExistsError:
        raise
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise StoreUnavailable(f"The copy {target} cannot be written: {error}.") from error


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
