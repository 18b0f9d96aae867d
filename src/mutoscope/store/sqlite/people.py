"""Accounts, sessions and one-time links."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import structs

import mutoscope.store.sqlite.invites as invites
import mutoscope.store.sqlite.items as items
import mutoscope.store.sqlite.ledger as ledger
from mutoscope.domain.emails import same_email
from mutoscope.domain.errors import Conflict, WrongCredentials
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Entry
from mutoscope.domain.people import OneTimeLink, Person, Purpose, Role, Session, holds_for, still_open
from mutoscope.store.sqlite.engine import Engine


class SqlitePeople:
    """The people group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(
        self, person: Person, grant: Entry | None, link_hash: str | None = None, invite_hash: str | None = None
    ) -> Person:
        return await self._engine.write(lambda c: _add(c, person, grant, link_hash, invite_hash))

    async def get(self, id: str) -> Person | None:
        return await self._engine.read(lambda c: _person(c, "id", id))

    async def by_name(self, name: str) -> Person | None:
        return await self._engine.read(lambda c: _person(c, "name_key", name.casefold()))

    async def by_email(self, email: str, limit: int) -> Sequence[Person]:
        return await self._engine.read(lambda c: _by_email(c, email, limit))

    async def first_admin(self) -> Person | None:
        return await self._engine.read(_first_admin)

    async def change(
        self, person: Person, expected_version: int, link_hash: str | None = None, now: Millis = 0
    ) -> None:
        await self._engine.write(lambda c: _change(c, person, expected_version, link_hash, now))

    async def set_email(self, person_id: str, email: str | None, expected_version: int) -> str | None:
        return await self._engine.write(lambda c: _set_email(c, person_id, email, expected_version))

    async def open_session(self, session: Session) -> None:
        await self._engine.write(lambda c: _open_session(c, session))

    async def session(self, secret_hash: str, now: Millis) -> tuple[Session, Person] | None:
        return await self._engine.read(lambda c: _session(c, secret_hash, now))

    async def close_session(self, secret_hash: str) -> None:
        await self._engine.write(
            lambda c: c.execute("DELETE FROM sessions WHERE secret_hash = ?", (secret_hash,)).close()
        )

    async def close_sessions(self, person_id: str, but: str | None = None) -> None:
        query = "DELETE FROM sessions WHERE person_id = ? AND secret_hash IS NOT ?"
        await self._engine.write(lambda c: c.execute(query, (person_id, but)).close())

    async def sessions_of(self, person_id: str, now: Millis) -> Sequence[Session]:
        return await self._engine.read(lambda c: _sessions_of(c, person_id, now))

    async def use_session(self, secret_hash: str, now: Millis) -> None:
        query = "UPDATE sessions SET document = json_set(document, '$.used_at', ?) WHERE secret_hash = ?"
        await self._engine.write(lambda c: c.execute(query, (now, secret_hash)).close())

    async def add_link(self, link: OneTimeLink) -> None:
        await self._engine.write(lambda c: _add_link(c, link))

    async def link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        return await self._engine.read(lambda c: _link(c, secret_hash, purpose, now))

    async def use_link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        return await self._engine.write(lambda c: _use_link(c, secret_hash, purpose, now))


def _add(
    c: sqlite3.Connection, person: Person, grant: Entry | None, link_hash: str | None, invite_hash: str | None
) -> Person:
    if link_hash is not None:
        _set_up(c, link_hash, person.created_at)
    if invite_hash is not None:
        invites.use(c, invite_hash, person.created_at)
    _free_name(c, person)
    insert(c, person)
    if grant is not None:
        ledger.book(c, [grant])
    return person


def insert(c: sqlite3.Connection, person: Person) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO people (name_key, role, created_at, email_key, document, id) VALUES (?, ?, ?, ?, ?, ?)",
        (*_columns(person), person.id),
    )


def insert_session(c: sqlite3.Connection, session: Session) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO sessions (secret_hash, person_id, expires_at, document) VALUES (?, ?, ?, ?)",
        (session.secret_hash, session.person_id, session.expires_at, msgspec.json.encode(session).decode()),
    )


def insert_link(c: sqlite3.Connection, link: OneTimeLink) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO links (secret_hash, purpose, expires_at, document) VALUES (?, ?, ?, ?)",
        (link.secret_hash, link.purpose, link.expires_at, msgspec.json.encode(link).decode()),
    )


def _add_link(c: sqlite3.Connection, link: OneTimeLink) -> None:
    if link.email is not None:
        c.execute(
            "DELETE FROM links WHERE purpose = ? AND json_extract(document, '$.person_id') = ?"
            " AND json_extract(document, '$.email') IS NOT NULL",
            (link.purpose, link.person_id),
        )
    insert_link(c, link)


def _set_up(c: sqlite3.Connection, link_hash: str, now: Millis) -> None:
    if _use_link(c, link_hash, Purpose.SET_UP, now) is None:
        raise WrongCredentials("This link was used, has expired, or is none of ours. Ask for a new one.")
    if _first_admin(c) is not None:
        raise Conflict("This studio has an administrator already; sign in.")


def _first_admin(c: sqlite3.Connection) -> Person | None:
    return _decoded(
        c.execute("SELECT document FROM people WHERE role = ? ORDER BY created_at, id LIMIT 1", (Role.ADMIN,))
    )


def _by_email(c: sqlite3.Connection, email: str, limit: int) -> list[Person]:
    rows = c.execute(
        "SELECT document FROM people WHERE email_key = ? ORDER BY created_at, id LIMIT ?", (same_email(email), limit)
    )
    return [msgspec.json.decode(row[0], type=Person) for row in rows]


def _expected(c: sqlite3.Connection, person_id: str, version: int) -> Person:
    found = _person(c, "id", person_id)
    if found is None:
        raise Conflict("There is no such person any more.")
    if found.token_version != version:
        raise Conflict("This account was changed meanwhile. Sign in again and look.")
    return found


def _set_email(c: sqlite3.Connection, person_id: str, email: str | None, expected_version: int) -> str | None:
    before = _expected(c, person_id, expected_version)
    _replace(c, structs.replace(before, email=email))
    return before.email


def _change(c: sqlite3.Connection, person: Person, expected_version: int, link_hash: str | None, now: Millis) -> None:
    before = _expected(c, person.id, expected_version)
    person = structs.replace(person, email=before.email)
    if link_hash is not None:
        _use_reset(c, link_hash, person, now)
    _free_name(c, person)
    _replace(c, person)
    if person.token_version > before.token_version:
        c.execute("DELETE FROM sessions WHERE person_id = ?", (person.id,))
        c.execute("DELETE FROM api_keys WHERE person_id = ?", (person.id,))
        c.execute("DELETE FROM links WHERE json_extract(document, '$.person_id') = ?", (person.id,))
    if person.name != before.name:
        items.index_again(c, person.id)


def _replace(c: sqlite3.Connection, person: Person) -> None:
    c.execute(
        "UPDATE people SET name_key = ?, role = ?, created_at = ?, email_key = ?, document = ? WHERE id = ?",
        (*_columns(person), person.id),
    )


def _use_reset(c: sqlite3.Connection, link_hash: str, person: Person, now: Millis) -> None:
    link = _use_link(c, link_hash, Purpose.RESET, now)
    if link is None or not holds_for(link, person):
        raise WrongCredentials("This link was used or has expired. Ask for a new one.")


def _free_name(c: sqlite3.Connection, person: Person) -> None:
    holder = _person(c, "name_key", person.name.casefold())
    if holder is not None and holder.id != person.id:
        raise Conflict(f"The name {person.name} is taken; choose another.")


def _columns(person: Person) -> tuple[Any, ...]:
    email_key = same_email(person.email) if person.email else None
    return person.name.casefold(), person.role, person.created_at, email_key, msgspec.json.encode(person).decode()


def _person(c: sqlite3.Connection, column: Literal["id", "name_key"], value: str) -> Person | None:
    return _decoded(c.execute(f"SELECT document FROM people WHERE {column} = ?", (value,)))  # noqa: S608


def _decoded(found: sqlite3.Cursor) -> Person | None:
    row = found.fetchone()
    return msgspec.json.decode(row[0], type=Person) if row else None


def _open_session(c: sqlite3.Connection, session: Session) -> None:
    c.execute("DELETE FROM sessions WHERE expires_at <= ?", (session.created_at,))
    insert_session(c, session)


def _session(c: sqlite3.Connection, secret_hash: str, now: Millis) -> tuple[Session, Person] | None:
    row = c.execute(
        "SELECT sessions.document, people.document FROM sessions JOIN people ON people.id = person_id"
        " WHERE secret_hash = ? AND expires_at > ?",
        (secret_hash, now),
    ).fetchone()
    if row is None:
        return None
    session, person = msgspec.json.decode(row[0], type=Session), msgspec.json.decode(row[1], type=Person)
    return (session, person) if still_open(session, person, now) else None


def _sessions_of(c: sqlite3.Connection, person_id: str, now: Millis) -> list[Session]:
    rows = c.execute("SELECT document FROM sessions WHERE person_id = ? AND expires_at > ?", (person_id, now))
    found = [msgspec.json.decode(row[0], type=Session) for row in rows]
    return sorted(found, key=lambda session: (-session.created_at, session.secret_hash))


def _link(c: sqlite3.Connection, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
    row = c.execute(
        "SELECT document FROM links WHERE secret_hash = ? AND purpose = ? AND expires_at > ?",
        (secret_hash, purpose, now),
    ).fetchone()
    return msgspec.json.decode(row[0], type=OneTimeLink) if row else None


def _use_link(c: sqlite3.Connection, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
    row = c.execute(
        "DELETE FROM links WHERE secret_hash = ? AND purpose = ? AND expires_at > ? RETURNING document",
        (secret_hash, purpose, now),
    ).fetchone()
    return msgspec.json.decode(row[0], type=OneTimeLink) if row else None
