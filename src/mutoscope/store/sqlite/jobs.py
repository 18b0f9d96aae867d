"""Jobs as rows: the one place that writes a Generation to its table and reads it again."""

import sqlite3
from typing import Any

import msgspec
from msgspec import structs

import mutoscope.store.sqlite.events as events
from mutoscope.domain.errors import NotFound, StaleFence
from mutoscope.domain.generation import Generation, State
from mutoscope.domain.ids import Millis

COLUMNS = "document, fence, worker, home, due_at, lease_until"

_decoder = msgspec.json.Decoder(Generation)


def from_row(row: tuple[str, int, str, str, int, int]) -> Generation:
    """The job of a row of COLUMNS."""
    document, fence, worker, home, due_at, lease_until = row
    return structs.replace(
        _decoder.decode(document), fence=fence, worker=worker, home=home, due_at=due_at, lease_until=lease_until
    )


def get(c: sqlite3.Connection, id: str) -> Generation | None:
    """The job of that id."""
    row = c.execute(f"SELECT {COLUMNS} FROM generations WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return from_row(row) if row else None


def existing(c: sqlite3.Connection, id: str) -> Generation:
    """The job of that id. Raises NotFound."""
    generation = get(c, id)
    if generation is None:
        raise NotFound("There is no such job.")
    return generation


def fenced(c: sqlite3.Connection, id: str, fence: int, state: State | None = None) -> Generation:
    """The job, if its fence and state are still these. Raises StaleFence."""
    generation = get(c, id)
    if generation is None or generation.fence != fence or (state is not None and generation.state is not state):
        raise StaleFence(f"{id} is no longer at fence {fence}" + (f" in {state}" if state else ""))
    return generation


def insert(c: sqlite3.Connection, generation: Generation) -> None:
    """A new row, and its event."""
    fields = columns(generation)
    c.execute(
        f"INSERT INTO generations (id, {', '.join(fields)}) VALUES (?{', ?' * len(fields)})",  # noqa: S608
        (generation.id, *fields.values()),
    )
    _tell(c, generation, generation.updated_at)


def save(c: sqlite3.Connection, before: Generation, **fields: Any) -> Generation:
    """Save the job with other fields if it still has its state and its fence. Raises StaleFence."""
    after = structs.replace(before, **fields)
    fields = columns(after)
    saved = c.execute(
        f"UPDATE generations SET {', '.join(name + ' = ?' for name in fields)} WHERE id = ? AND state = ? AND fence = ?",  # noqa: S608
        (*fields.values(), before.id, before.state, before.fence),
    ).rowcount
    if saved != 1:
        raise StaleFence(f"{before.id} is no longer at fence {before.fence} in {before.state}")
    return after


def change(c: sqlite3.Connection, before: Generation, now: Millis, **fields: Any) -> Generation:
    """`save`, as a change that people see: the next version, and an event. Raises StaleFence."""
    after = save(c, before, version=before.version + 1, updated_at=now, **fields)
    _tell(c, after, now)
    return after


def _tell(c: sqlite3.Connection, generation: Generation, now: Millis) -> None:
    events.append(c, "generation", generation.id, generation.version, generation.owner_id, now)


def columns(generation: Generation) -> dict[str, Any]:
    """The columns of a job, but its id."""
    return {
        "owner_id": generation.owner_id,
        "state": generation.state,
        "provider": generation.pinned.provider,
        "model": generation.pinned.model,
        "fence": generation.fence,
        "worker": generation.worker,
        "home": generation.home,
        "due_at": generation.due_at,
        "lease_until": generation.lease_until,
        "created_at": generation.created_at,
        "submitted_at": generation.submitted_at,
        "finished_at": generation.finished_at,
        "document": msgspec.json.encode(generation).decode(),
    }
