"""Tokens: entries, the cached balances beside them, and the holds of running jobs, always changed in one commit."""

from collections.abc import Iterable

import mutoscope.store.cursors as cursors
import mutoscope.store.mongo.events as events
from mutoscope.domain import ledger
from mutoscope.domain.errors import IdempotencyMismatch, NotEnoughTokens
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Balance, Entry, Hold
from mutoscope.store.mongo.documents import plain, struct_of
from mutoscope.store.mongo.engine import Connection, Document, Engine
from mutoscope.store.mongo.proof import proof
from mutoscope.store.port import Page

ACCOUNTS = ("available", "held")


class MongoLedger:
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
        return await self._engine.look(proof)


async def book(c: Connection, entries: Iterable[Entry]) -> bool:
    """Append entries and move the balances. False, with nothing moved, when one was booked before.

    Raises NotEnoughTokens, and IdempotencyMismatch when what was booked before is not the same.
    """
    touched: dict[str, Millis] = {}
    for entry in entries:
        if not await _append(c, entry):
            return False
        touched |= dict.fromkeys(_persons(entry), entry.at)
    for person_id, at in touched.items():
        row = await c["balances"].changed({"_id": person_id}, {"$inc": {"version": 1}})
        if row is None:
            raise AssertionError(f"{person_id} was touched and has no balance")
        await events.append(c, "tokens", person_id, row["version"], person_id, at)
    return True


async def open_hold(c: Connection, generation: Generation) -> None:
    """Set the price of a job aside. Raises NotEnoughTokens."""
    hold = Hold(reference=generation.id, person_id=generation.owner_id, amount=generation.hold)
    await c["holds"].insert(plain(hold) | {"_id": hold.reference})
    if not await book(c, ledger.open_hold(hold, generation.pinned.model, generation.created_at)):
        raise AssertionError(f"the hold {hold.reference} stands in the entries and not among the holds")


async def settle(c: Connection, generation: Generation, captured: int, at: Millis) -> int:
    """Settle the hold of a job, unless it was settled before. Returns what is captured of it now."""
    document = await c["holds"].one({"_id": generation.id})
    if document is None:
        raise AssertionError(f"{generation.id} has no hold")
    hold = struct_of(document, Hold)
    if hold.captured is not None:
        return hold.captured
    entries = ledger.settle(hold, captured, generation.pinned.model, at)
    settled = await c["holds"].update({"_id": hold.reference, "captured": None}, {"$set": {"captured": captured}})
    if not settled or not await book(c, entries):
        raise AssertionError(f"the hold {hold.reference} was settled twice")
    return captured


async def _append(c: Connection, entry: Entry) -> bool:
    key = f"{entry.kind}:{entry.reference}"
    if booked := await c["entries"].one({"_id": key}):
        _check_same(struct_of(booked, Entry), entry)
        return False
    await c["entries"].insert(plain(entry) | {"_id": key})
    await _take(c, entry.debit, entry.amount)
    await _give(c, entry.credit, entry.amount)
    for person_id in _persons(entry):
        await _write_line(c, person_id, key)
    return True


async def _write_line(c: Connection, person_id: str, key: str) -> None:
    """One line more in a person's statement; its number is the person's own, so that people do not wait for another."""
    row = await c["balances"].changed({"_id": person_id}, {"$inc": {"lines": 1}})
    if row is None:
        raise AssertionError(f"{person_id} was touched and has no balance")
    line = {"person_id": person_id, "number": row["lines"], "entry": key, "available_after": row["available"]}
    await c["statement_lines"].insert(line)


def _check_same(booked: Entry, entry: Entry) -> None:
    if (booked.debit, booked.credit, booked.amount) != (entry.debit, entry.credit, entry.amount):
        raise IdempotencyMismatch("This reference was used for another amount or person. Take a new one.")


def _persons(entry: Entry) -> list[str]:
    """The people whose accounts an entry touches, each once."""
    sides = (account.split(":", 1) for account in (entry.debit, entry.credit))
    return list(dict.fromkeys(owner for account, owner in sides if account in ACCOUNTS))


async def _take(c: Connection, account: str, amount: int) -> None:
    field, person_id = account.split(":", 1)
    if field not in ACCOUNTS:
        return
    if not await c["balances"].update({"_id": person_id, field: {"$gte": amount}}, {"$inc": {field: -amount}}):
        raise NotEnoughTokens(amount, getattr(await balance(c, person_id), field))


async def _give(c: Connection, account: str, amount: int) -> None:
    field, person_id = account.split(":", 1)
    if field not in ACCOUNTS:
        return
    # Both accounts stand in the document from the start: what is compared and added is never missing.
    new: Document = {name: 0 for name in (*ACCOUNTS, "lines") if name != field} | {"version": 1}
    await c["balances"].update({"_id": person_id}, {"$inc": {field: amount}, "$setOnInsert": new}, upsert=True)


async def balance(c: Connection, person_id: str) -> Balance:
    """What a person has."""
    document = await c["balances"].one({"_id": person_id})
    return struct_of(document, Balance) if document else Balance(available=0, held=0)


async def _statement(c: Connection, person_id: str, before: int, limit: int) -> Page[tuple[Entry, int]]:
    wanted = {"person_id": person_id, "number": {"$lt": before}}
    found = await c["statement_lines"].all(wanted, [("number", -1)], limit + 1)
    booked = await c["entries"].all({"_id": {"$in": [line["entry"] for line in found[:limit]]}})
    entries = {document["_id"]: struct_of(document, Entry) for document in booked}
    lines = [(entries[line["entry"]], int(line["available_after"])) for line in found[:limit]]
    return Page(items=lines, next=cursors.write(int(found[limit - 1]["number"])) if len(found) > limit else None)
