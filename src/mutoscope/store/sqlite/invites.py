"""Invitations."""

import sqlite3
from collections.abc import Sequence

import msgspec

from mutoscope.domain.errors import WrongCredentials
from mutoscope.domain.ids import Millis
from mutoscope.domain.invites import KEPT_MS, Invite, is_good
from mutoscope.store.sqlite.engine import Engine

READ = "SELECT document FROM invites ORDER BY id"


class SqliteInvites:
    """The invites group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, invite: Invite) -> None:
        await self._engine.write(lambda c: _add(c, invite))

    async def of_secret(self, secret_hash: str, now: Millis) -> Invite | None:
        return await self._engine.read(lambda c: _good(c, secret_hash, now))

    async def all(self) -> Sequence[Invite]:
        return await self._engine.read(_all)

    async def revoke(self, id: str) -> bool:
        return await self._engine.write(lambda c: c.execute("DELETE FROM invites WHERE id = ?", (id,)).rowcount == 1)


def _add(c: sqlite3.Connection, invite: Invite) -> None:
    c.execute("DELETE FROM invites WHERE expires_at <= ?", (invite.created_at - KEPT_MS,))
    insert(c, invite)


def insert(c: sqlite3.Connection, invite: Invite) -> None:
    """A new row."""
    c.execute(
        "INSERT INTO invites (id, secret_hash, expires_at, document) VALUES (?, ?, ?, ?)",
        (invite.id, invite.secret_hash, invite.expires_at, msgspec.json.encode(invite).decode()),
    )


def use(c: sqlite3.Connection, secret_hash: str, now: Millis) -> None:
    """Count a use. Raises WrongCredentials."""
    if _good(c, secret_hash, now) is None:
        raise WrongCredentials("This invitation was used up, has ended, or is none of ours. Ask for a new one.")
    c.execute(
        "UPDATE invites SET document = json_set(document, '$.used', json_extract(document, '$.used') + 1)"
        " WHERE secret_hash = ?",
        (secret_hash,),
    )


def _good(c: sqlite3.Connection, secret_hash: str, now: Millis) -> Invite | None:
    row = c.execute("SELECT document FROM invites WHERE secret_hash = ?", (secret_hash,)).fetchone()
    invite = msgspec.json.decode(row[0], type=Invite) if row else None
    return invite if invite is not None and is_good(invite, now) else None


def _all(c: sqlite3.Connection) -> list[Invite]:
    found = [msgspec.json.decode(row[0], type=Invite) for row in c.execute(READ)]
    return sorted(found, key=lambda invite: (-invite.created_at, invite.id))
