"""Which job a worker gets next."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable

import mutoscope.store.sqlite.jobs as jobs
from mutoscope.domain.generation import AT_PROVIDER, TAKEN_OVER_AFTER_MS, Generation, State
from mutoscope.domain.ids import Millis
from mutoscope.store.port import Limits

NEAR = 2_000
"""How far from the head of the queue to look for someone who has nothing at a provider, before asking for everyone."""

_DUE = "state = 'queued' AND due_at <= :now AND lease_until <= :now"
_EACH = """
  WITH RECURSIVE hops (name) AS (
    SELECT min({column}) FROM generations INDEXED BY {index} WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT min({column}) FROM generations INDEXED BY {index} WHERE state = 'queued' AND {column} > name)
    FROM hops WHERE name IS NOT NULL
  ), waiting AS (SELECT name FROM hops WHERE name IS NOT NULL)
"""
"""The different values of a column in the queue: one index look-up for each, however many jobs there are."""

_PROVIDERS = f"{_EACH} SELECT name FROM waiting".format(column="provider", index="generations_queue_at")  # noqa: S608
_OLDEST_OF_EACH = f"""{_EACH}
  SELECT created_at, id, owner_id FROM waiting JOIN generations ON id = (
    SELECT id FROM generations INDEXED BY {{index}}
    WHERE {_DUE} AND owner_id = name AND provider NOT IN (SELECT value FROM json_each(:full))
    ORDER BY created_at, id LIMIT 1
  )""".format(column="owner_id", index="generations_queue_of")  # noqa: S608
_OLDEST_OF_OTHERS = f"""
  SELECT id FROM (
    SELECT id, owner_id, provider FROM generations INDEXED BY generations_queue WHERE {_DUE}
    ORDER BY created_at, id LIMIT :near
  ) WHERE owner_id NOT IN (SELECT value FROM json_each(:busy)) AND provider NOT IN (SELECT value FROM json_each(:full))
  LIMIT 1"""  # noqa: S608
_AT_PROVIDER = ", ".join(f"'{state}'" for state in sorted(AT_PROVIDER))


def claim(
    c: sqlite3.Connection,
    states: frozenset[State],
    worker: str,
    now: Millis,
    lease_until: Millis,
    limits: Limits,
    place: str,
) -> Generation | None:
    """Take a job that is due: one that has begun before one that waits in the queue."""
    id = _earliest(c, states - {State.QUEUED}, now, place)
    if id is None and State.QUEUED in states:
        id = _fairest(c, now, limits)
    row = c.execute(
        "UPDATE generations SET fence = fence + 1, worker = ?, lease_until = ?, home = coalesce(nullif(?, ''), home)"  # noqa: S608
        f" WHERE id = ? AND live AND due_at <= ? AND lease_until <= ? RETURNING {jobs.COLUMNS}",
        (worker, lease_until, place, id, now, now),
    ).fetchone()
    return jobs.from_row(row) if row else None


def next_due(c: sqlite3.Connection, states: Iterable[State]) -> Millis | None:
    """The earliest moment at which a job of these states may be claimed."""
    moments = [
        c.execute("SELECT min(ready_at) FROM generations WHERE live AND state = ?", (state,)).fetchone()[0]
        for state in states
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def void_leases(c: sqlite3.Connection, now: Millis) -> None:
    """End every lease of a former process: with one owner of the file, whoever held it is gone."""
    c.execute("UPDATE generations SET lease_until = 0, due_at = min(due_at, ?) WHERE live AND lease_until > 0", (now,))
    c.execute(
        "UPDATE media SET previews_lease_until = 0, previews_due_at = min(previews_due_at, ?)"
        " WHERE previews = 'pending' AND previews_lease_until > 0",
        (now,),
    )
    c.execute("UPDATE blurs SET lease_until = 0, due_at = min(due_at, ?) WHERE lease_until > 0", (now,))


def _earliest(c: sqlite3.Connection, states: Iterable[State], now: Millis, place: str) -> str | None:
    found = [
        c.execute(
            "SELECT due_at, id FROM generations WHERE live AND state = ? AND due_at <= ? AND lease_until <= ?"
            " AND (? OR home IN ('', ?) OR due_at <= ?) ORDER BY due_at LIMIT 1",
            (state, now, now, place == "", place, now - TAKEN_OVER_AFTER_MS),
        ).fetchone()
        for state in states
    ]
    return min((row for row in found if row), default=(0, None))[1]


def _fairest(c: sqlite3.Connection, now: Millis, limits: Limits) -> str | None:
    """The queued job of the owner with the fewest jobs at providers, within the limits; the oldest of those."""
    owners, providers = _there(c, now)
    full = [name for name, most in limits.per_provider.items() if providers[name] >= most]
    if limits.per_person < 1 or _providers(c) <= set(full):
        return None
    soon = _oldest_of_others(c, list(owners), full, now)
    if soon is not None:
        return soon
    waiting = [row for row in _oldest_of_each(c, full, now) if owners[row[2]] < limits.per_person]
    return min(waiting, key=lambda row: (owners[row[2]], row), default=(0, None, ""))[1]


def _there(c: sqlite3.Connection, now: Millis) -> tuple[Counter[str], Counter[str]]:
    """How many jobs are at providers, or about to be (queued under a lease): by owner, and by provider."""
    owners: Counter[str] = Counter()
    providers: Counter[str] = Counter()
    for owner, provider, count in c.execute(
        "SELECT owner_id, provider, count(*) FROM generations"  # noqa: S608
        f" WHERE live AND state IN ({_AT_PROVIDER}) GROUP BY state, provider, owner_id"
        " UNION ALL SELECT owner_id, provider, 1 FROM generations INDEXED BY generations_leased"
        " WHERE state = 'queued' AND lease_until > ?",
        (now,),
    ):
        owners[owner] += count
        providers[provider] += count
    return owners, providers


def _providers(c: sqlite3.Connection) -> set[str]:
    """The providers that jobs wait for."""
    return {row[0] for row in c.execute(_PROVIDERS)}


def _oldest_of_others(c: sqlite3.Connection, busy: list[str], full: list[str], now: Millis) -> str | None:
    """The oldest job whose owner has nothing at a provider, if it is near the head of the queue."""
    values = {"now": now, "near": NEAR, "busy": json.dumps(busy), "full": json.dumps(full)}
    row = c.execute(_OLDEST_OF_OTHERS, values).fetchone()
    return row[0] if row else None


def _oldest_of_each(c: sqlite3.Connection, full: list[str], now: Millis) -> list[tuple[Millis, str, str]]:
    """When made, id and owner of the oldest job of everyone who waits."""
    return c.execute(_OLDEST_OF_EACH, {"now": now, "full": json.dumps(full)}).fetchall()
