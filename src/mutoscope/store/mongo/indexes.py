"""Every index, by collection. Making one that is there already changes nothing."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING as UP
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from mutoscope.store.mongo.engine import PREFIX, Document

_LIVE = {"live": True}
_QUEUED = {"live": True, "state": "queued"}


def _index(name: str, *fields: str, **options: object) -> IndexModel:
    return IndexModel([(field, UP) for field in fields], name=name, **options)


INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "generations": [
        _index("due", "state", "due_at", partialFilterExpression=_LIVE),
        _index("ready", "state", "ready_at", partialFilterExpression=_LIVE),
        _index("there", "state", "pinned.provider", "owner_id", partialFilterExpression=_LIVE),
        _index("leased", "state", "lease_until", "pinned.provider", "owner_id", partialFilterExpression=_QUEUED),
        _index(
            "queue", "state", "created_at", "_id", "owner_id", "pinned.provider", "due_at", "lease_until",
            partialFilterExpression=_QUEUED,
        ),
        _index("queue_of", "state", "owner_id", "created_at", "_id", partialFilterExpression=_QUEUED),
        _index("newest", "created_at", "_id"),
        _index("of_owner", "owner_id", "created_at", "_id"),
        _index("in_state", "state", "created_at", "_id"),
        _index("timing", "pinned.model", "finished_at", partialFilterExpression={"state": "succeeded"}),
    ],
    "idempotency_keys": [_index("age", "created_at")],
    "entries": [],
    "statement_lines": [_index("lines", "person_id", "number", unique=True)],
    "balances": [],
    "holds": [_index("open", "captured", "person_id")],
    "media": [
        _index("found", "terms", "seq"),
        _index("by_seq", "seq", unique=True),
        _index("by_length_s", "length_s", "seq"),
        _index("by_views", "views", "seq"),
        _index("of_generation", "generation_id", "seq"),
        _index("of_owner", "owner_id"),
        _index("previews", "previews_due_at", "seq", partialFilterExpression={"previews": "pending"}),
    ],
    "people": [
        _index("name", "name_key", unique=True),
        _index("by_role", "role", "created_at", "_id"),
        _index(
            "by_email", "email_key", "created_at", "_id", partialFilterExpression={"email_key": {"$gt": ""}}
        ),
    ],
    "sessions": [_index("of_person", "person_id"), _index("by_end", "expires_at")],
    "links": [],
    "api_keys": [_index("secret", "secret_hash", unique=True), _index("of_person", "person_id")],
    "invites": [_index("secret", "secret_hash", unique=True)],
    "share_links": [
        _index("secret", "secret_hash", unique=True),
        _index("of_target", "target", "_id"),
        _index("of_owner", "owner_id", "_id"),
    ],
    "buckets": [_index("by_full_at", "full_at")],
    "events": [_index("by_age", "at")],
    "counters": [],
}  # fmt: skip
"""The collections that we have, and their indexes beside the one of ``_id``."""


async def make_all(database: AsyncDatabase[Document]) -> None:
    """Make the collections and indexes that are missing: a transaction cannot always make them itself."""
    there = set(await database.list_collection_names())
    for name, indexes in INDEXES.items():
        if PREFIX + name not in there:
            await database.create_collection(PREFIX + name, check_exists=False)
        if indexes:
            await database[PREFIX + name].create_indexes(list(indexes))
