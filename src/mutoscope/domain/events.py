"""What happened, told to browsers. An event names a thing and its version and carries none of its content."""

from typing import Literal

import msgspec

EventKind = Literal["generation", "media", "tokens", "model", "collection"]

PUBLIC = "public"


def to_person(person_id: str) -> str:
    """The audience that is one person."""
    return f"person:{person_id}"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` is the generation's, item's, person's, model's or collection's; ``cursor`` is opaque and resumes the stream after this event.

    The ``version`` of a model is the moment of its change.
    """

    cursor: str
    kind: EventKind
    id: str
    version: int
