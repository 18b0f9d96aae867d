"""Unlocks: tokens on both sides, the right and its count, always changed in one commit."""

import sqlite3
from collections.abc import Sequence

import msgspec

import mutoscope.store.cursors as cursors
import mutoscope.store.sqlite.events as events
import mutoscope.store.sqlite.items as items
import mutoscope.store.sqlite.ledger as ledger
from mutoscope.domain import unlocking
from mutoscope.domain.errors import NotEnoughTokens, NotFound
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Entry
from mutoscope.domain.unlocking import Unlock, Wish
from mutoscope.store.port import Page
from mutoscope.store.sqlite.engine import Engine

_decoder = msgspec.json.Decoder(Unlock)


class SqliteUnlocks:
    """The unlocks group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def buy(self, wish: Wish, share_percent: int, now: Millis) -> tuple[Unlock, bool]:
        return await self._engine.write(lambda c: _buy(c, wish, share_percent, now))

    async def refund(self, id: str, now: Millis) -> Unlock:
        return await self._engine.write(lambda c: _refund(c, id, now))

    async def bought(self, buyer_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        return await self._engine.read(lambda c: _bought(c, buyer_id, media_ids))

    async def list(self, media_id: str | None, cursor: str | None, limit: int) -> Page[Unlock]:
        before = cursors.read(cursor, tuple[cursors.Number, str]) if cursor else None
        return await self._engine.read(lambda c: _list(c, media_id, before, limit))


def insert(c: sqlite3.Connection, unlock: Unlock) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO unlocks (id, media_id, buyer_id, key, at, refunded_at, document) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            unlock.id, unlock.media_id, unlock.buyer_id, unlock.key, unlock.at, unlock.refunded_at,
            msgspec.json.encode(unlock).decode(),
        ),
    )  # fmt: skip


def _buy(c: sqlite3.Connection, wish: Wish, share_percent: int, now: Millis) -> tuple[Unlock, bool]:
    if wish.key is not None and (earlier := _one(c, "buyer_id = ? AND key = ?", wish.buyer_id, wish.key)):
        return unlocking.same(wish, earlier), True
    standing = "buyer_id = ? AND media_id = ? AND refunded_at IS NULL"
    if earlier := _one(c, standing, wish.buyer_id, wish.media_id):
        return earlier, True
    unlock = unlocking.sell(wish, items.get(c, wish.media_id), share_percent, now)
    try:
        _book(c, unlock, unlocking.purchase(unlock))
    except NotEnoughTokens as e:
        raise NotEnoughTokens(**e.extra, way_out=unlocking.WAY_OUT) from None
    insert(c, unlock)
    _count(c, unlock, 1, now)
    return unlock, False


def _refund(c: sqlite3.Connection, id: str, now: Millis) -> Unlock:
    unlock = _one(c, "id = ?", id)
    if unlock is None:
        raise NotFound("There is no such unlock.")
    if unlock.refunded_at is not None:
        return unlock
    refunded, entries = unlocking.refund(unlock, ledger.balance(c, unlock.seller_id).available, now)
    _book(c, refunded, entries)
    c.execute(
        "UPDATE unlocks SET refunded_at = ?, document = ? WHERE id = ?",
        (now, msgspec.json.encode(refunded).decode(), id),
    )
    _count(c, refunded, -1, now)
    return refunded


def _book(c: sqlite3.Connection, unlock: Unlock, entries: Sequence[Entry]) -> None:
    if not ledger.book(c, entries):
        raise AssertionError(f"{unlock.id} was booked twice")


def _count(c: sqlite3.Connection, unlock: Unlock, change: int, now: Millis) -> None:
    """One unlock more or less, told to the buyer, to whom the item is another now."""
    (version,) = c.execute(
        "UPDATE media SET unlocks = unlocks + ? WHERE id = ? RETURNING version", (change, unlock.media_id)
    ).fetchone()
    events.append(c, "media", unlock.media_id, version, unlock.buyer_id, now)


def _bought(c: sqlite3.Connection, buyer_id: str, media_ids: Sequence[str]) -> frozenset[str]:
    marks = ", ".join("?" * len(media_ids))
    rows = c.execute(
        f"SELECT media_id FROM unlocks WHERE buyer_id = ? AND refunded_at IS NULL AND media_id IN ({marks})",  # noqa: S608
        (buyer_id, *media_ids),
    )
    return frozenset(row[0] for row in rows)


def _list(c: sqlite3.Connection, media_id: str | None, before: tuple[int, str] | None, limit: int) -> Page[Unlock]:
    conditions = ["1"] + ["media_id = ?"] * (media_id is not None) + ["(at, id) < (?, ?)"] * bool(before)
    rows = c.execute(
        f"SELECT document FROM unlocks WHERE {' AND '.join(conditions)} ORDER BY at DESC, id DESC LIMIT ?",  # noqa: S608
        (*([media_id] if media_id is not None else ()), *(before or ()), limit + 1),
    ).fetchall()
    found = [_decoder.decode(row[0]) for row in rows[:limit]]
    return Page(items=found, next=cursors.write(found[-1].at, found[-1].id) if len(rows) > limit else None)


def _one(c: sqlite3.Connection, condition: str, *values: str) -> Unlock | None:
    row = c.execute(f"SELECT document FROM unlocks WHERE {condition}", values).fetchone()  # noqa: S608
    return _decoder.decode(row[0]) if row else None
