"""Brings the data file to the newest schema: numbered SQL files, each applied once, in one transaction."""

import sqlite3
from pathlib import Path

from mutoscope.store.port import StoreUnavailable
from mutoscope.store.sqlite.copying import copy_database

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: sqlite3.Connection, path: Path, folder: Path = MIGRATIONS) -> None:
    """Apply the files whose number is above the file's ``user_version``.

    A database that holds something is first copied to ``<name>.before-NNNN``. Raises StoreUnavailable when the file
    was made by a newer release.
    """
    files = {int(file.name.split("_")[0]): file for file in sorted(folder.glob("[0-9]*_*.sql"))}
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > max(files):
        raise StoreUnavailable(
            f"{path} was written by a newer release of Mutoscope (schema {version}, this one knows {max(files)}). "
            "Start the newer release."
        )
    waiting = [number for number in sorted(files) if number > version]
    if version and waiting:
        copy_database(connection, path.with_name(f"{path.name}.before-{waiting[0]:04d}"))
    for number in waiting:
        _apply(connection, number, files[number].read_text("utf-8"))


def _apply(connection: sqlite3.Connection, number: int, script: str) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
