"""A new password for somebody who has lost theirs: by a link that works once, which an administrator hands over or which
is mailed.
"""

import secrets

from msgspec import structs

from mutoscope.domain.errors import NotFound, WrongCredentials
from mutoscope.domain.ids import HOUR, Clock, Millis
from mutoscope.domain.people import OneTimeLink, Person, Purpose, administer, check_password, holds_for
from mutoscope.services.accounts import Accounts, hash_secret
from mutoscope.store.port import Store

LINK_MS: Millis = HOUR


def reset_url(base_url: str, secret: str) -> str:
    """The link. ``base_url`` is what the operator set: what a request calls us must never be in it."""
    return f"{base_url}/reset?link={secret}"


class Resets:
    """The verbs."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts) -> None:
        self._store, self._clock, self._accounts = store, clock, accounts

    async def link_for(self, by: Person, name: str) -> str:
        """The secret of a link for the person of that name. Raises Forbidden, NotFound."""
        administer(by, "resets passwords")
        person = await self._store.people.by_name(name)
        if person is None:
            raise NotFound("There is nobody of that name.")
        return await self.link_as_operator(person)

    async def link_as_operator(self, person: Person) -> str:
        """The same for who has proved to be the operator."""
        return await self._link(person, None)

    async def link_to_mail(self, person: Person, email: str) -> str:
        """The secret of a link for that address, as long as it is the person's; those that were mailed before end."""
        return await self._link(person, email)

    async def _link(self, person: Person, email: str | None) -> str:
        secret, ends_at = secrets.token_urlsafe(32), self._clock.now() + LINK_MS
        link = OneTimeLink(
            secret_hash=hash_secret(secret),
            purpose=Purpose.RESET,
            person_id=person.id,
            expires_at=ends_at,
            email=email,
        )
        await self._store.people.add_link(link)
        return secret

    async def reset(self, secret: str, password: str, source: str = "") -> Person:
        """Set the password, using up the link in the same commit; every session, token, key and link of the person ends.

        Raises WrongCredentials for a link that is not good, Invalid for a password that cannot be used: the link stays good.
        """
        link = await self._store.people.link(hash_secret(secret), Purpose.RESET, self._clock.now())
        person = await self._store.people.get(link.person_id) if link and link.person_id else None
        if link is None or person is None or not holds_for(link, person) or person.suspended_at is not None:
            raise WrongCredentials("This link was used or has expired. Ask for a new one.")
        check_password(password, person.name)
        hashed = await self._accounts.hash_password(password, source)
        changed = structs.replace(person, password_hash=hashed, token_version=person.token_version + 1)
        await self._store.people.change(changed, person.token_version, link.secret_hash, self._clock.now())
        return changed
