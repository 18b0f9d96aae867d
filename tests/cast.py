"""The cast of all tests, and builders for what they make: alice, bob, and carol who administers."""

import itertools
from typing import Any

from mutoscope.domain import ledger
from mutoscope.domain.collections import Collection
from mutoscope.domain.generation import Generation, Pinned, ProviderJob, State
from mutoscope.domain.ids import Ids, Millis
from mutoscope.domain.ledger import Entry
from mutoscope.domain.media import Facts, Kind, Media, StoredFile, Variant, Visibility, key_for
from mutoscope.domain.people import Person, Role
from mutoscope.domain.unlocking import Wish

NOON: Millis = 1_795_348_800_000
"""2026-11-22 12:00 UTC, when every test begins."""

MODEL = "local/dream"
PROVIDER = "local"


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: Millis = NOON) -> None:
        self.time = now

    def now(self) -> Millis:
        """The time that was set."""
        return self.time

    def tick(self, by_ms: Millis = 1) -> Millis:
        """Move on, and tell the new time."""
        self.time += by_ms
        return self.time


class _EachMillisecond:
    """Ids sort by creation: no two of them share a millisecond here."""

    def __init__(self) -> None:
        self._ticks = itertools.count(NOON)

    def now(self) -> Millis:
        return next(self._ticks)


ids = Ids(_EachMillisecond())


def person(name: str, role: Role = Role.USER, **fields: Any) -> Person:
    """Someone of that name."""
    defaults = {"id": ids.new("usr"), "password_hash": "$argon2id$not-a-real-hash", "created_at": NOON}
    return Person(name=name, role=role, **(defaults | fields))


def alice() -> Person:
    """A creator."""
    return person("alice")


def bob() -> Person:
    """Another creator, and a stranger to alice's items."""
    return person("bob")


def carol() -> Person:
    """The administrator."""
    return person("carol", Role.ADMIN)


def grant(to: Person, amount: int, reference: str | None = None) -> Entry:
    """Tokens for someone."""
    return ledger.grant(to.id, amount, reference or ids.new("lnk"), "a present", NOON)


def pinned(**fields: Any) -> Pinned:
    """The offline model at 10 tokens a result."""
    defaults = {"model": MODEL, "provider": PROVIDER, "upstream": "dream", "kind": Kind.VIDEO, "price_each": 10}
    return Pinned(**({"cancel_fee": 0, "typical_ms": 4_000} | defaults | fields))


def generation(
    owner: Person, results: int = 1, price_each: int = 10, provider: str = PROVIDER, **fields: Any
) -> Generation:
    """A job as it is when it is accepted."""
    defaults: dict[str, Any] = {
        "id": ids.new("gen"),
        "state": State.QUEUED,
        "pinned": pinned(price_each=price_each, provider=provider),
        "prompt": "a lighthouse in fog",
        "context": "",
        "negative_prompt": "",
        "category_selections": {"mood": ["Calm"]},
        "parameters": {"duration_s": 4},
        "seed": 7,
        "source": None,
        "visibility": Visibility.PUBLIC,
        "media_ids": tuple(ids.new("med") for _ in range(results)),
        "created_at": NOON,
        "updated_at": NOON,
        "due_at": NOON,
        "stage_since": NOON,
    }
    return Generation(owner_id=owner.id, **(defaults | fields))


def job(of: Generation) -> ProviderJob:
    """The job as its provider knows it."""
    return ProviderJob(id="upstream-" + of.id, reference=of.id)


def wish(buyer: Person, item: Media, price: int = 5, **fields: Any) -> Wish:
    """Someone wants to unlock an item, for the price that they saw."""
    return Wish(**({"id": ids.new("unl"), "buyer_id": buyer.id, "media_id": item.id, "price": price} | fields))


def facts(kind: Kind = Kind.VIDEO, **fields: Any) -> Facts:
    """A film of four seconds, or a picture."""
    film = {"mime_type": "video/mp4", "codec": "h264", "duration_s": 4.0, "fps": 24.0, "frames": 96}
    picture = {"mime_type": "image/png", "codec": "png"}
    shape = {"width": 1280, "height": 720, "size_bytes": 1_000, "sha256": "0" * 64}
    return Facts(kind=kind, **(shape | (film if kind is Kind.VIDEO else picture) | fields))


def media(of: Generation, position: int = 0, **fields: Any) -> Media:
    """The item at a position of a job's results, as it is when it is published."""
    id, of_facts = of.media_ids[position], fields.get("facts") or facts(of.pinned.kind)
    master = key_for(of_facts.kind, id, Variant.MASTER, of_facts.mime_type)
    defaults: dict[str, Any] = {
        "id": id,
        "owner_id": of.owner_id,
        "generation_id": of.id,
        "facts": of_facts,
        "files": {Variant.MASTER: StoredFile(key=master, mime_type=of_facts.mime_type, size_bytes=of_facts.size_bytes)},
        "placeholder": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "title": "A lighthouse in fog",
        "description": of.prompt,
        "prompt": of.prompt,
        "negative_prompt": of.negative_prompt,
        "category": "ai-generated",
        "tags": ("ai-generated", of.pinned.kind.value, "calm"),
        "category_selections": of.category_selections,
        "prompt_words": frozenset({"title", "description", "tags"}),
        "model": of.pinned.model,
        "provider": of.pinned.provider,
        "seed": of.seed,
        "parameters": of.parameters,
        "visibility": of.visibility,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Media(**(defaults | fields))


def collection(owner: Person, **fields: Any) -> Collection:
    """A collection of that owner's, empty and private."""
    defaults = {"id": ids.new("col"), "title": "Harbours", "created_at": NOON, "updated_at": NOON}
    return Collection(owner_id=owner.id, **(defaults | fields))
