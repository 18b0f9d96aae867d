"""Structs as documents: the fields by their names, the id as ``_id``; what a query needs beside them is added."""

from typing import Any, TypeVar

import msgspec
from bson.int64 import Int64

from mutoscope.domain.emails import same_email
from mutoscope.domain.generation import TERMINAL, Generation
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.domain.people import Person
from mutoscope.store.mongo.engine import Document

T = TypeVar("T", bound=msgspec.Struct)


def plain(struct: msgspec.Struct) -> Document:
    """The fields as BSON has them; sets in order, so that the same is written the same."""
    return msgspec.to_builtins(struct, order="deterministic")


def struct_of(document: Document, type: type[T]) -> T:
    """The struct again; fields that it does not know are left aside."""
    return msgspec.convert(document, type)


def from_generation(generation: Generation) -> Document:
    """A job, with ``live`` and ``ready_at``: from when on it may be claimed."""
    document = _with_id(generation)
    document["live"] = generation.state not in TERMINAL
    document["ready_at"] = max(generation.due_at, generation.lease_until)
    return document


def to_generation(document: Document) -> Generation:
    """The job of a document."""
    return struct_of(_without_id(document) | {"parameters": _whole(document["parameters"])}, Generation)


def from_media(item: Media) -> Document:
    """An item, with what it is sorted and counted by."""
    document = _with_id(item)
    document["length_s"] = item.facts.duration_s or 0.0
    document["stored_bytes"] = sum(file.size_bytes for file in item.files.values())
    return document


def to_media(document: Document) -> Media:
    """The item of a document."""
    return struct_of(_without_id(document) | {"parameters": _whole(document["parameters"])}, Media)


def from_person(person: Person) -> Document:
    """A person, with name and address as they are compared."""
    email_key = same_email(person.email) if person.email else None
    return _with_id(person) | {"name_key": person.name.casefold(), "email_key": email_key}


def to_person(document: Document) -> Person:
    """The person of a document."""
    return struct_of(_without_id(document), Person)


def ready_at(due_at: Any, lease_until: Any) -> Document:
    """The stage of an update that keeps ``ready_at`` right; each is a moment or an expression."""
    return {"$set": {"ready_at": {"$max": [due_at, lease_until]}}}


def moment(value: Any) -> Millis | None:
    """A moment as the driver gives it, as a plain number."""
    return None if value is None else int(value)


def _with_id(struct: msgspec.Struct) -> Document:
    document = plain(struct)
    return {"_id": document.pop("id"), **document}


def _without_id(document: Document) -> Document:
    return {**document, "id": document["_id"]}


def _whole(value: Any) -> Any:
    """A value of any shape with plain numbers: the driver has a type of its own for large ones, which is no JSON."""
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, Int64) else value
