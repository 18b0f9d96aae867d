"""The database read and written row by row, for backups."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import mutoscope.store.mongo.blurs as blurs
import mutoscope.store.mongo.collections as collections
import mutoscope.store.mongo.invites as invites
import mutoscope.store.mongo.items as items
import mutoscope.store.mongo.keys as keys
import mutoscope.store.mongo.likes as likes
import mutoscope.store.mongo.models as models
import mutoscope.store.mongo.search as search
import mutoscope.store.mongo.shares as shares
import mutoscope.store.mongo.unlocks as unlocks
from mutoscope.domain.catalogue import Retired
from mutoscope.domain.counting import Like
from mutoscope.domain.generation import Generation
from mutoscope.domain.invites import Invite
from mutoscope.domain.keys import ApiKey
from mutoscope.domain.ledger import Entry, Hold
from mutoscope.domain.people import OneTimeLink, Person, Session
from mutoscope.domain.search import terms_of
from mutoscope.domain.sharing import ShareLink
from mutoscope.domain.unlocking import Unlock
from mutoscope.store.mongo.documents import (
    from_generation,
    from_media,
    from_person,
    plain,
    struct_of,
    to_generation,
    to_media,
    to_person,
)
from mutoscope.store.mongo.engine import Connection, Document, Engine
from mutoscope.store.mongo.indexes import INDEXES
from mutoscope.store.port import StoreUnavailable
from mutoscope.store.portable import PAGE, Account, Filled, IdempotencyKey, Item, Line, Row, Writer

LOADING = "loading"
"""The counter that stands while a backup is being loaded."""


async def copy_to(c: Connection, writer: Writer) -> None:
    """Hand on everything that one snapshot has, in the order of `portable.ORDER`."""
    for collection, to_row in _READ.items():
        async for page in _pages(c, collection):
            await writer.add([to_row(document) for document in page])


async def load(engine: Engine, pages: Iterable[Sequence[Row]], finish: Callable[[], Awaitable[None]]) -> None:
    """Fill an empty database, and let nobody open it before ``finish`` has been awaited.

    Broken off, it begins again from nothing when it is called again.

    Raises StoreUnavailable when the database holds something of a studio.
    """
    mark = {"_id": LOADING}
    if await engine.read(lambda c: c["counters"].one(mark)):
        for name in {*INDEXES, *_COLLECTIONS.values(), blurs.COLLECTION} - {"counters"}:
            await engine.read(lambda c, name=name: c[name].delete({}))
    elif await engine.read(lambda c: c["people"].one({})):
        raise StoreUnavailable("The database holds a studio already: a backup is loaded into an empty one.")
    await engine.step(lambda c: c["counters"].update(mark, {"$set": {"value": 1}}, upsert=True))
    loading = _Loading(engine)
    for page in pages:
        await loading.add(page)
    await loading.finish()
    await finish()
    await engine.step(lambda c: c["counters"].taken(mark))


async def refuse_half(engine: Engine) -> None:
    """Raises StoreUnavailable while a backup has been loaded by half."""
    if await engine.read(lambda c: c["counters"].one({"_id": LOADING})):
        raise StoreUnavailable("The database holds half of a backup: run mutoscope restore again.")


class _Loading:
    def __init__(self, engine: Engine) -> None:
        self._engine, self._names, self._seq = engine, dict[str, str](), 0

    async def add(self, rows: Sequence[Row]) -> None:
        """Rows of one kind."""
        documents = [self._document(row) for row in rows]
        collection = _COLLECTIONS[type(rows[0])]
        await self._engine.read(lambda c: c[collection].insert(*documents))
        waiting = [blurs.waiting(row.media) for row in rows if isinstance(row, Item) and row.media.needs_blur]
        await self._engine.read(lambda c: c[blurs.COLLECTION].insert(*waiting))

    async def finish(self) -> None:
        """Go on counting after the last."""
        last = {"$max": {"value": self._seq}}
        await self._engine.step(lambda c: c["counters"].update({"_id": items.SEQ}, last, upsert=True))

    def _document(self, row: Row) -> Document:
        if isinstance(row, Person):
            self._names[row.id] = row.name
        if isinstance(row, Item):
            self._seq = max(self._seq, row.media.seq)
            terms = search.stored(terms_of(row.media, self._names.get(row.media.owner_id, "")))
            own = {"previews_due_at": row.previews_due_at, "previews_lease_until": 0, "terms": terms}
            return from_media(row.media) | own
        return _WRITE[type(row)](row)


async def _pages(c: Connection, collection: str) -> AsyncIterator[list[Document]]:
    last: Any = None
    while page := await c[collection].all({} if last is None else {"_id": {"$gt": last}}, [("_id", 1)], PAGE):
        yield page
        last = page[-1]["_id"]


def _to_key(document: Document) -> IdempotencyKey:
    owner_id, key = document["_id"].split(":", 1)
    return struct_of(document | {"owner_id": owner_id, "key": key}, IdempotencyKey)


def _to_line(document: Document) -> Line:
    kind, reference = document["entry"].split(":", 1)
    return struct_of(document | {"kind": kind, "reference": reference}, Line)


def _to_item(document: Document) -> Item:
    return Item(media=to_media(document), previews_due_at=int(document["previews_due_at"]))


_READ: Mapping[str, Callable[[Document], Row]] = {
    "people": to_person,
    "sessions": lambda document: struct_of(document, Session),
    "links": lambda document: struct_of(document, OneTimeLink),
    "generations": to_generation,
    "idempotency_keys": _to_key,
    "entries": lambda document: struct_of(document, Entry),
    "statement_lines": _to_line,
    "balances": lambda document: struct_of(document | {"person_id": document["_id"]}, Account),
    "holds": lambda document: struct_of(document, Hold),
    "media": _to_item,
    unlocks.COLLECTION: unlocks.to_unlock,
    likes.COLLECTION: likes.to_like,
    models.COLLECTION: lambda document: struct_of(document, Retired),
    keys.COLLECTION: keys.to_key,
    invites.COLLECTION: invites.to_invite,
    shares.COLLECTION: shares.to_link,
    collections.COLLECTION: lambda document: Filled(
        collection=collections.to_collection(document), media_ids=tuple(document["items"])
    ),
}
_COLLECTIONS: Mapping[type[Row], str] = {
    Person: "people",
    Session: "sessions",
    OneTimeLink: "links",
    Generation: "generations",
    IdempotencyKey: "idempotency_keys",
    Entry: "entries",
    Line: "statement_lines",
    Account: "balances",
    Hold: "holds",
    Item: "media",
    Unlock: unlocks.COLLECTION,
    Like: likes.COLLECTION,
    Retired: models.COLLECTION,
    ApiKey: keys.COLLECTION,
    Invite: invites.COLLECTION,
    ShareLink: shares.COLLECTION,
    Filled: collections.COLLECTION,
}
_WRITE: Mapping[type[Row], Callable[[Any], Document]] = {
    Person: from_person,
    Session: lambda row: plain(row) | {"_id": row.secret_hash},
    OneTimeLink: lambda row: plain(row) | {"_id": row.secret_hash},
    Generation: from_generation,
    IdempotencyKey: lambda row: plain(row) | {"_id": f"{row.owner_id}:{row.key}"},
    Entry: lambda row: plain(row) | {"_id": f"{row.kind}:{row.reference}"},
    Line: lambda row: plain(row) | {"entry": f"{row.kind}:{row.reference}"},
    Account: lambda row: plain(row) | {"_id": row.person_id},
    Hold: lambda row: plain(row) | {"_id": row.reference},
    Unlock: unlocks.from_unlock,
    Like: likes.from_like,
    Retired: models.from_retired,
    ApiKey: keys.from_key,
    Invite: invites.from_invite,
    ShareLink: shares.from_link,
    Filled: lambda row: collections.from_collection(row.collection) | {"items": list(row.media_ids)},
}
