"""Accounts, sessions and one-time links."""

from collections.abc import Sequence

from msgspec import structs

import mutoscope.store.mongo.invites as invites
import mutoscope.store.mongo.items as items
import mutoscope.store.mongo.ledger as ledger
from mutoscope.domain.emails import same_email
from mutoscope.domain.errors import Conflict, WrongCredentials
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Entry
from mutoscope.domain.people import OneTimeLink, Person, Purpose, Role, Session, holds_for, still_open
from mutoscope.store.mongo.documents import from_person, plain, struct_of, to_person
from mutoscope.store.mongo.engine import Connection, Engine, Filter

GATE = "gate:set_up"


class MongoPeople:
    """The people group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(
        self, person: Person, grant: Entry | None, link_hash: str | None = None, invite_hash: str | None = None
    ) -> Person:
        return await self._engine.write(lambda c: _add(c, person, grant, link_hash, invite_hash))

    async def get(self, id: str) -> Person | None:
        return await self._engine.read(lambda c: _person(c, {"_id": id}))

    async def by_name(self, name: str) -> Person | None:
        return await self._engine.read(lambda c: _person(c, {"name_key": name.casefold()}))

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
        await self._engine.step(lambda c: c["sessions"].delete({"expires_at": {"$lte": session.created_at}}))
        await self._engine.step(lambda c: c["sessions"].insert(plain(session) | {"_id": session.secret_hash}))

    async def session(self, secret_hash: str, now: Millis) -> tuple[Session, Person] | None:
        return await self._engine.read(lambda c: _session(c, secret_hash, now))

    async def close_session(self, secret_hash: str) -> None:
        await self._engine.step(lambda c: c["sessions"].delete({"_id": secret_hash}))

    async def close_sessions(self, person_id: str, but: str | None = None) -> None:
        await self._engine.step(lambda c: c["sessions"].delete({"person_id": person_id, "_id": {"$ne": but}}))

    async def sessions_of(self, person_id: str, now: Millis) -> Sequence[Session]:
        return await self._engine.read(lambda c: _sessions_of(c, person_id, now))

    async def use_session(self, secret_hash: str, now: Millis) -> None:
        await self._engine.step(lambda c: c["sessions"].update({"_id": secret_hash}, {"$set": {"used_at": now}}))

    async def add_link(self, link: OneTimeLink) -> None:
        await self._engine.write(lambda c: _add_link(c, link))

    async def link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        return await self._engine.read(lambda c: _link(c, secret_hash, purpose, now))

    async def use_link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        return await self._engine.step(lambda c: _use_link(c, secret_hash, purpose, now))


async def _add(
    c: Connection, person: Person, grant: Entry | None, link_hash: str | None, invite_hash: str | None
) -> Person:
    if link_hash is not None:
        await _set_up(c, link_hash, person.created_at)
    if invite_hash is not None:
        await invites.use(c, invite_hash, person.created_at)
    await _free_name(c, person)
    await c["people"].insert(from_person(person))
    if grant is not None:
        await ledger.book(c, [grant])
    return person


async def _set_up(c: Connection, link_hash: str, now: Millis) -> None:
    # Two who set up at once would each see no administrator: they meet here, and the second looks again.
    await c["counters"].update({"_id": GATE}, {"$inc": {"value": 1}}, upsert=True)
    if await _use_link(c, link_hash, Purpose.SET_UP, now) is None:
        raise WrongCredentials("This link was used, has expired, or is none of ours. Ask for a new one.")
    if await _first_admin(c) is not None:
        raise Conflict("This studio has an administrator already; sign in.")


async def _first_admin(c: Connection) -> Person | None:
    document = await c["people"].one({"role": Role.ADMIN}, [("created_at", 1), ("_id", 1)])
    return to_person(document) if document else None


async def _by_email(c: Connection, email: str, limit: int) -> list[Person]:
    filter: Filter = {"email_key": same_email(email)}
    return [to_person(found) for found in await c["people"].all(filter, [("created_at", 1), ("_id", 1)], limit)]


async def _expected(c: Connection, person_id: str, version: int) -> Person:
    found = await _person(c, {"_id": person_id})
    if found is None:
        raise Conflict("There is no such person any more.")
    if found.token_version != version:
        raise Conflict("This account was changed meanwhile. Sign in again and look.")
    return found


async def _set_email(c: Connection, person_id: str, email: str | None, expected_version: int) -> str | None:
    before = await _expected(c, person_id, expected_version)
    await c["people"].update({"_id": person_id}, {"$set": from_person(structs.replace(before, email=email))})
    return before.email


async def _add_link(c: Connection, link: OneTimeLink) -> None:
    if link.email is not None:
        # Of two that are made at once the later must see the earlier: both write their person.
        await c["people"].update({"_id": link.person_id}, {"$inc": {"links_mailed": 1}})
        await c["links"].delete({"person_id": link.person_id, "purpose": link.purpose, "email": {"$type": "string"}})
    await c["links"].insert(plain(link) | {"_id": link.secret_hash})


async def _change(c: Connection, person: Person, expected_version: int, link_hash: str | None, now: Millis) -> None:
    before = await _expected(c, person.id, expected_version)
    person = structs.replace(person, email=before.email)
    if link_hash is not None:
        await _use_reset(c, link_hash, person, now)
    await _free_name(c, person)
    await c["people"].update({"_id": person.id}, {"$set": from_person(person)})
    if person.token_version > before.token_version:
        await c["sessions"].delete({"person_id": person.id})
        await c["api_keys"].delete({"person_id": person.id})
        await c["links"].delete({"person_id": person.id})
    if person.name != before.name:
        await items.index_again(c, person.id, person.name)


async def _use_reset(c: Connection, link_hash: str, person: Person, now: Millis) -> None:
    link = await _use_link(c, link_hash, Purpose.RESET, now)
    if link is None or not holds_for(link, person):
        raise WrongCredentials("This link was used or has expired. Ask for a new one.")


async def _free_name(c: Connection, person: Person) -> None:
    holder = await _person(c, {"name_key": person.name.casefold()})
    if holder is not None and holder.id != person.id:
        raise Conflict(f"The name {person.name} is taken; choose another.")


async def _person(c: Connection, filter: Filter) -> Person | None:
    document = await c["people"].one(filter)
    return to_person(document) if document else None


async def _session(c: Connection, secret_hash: str, now: Millis) -> tuple[Session, Person] | None:
    document = await c["sessions"].one({"_id": secret_hash, "expires_at": {"$gt": now}})
    if document is None:
        return None
    session = struct_of(document, Session)
    person = await _person(c, {"_id": session.person_id})
    return (session, person) if person is not None and still_open(session, person, now) else None


async def _sessions_of(c: Connection, person_id: str, now: Millis) -> list[Session]:
    found = await c["sessions"].all(
        {"person_id": person_id, "expires_at": {"$gt": now}}, [("created_at", -1), ("_id", 1)]
    )
    return [struct_of(document, Session) for document in found]


async def _link(c: Connection, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
    document = await c["links"].one({"_id": secret_hash, "purpose": purpose, "expires_at": {"$gt": now}})
    return struct_of(document, OneTimeLink) if document else None


async def _use_link(c: Connection, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
    document = await c["links"].taken({"_id": secret_hash, "purpose": purpose, "expires_at": {"$gt": now}})
    return struct_of(document, OneTimeLink) if document else None
