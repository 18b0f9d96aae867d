"""A data file written and read row by row: the copy that other databases are backed up to and restored from."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

import mutoscope.store.sqlite.collections as collections
import mutoscope.store.sqlite.invites as invites
import mutoscope.store.sqlite.items as items
import mutoscope.store.sqlite.jobs as jobs
import mutoscope.store.sqlite.keys as keys
import mutoscope.store.sqlite.likes as likes
import mutoscope.store.sqlite.models as models
import mutoscope.store.sqlite.people as people
import mutoscope.store.sqlite.shares as shares
import mutoscope.store.sqlite.unlocks as unlocks
from mutoscope.domain.catalogue import Retired
from mutoscope.domain.counting import Like
from mutoscope.domain.generation import Generation
from mutoscope.domain.invites import Invite
from mutoscope.domain.keys import ApiKey
from mutoscope.domain.ledger import Entry, Hold
from mutoscope.domain.people import OneTimeLink, Person, Session
from mutoscope.domain.sharing import ShareLink
from mutoscope.domain.unlocking import Unlock
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.portable import PAGE, Account, Filled, IdempotencyKey, Item, Line, Row, Writer
from mutoscope.store.sqlite.copying import sync
from mutoscope.store.sqlite.schema import migrate

SYNCHRONOUS = "PRAGMA synchronous = OFF"  # a copy is whole at its end or thrown away; only then it is put on the disk


class SqliteCopies:
    """Copies as data files."""

    @asynccontextmanager
    async def create(self, target: Path) -> AsyncGenerator[Writer]:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            connection = await asyncio.to_thread(_open, target)
            with closing(connection):
                yield _Writer(connection)
                await asyncio.to_thread(_finish, connection, target)
        except (sqlite3.Error, OSError) as error:
            await asyncio.to_thread(target.unlink, missing_ok=True)
            raise StoreUnavailable(f"The copy {target} cannot be written: {error}.") from error
        except BaseException:
            await asyncio.to_thread(target.unlink, missing_ok=True)
            raise


def read_copy(path: Path) -> Generator[list[Row]]:
    """The rows of a data file that nobody writes to, page by page, in the order of `portable.ORDER`.

    Raises StoreUnavailable when it is none, or was written by another release: start that release on it once.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            _check_schema(connection, path)
            for query, to_row in _READ:
                cursor = connection.execute(query)
                while page := cursor.fetchmany(PAGE):
                    yield [to_row(row) for row in page]
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path} cannot be read: {error}.") from error


class _Writer:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def add(self, rows: Sequence[Row]) -> None:
        await asyncio.to_thread(self._add, rows)

    def _add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            _WRITE[type(row)](self._connection, row)


def _open(target: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(SYNCHRONOUS)
        migrate(connection, target)
        connection.execute("BEGIN")
    except BaseException:
        connection.close()
        raise
    return connection


def _finish(connection: sqlite3.Connection, target: Path) -> None:
    connection.execute("COMMIT")
    sync(target)
    sync(target.parent)


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as newest:
        migrate(newest, path)
        wanted = newest.execute("PRAGMA user_version").fetchone()
    if connection.execute("PRAGMA user_version").fetchone() != wanted:
        raise StoreUnavailable(f"{path} was written by another release of Mutoscope: start this one on it once.")


def _insert(c: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> None:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    c.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608


def _generation(c: sqlite3.Connection, row: Generation) -> None:
    _insert(c, "generations", {"id": row.id} | jobs.columns(row))


def _item(c: sqlite3.Connection, row: Item) -> None:
    items.place(c, row.media, row.media.seq, row.previews_due_at)


def _line(c: sqlite3.Connection, row: Line) -> None:
    c.execute(
        "INSERT INTO statement_lines SELECT ?, ?, id, ? FROM entries WHERE kind = ? AND reference = ?",
        (row.person_id, row.number, row.available_after, row.kind, row.reference),
    )


def _account(c: sqlite3.Connection, row: Account) -> None:
    _insert(c, "balances", {name: getattr(row, name) for name in ("person_id", "available", "held", "version")})


def _as_it_is(table: str) -> Callable[[sqlite3.Connection, Any], None]:
    return lambda c, row: _insert(c, table, structs.asdict(row))


_WRITE: Mapping[type[Row], Callable[[sqlite3.Connection, Any], None]] = {
    Person: people.insert,
    Session: people.insert_session,
    OneTimeLink: people.insert_link,
    Generation: _generation,
    IdempotencyKey: _as_it_is("idempotency_keys"),
    Entry: _as_it_is("entries"),
    Line: _line,
    Account: _account,
    Hold: _as_it_is("holds"),
    Item: _item,
    Unlock: unlocks.insert,
    Like: _as_it_is("likes"),
    Retired: _as_it_is("retired_models"),
    ApiKey: keys.insert,
    Invite: invites.insert,
    ShareLink: shares.insert,
    Filled: collections.insert_filled,
}


def _decoder(type_: type[Row]) -> Callable[[tuple[Any, ...]], Row]:
    decoder = msgspec.json.Decoder(type_)
    return lambda row: decoder.decode(row[0])


def _named(type_: type[Row]) -> Callable[[tuple[Any, ...]], Row]:
    names = type_.__struct_fields__
    return lambda row: msgspec.convert(dict(zip(names, row, strict=True)), type_)


def _to_item(row: tuple[Any, ...]) -> Item:
    return Item(previews_due_at=row[0], media=items.from_row(row[1:]))  # pyright: ignore[reportArgumentType]


_READ: Sequence[tuple[str, Callable[[tuple[Any, ...]], Row]]] = (
    ("SELECT document FROM people ORDER BY id", _decoder(Person)),
    ("SELECT document FROM sessions ORDER BY secret_hash", _decoder(Session)),
    ("SELECT document FROM links WHERE purpose <> 'check' ORDER BY secret_hash", _decoder(OneTimeLink)),
    (f"SELECT {jobs.COLUMNS} FROM generations ORDER BY id", jobs.from_row),  # noqa: S608
    ("SELECT owner_id, key, body_hash, generation_id, created_at FROM idempotency_keys", _named(IdempotencyKey)),
    ("SELECT kind, reference, debit, credit, amount, memo, at FROM entries ORDER BY id", _named(Entry)),
    (
        "SELECT person_id, number, kind, reference, available_after FROM statement_lines JOIN entries ON id = entry_id"
        " ORDER BY person_id, number",
        _named(Line),
    ),
    (
        "SELECT person_id, available, held, version,"
        " (SELECT coalesce(max(number), 0) FROM statement_lines AS l WHERE l.person_id = b.person_id)"
        " FROM balances AS b ORDER BY person_id",
        _named(Account),
    ),
    ("SELECT reference, person_id, amount, captured FROM holds ORDER BY reference", _named(Hold)),
    (f"SELECT previews_due_at, {items.COLUMNS} FROM media ORDER BY seq", _to_item),  # noqa: S608
    ("SELECT document FROM unlocks ORDER BY id", _decoder(Unlock)),
    (likes.READ, _named(Like)),
    (models.READ, _named(Retired)),
    (keys.READ, _decoder(ApiKey)),
    (invites.READ, _decoder(Invite)),
    (shares.READ, _decoder(ShareLink)),
    (collections.READ, collections.filled),
)
