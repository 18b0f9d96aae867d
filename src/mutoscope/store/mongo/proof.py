"""Whether the ledger adds up, asked of one snapshot."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from mutoscope.domain.ledger import EntryKind
from mutoscope.store.mongo.engine import Connection, Document

Sums = dict[str, int]


async def proof(c: Connection) -> list[str]:
    """What does not add up, a line each; empty when all is right."""
    sums, cached = await _sums(c), await _cached(c)
    return [
        *_balances(sums, cached),
        *[line async for line in _holds_of_people(c, cached)],
        *[line async for line in _open_holds(c)],
        *[line async for line in _running_jobs(c)],
        *[line async for line in _captured(c)],
        *[line async for line in _entries_of_holds(c)],
        *[line async for line in _entries_of_unlocks(c)],
        *[line async for line in _unlocks_of_entries(c)],
    ]


async def _sums(c: Connection) -> Sums:
    """What the entries of each account come to."""
    moves = [
        {"account": "$credit", "amount": "$amount"},
        {"account": "$debit", "amount": {"$multiply": ["$amount", -1]}},
    ]
    rows = await c["entries"].aggregate(
        {"$project": {"moves": moves}},
        {"$unwind": "$moves"},
        {"$group": {"_id": "$moves.account", "amount": {"$sum": "$moves.amount"}}},
    )
    return {row["_id"]: int(row["amount"]) for row in rows}


async def _cached(c: Connection) -> Sums:
    balances = await c["balances"].all({}, [("_id", 1)])
    return {f"{name}:{row['_id']}": int(row[name]) for row in balances for name in ("available", "held")}


def _balances(sums: Sums, cached: Sums) -> list[str]:
    wrong = [
        f"{account}: the balance says {amount}, its entries {sums.get(account, 0)}"
        for account, amount in cached.items()
        if amount != sums.get(account, 0)
    ]
    house = {account: amount for account, amount in sums.items() if account.startswith("house:")}
    wrong += [
        f"{account}: the balance says nothing, its entries {amount}"
        for account, amount in sums.items()
        if account not in house and amount and account not in cached
    ]
    wrong += [f"{account}: the balance is negative ({amount})" for account, amount in cached.items() if amount < 0]
    total = sum(cached.values()) + sum(house.values())
    return wrong + ([f"all accounts together hold {total} and not 0"] if total else [])


async def _holds_of_people(c: Connection, cached: Sums) -> AsyncIterator[str]:
    rows = await c["holds"].aggregate(
        {"$match": {"captured": None}}, {"$group": {"_id": "$person_id", "open": {"$sum": "$amount"}}}
    )
    open_ = Counter({row["_id"]: int(row["open"]) for row in rows})
    for account, held in cached.items():
        name, person_id = account.split(":", 1)
        if name == "held" and held != open_[person_id]:
            yield f"{person_id}: {held} tokens are held, its open holds are {open_[person_id]}"


def _beside(collection: str) -> Document:
    return {"$lookup": {"from": f"mutoscope_{collection}", "localField": "_id", "foreignField": "_id", "as": "beside"}}


async def _open_holds(c: Connection) -> AsyncIterator[str]:
    for row in await c["holds"].aggregate(
        {"$match": {"captured": None}},
        _beside("generations"),
        {"$match": {"beside.live": {"$ne": True}}},
    ):
        yield f"{row['_id']}: its hold is open and no job runs"


async def _running_jobs(c: Connection) -> AsyncIterator[str]:
    for row in await c["generations"].aggregate(
        {"$match": {"live": True, "captured": None}},
        _beside("holds"),
        {"$match": {"$or": [{"beside": []}, {"beside.captured": {"$ne": None}}]}},
        {"$project": {"_id": 1}},
    ):
        yield f"{row['_id']}: the job runs and its hold is not open"


async def _captured(c: Connection) -> AsyncIterator[str]:
    for row in await c["generations"].aggregate(
        {"$project": {"captured": 1}},
        _beside("holds"),
        {"$unwind": "$beside"},
        {"$match": {"$expr": {"$ne": ["$captured", "$beside.captured"]}}},
    ):
        yield f"{row['_id']}: the job says that {row['captured']} was captured, its hold {row['beside']['captured']}"


async def _entries_of_holds(c: Connection) -> AsyncIterator[str]:
    captured = {"$ifNull": ["$captured", 0]}
    rest = {"$cond": [{"$eq": ["$captured", None]}, 0, {"$subtract": ["$amount", "$captured"]}]}
    due = {EntryKind.HOLD: "$amount", EntryKind.CAPTURE: captured, EntryKind.RELEASE: rest}
    async for line in _entries(c, "holds", due):
        yield line


async def _entries_of_unlocks(c: Connection) -> AsyncIterator[str]:
    due = {
        EntryKind.UNLOCK: "$price",
        EntryKind.EARNING: {"$subtract": ["$price", "$share"]},
        EntryKind.REFUND: {"$cond": [{"$eq": ["$refunded_at", None]}, 0, "$price"]},
        EntryKind.REVERSAL: {"$ifNull": ["$taken_back", 0]},
    }
    async for line in _entries(c, "unlocks", due):
        yield line


async def _unlocks_of_entries(c: Connection) -> AsyncIterator[str]:
    for row in await c["entries"].aggregate(
        {"$match": {"kind": {"$in": ["unlock", "earning", "refund", "reversal"]}}},
        {"$lookup": {"from": "mutoscope_unlocks", "localField": "reference", "foreignField": "_id", "as": "beside"}},
        {"$match": {"beside": []}},
    ):
        yield f"{row['reference']}: there is a {row['kind']} entry and no unlock"


async def _entries(c: Connection, collection: str, due_by_kind: Mapping[EntryKind, Any]) -> AsyncIterator[str]:
    """Where the entries of a kind are not what the things of a collection say they must be."""
    for kind, due in due_by_kind.items():
        for row in await c[collection].aggregate(
            {"$project": {"due": due, "key": {"$concat": [f"{kind}:", "$_id"]}}},
            {"$lookup": {"from": "mutoscope_entries", "localField": "key", "foreignField": "_id", "as": "booked"}},
            {"$project": {"due": 1, "booked": {"$sum": "$booked.amount"}}},
            {"$match": {"$expr": {"$ne": ["$due", "$booked"]}}},
        ):
            yield f"{row['_id']}: the {kind} entries come to {row['booked']} and not {row['due']}"
