"""Tokens: entries, the cached balances beside them, and the holds of running jobs, always changed in one commit."""

import sqlite3
from collections.abc import Iterable

import mutoscope.store.cursors as cursors
import mutoscope.store.sqlite.events as events
from mutoscope.domain import ledger
from mutoscope.domain.errors import IdempotencyMismatch, NotEnoughTokens
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Balance, Entry, EntryKind, Hold
from mutoscope.store.port import Page
from mutoscope.store.sqlite.engine import Engine
from mutoscope.store.sqlite.proof import proof

ACCOUNTS = ("available", "held")


class SqliteLedger:
    """The ledger group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def post(self, entry: Entry) -> bool:
        return await self._engine.write(lambda c: book(c, [entry]))

    async def balance(self, person_id: str) -> Balance:
        return await self._engine.read(lambda c: balance(c, person_id))

    async def statement(self, person_id: str, cursor: str | None, limit: int) -> Page[tuple[Entry, int]]:
        before = cursors.read(cursor, tuple[cursors.Number])[0] if cursor else 2**63 - 1
        return await self._engine.read(lambda c: _statement(c, person_id, before, limit))

    async def proof(self) -> list[str]:
        return await self._engine.read(proof)


def book(c: sqlite3.Connection, entries: Iterable[Entry]) -> bool:
    """Append entries and move the balances. False, with nothing moved, when one was booked before.

    Raises NotEnoughTokens, and IdempotencyMismatch when what was booked before is not the same.
    """
    touched: dict[str, Millis] = {}
    for entry in entries:
        if not _append(c, entry):
            return False
        touched |= dict.fromkeys(_persons(entry), entry.at)
    for person_id, at in touched.items():
        row = c.execute(
            "UPDATE balances SET version = version + 1 WHERE person_id = ? RETURNING version", (person_id,)
        ).fetchone()
        events.append(c, "tokens", person_id, row[0], person_id, at)
    return True


def open_hold(c: sqlite3.Connection, generation: Generation) -> None:
    """Set the price of a job aside. Raises NotEnoughTokens."""
    hold = Hold(reference=generation.id, person_id=generation.owner_id, amount=generation.hold)
    c.execute(
        "INSERT INTO holds (reference, person_id, amount) VALUES (?, ?, ?)",
        (hold.reference, hold.person_id, hold.amount),
    )
    if not book(c, ledger.open_hold(hold, generation.pinned.model, generation.created_at)):
        raise AssertionError(f"the hold {hold.reference} stands in the entries and not among the holds")


def settle(c: sqlite3.Connection, generation: Generation, captured: int, at: Millis) -> int:
    """Settle the hold of a job, unless it was settled before. Returns what is captured of it now."""
    row = c.execute(
        "SELECT reference, person_id, amount, captured FROM holds WHERE reference = ?", (generation.id,)
    ).fetchone()
    hold = Hold(reference=row[0], person_id=row[1], amount=row[2], captured=row[3])
    if hold.captured is not None:
        return hold.captured
    entries = ledger.settle(hold, captured, generation.pinned.model, at)
    settled = c.execute(
        "UPDATE holds SET captured = ? WHERE reference = ? AND captured IS NULL", (captured, hold.reference)
    ).rowcount
    if settled != 1 or not book(c, entries):
        raise AssertionError(f"the hold {hold.reference} was settled twice")
    return captured


def _append(c: sqlite3.Connection, entry: Entry) -> bool:
    row = c.execute(
        "INSERT INTO entries (kind, reference, debit, credit, amount, memo, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, reference) DO NOTHING RETURNING id",
        (entry.kind, entry.reference, entry.debit, entry.credit, entry.amount, entry.memo, entry.at),
    ).fetchone()
    if row is None:
        _check_same(c, entry)
        return False
    _take(c, entry.debit, entry.amount)
    _give(c, entry.credit, entry.amount)
    for person_id in _persons(entry):
        c.execute(
            "INSERT INTO statement_lines SELECT person_id, ?, ?, available FROM balances WHERE person_id = ?",
            (row[0], row[0], person_id),
        )
    return True


def _check_same(c: sqlite3.Connection, entry: Entry) -> None:
    booked = c.execute(
        "SELECT debit, credit, amount FROM entries WHERE kind = ? AND reference = ?", (entry.kind, entry.reference)
    ).fetchone()
    if booked != (entry.debit, entry.credit, entry.amount):
        raise IdempotencyMismatch("This reference was used for another amount or person. Take a new one.")


def _persons(entry: Entry) -> list[str]:
    """The people whose accounts an entry touches, each once."""
    sides = (account.split(":", 1) for account in (entry.debit, entry.credit))
    return list(dict.fromkeys(owner for account, owner in sides if account in ACCOUNTS))


def _take(c: sqlite3.Connection, account: str, amount: int) -> None:
    column, person_id = account.split(":", 1)
    if column not in ACCOUNTS:
        return
    taken = c.execute(
        f"UPDATE balances SET {column} = {column} - ? WHERE person_id = ? AND {column} >= ?",  # noqa: S608
        (amount, person_id, amount),
    ).rowcount
    if taken != 1:
        raise NotEnoughTokens(amount, getattr(balance(c, person_id), column))


def _give(c: sqlite3.Connection, account: str, amount: int) -> None:
    column, person_id = account.split(":", 1)
    if column not in ACCOUNTS:
        return
    c.execute(
        f"INSERT INTO balances (person_id, {column}) VALUES (?, ?)"  # noqa: S608
        f" ON CONFLICT (person_id) DO UPDATE SET {column} = {column} + excluded.{column}",
        (person_id, amount),
    )


def balance(c: sqlite3.Connection, person_id: str) -> Balance:
    """What a person has."""
    row = c.execute("SELECT available, held FROM balances WHERE person_id = ?", (person_id,)).fetchone()
    return Balance(available=row[0], held=row[1]) if row else Balance(available=0, held=0)


def _statement(c: sqlite3.Connection, person_id: str, before: int, limit: int) -> Page[tuple[Entry, int]]:
    rows = c.execute(
        "SELECT number, kind, reference, debit, credit, amount, memo, at, available_after"
        " FROM statement_lines JOIN entries ON id = entry_id"
        " WHERE person_id = ? AND number < ? ORDER BY number DESC LIMIT ?",
        (person_id, before, limit + 1),
    ).fetchall()
    lines = [
        (
            Entry(
                kind=EntryKind(kind), reference=reference, debit=debit, credit=credit, amount=amount, memo=memo, at=at
            ),
            after,
        )
        for _, kind, reference, debit, credit, amount, memo, at, after in rows[:limit]
    ]
    return Page(items=lines, next=cursors.write(rows[limit - 1][0]) if len(rows) > limit else None)
