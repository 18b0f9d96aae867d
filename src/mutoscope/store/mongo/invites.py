"""Invitations."""

from collections.abc import Sequence

from mutoscope.domain.errors import WrongCredentials
from mutoscope.domain.ids import Millis
from mutoscope.domain.invites import KEPT_MS, Invite, is_good
from mutoscope.store.mongo.documents import plain, struct_of
from mutoscope.store.mongo.engine import Connection, Document, Engine

COLLECTION = "invites"


class MongoInvites:
    """The invites group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, invite: Invite) -> None:
        ended = {"expires_at": {"$lte": invite.created_at - KEPT_MS}}
        await self._engine.step(lambda c: c[COLLECTION].delete(ended))
        await self._engine.step(lambda c: c[COLLECTION].insert(from_invite(invite)))

    async def of_secret(self, secret_hash: str, now: Millis) -> Invite | None:
        return await self._engine.read(lambda c: _good(c, secret_hash, now))

    async def all(self) -> Sequence[Invite]:
        return await self._engine.read(_all)

    async def revoke(self, id: str) -> bool:
        return await self._engine.step(lambda c: c[COLLECTION].taken({"_id": id})) is not None


def from_invite(invite: Invite) -> Document:
    """The document of an invitation."""
    document = plain(invite)
    return {"_id": document.pop("id"), **document}


def to_invite(document: Document) -> Invite:
    """The invitation of a document."""
    return struct_of({**document, "id": document["_id"]}, Invite)


async def use(c: Connection, secret_hash: str, now: Millis) -> None:
    """Count a use, in a transaction: of two at once the second looks again. Raises WrongCredentials."""
    if await _good(c, secret_hash, now) is None:
        raise WrongCredentials("This invitation was used up, has ended, or is none of ours. Ask for a new one.")
    await c[COLLECTION].update({"secret_hash": secret_hash}, {"$inc": {"used": 1}})


async def _good(c: Connection, secret_hash: str, now: Millis) -> Invite | None:
    document = await c[COLLECTION].one({"secret_hash": secret_hash})
    invite = to_invite(document) if document else None
    return invite if invite is not None and is_good(invite, now) else None


async def _all(c: Connection) -> list[Invite]:
    return [to_invite(found) for found in await c[COLLECTION].all({}, [("created_at", -1), ("_id", 1)])]
