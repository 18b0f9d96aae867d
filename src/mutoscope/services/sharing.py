"""Share links: making, listing and revoking them, and what they open."""

import secrets
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import structs

from mutoscope.domain.errors import Conflict, Forbidden, NotFound, WrongCredentials
from mutoscope.domain.ids import Clock, Ids, is_id
from mutoscope.domain.media import Media
from mutoscope.domain.people import Person
from mutoscope.domain.rights import STRANGER, Viewer, allowed, may_change
from mutoscope.domain.sharing import (
    LINKS_OF_ONE,
    SECRET_BYTES,
    USED_EVERY,
    ShareLink,
    check_link_password,
    end_of,
    is_secret,
)
from mutoscope.services.accounts import Accounts, hash_secret
from mutoscope.services.gallery import Gallery
from mutoscope.services.limits import Limits
from mutoscope.services.proofs import Proofs
from mutoscope.store.port import Page, Store, StoreUnavailable

GONE = "There is nothing at this address, or not any more."
"""Said of a link that is unknown, has expired or was revoked, and of one whose item is gone: they are not told apart."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is to be like: for how many hours (None: until it is revoked), and with which password, if any."""

    hours: int | None = None
    password: str | None = None


class PasswordNeeded(Exception):
    """The link asks for a password, and the browser has not shown that it knows it."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a link opens, and to whom: a stranger who has the link, whoever else they may be."""

    link: ShareLink
    item: Media
    viewer: Viewer


class Sharing:
    """The verbs."""

    def __init__(
        self, store: Store, ids: Ids, clock: Clock, gallery: Gallery, accounts: Accounts, limits: Limits, proofs: Proofs
    ) -> None:
        self._store, self._ids, self._clock, self._gallery = store, ids, clock, gallery
        self._accounts, self._limits, self._proofs = accounts, limits, proofs

    async def create(self, person: Person, target: str, wish: Wish, source: str = "") -> tuple[ShareLink, str]:
        """A new link to something of the person's (of anybody's, for an administrator), and the secret of its address, which
        nobody can be told again. Raises NotFound, Forbidden, Invalid, Conflict, TooOften.
        """
        item, now = await self._own(person, target), self._clock.now()
        if item.trashed_at is not None or item.hidden:
            raise Conflict("Nobody could open a link to this: it is in the trash, or was hidden.")
        secret, ends_at = secrets.token_urlsafe(SECRET_BYTES), end_of(wish.hours, now)
        password = check_link_password(wish.password) if wish.password is not None else None
        link = ShareLink(
            id=self._ids.new("shr"),
            secret_hash=hash_secret(secret),
            target=item.id,
            owner_id=item.owner_id,
            made_by=person.id,
            created_at=now,
            expires_at=ends_at,
            password_hash=None if password is None else await self._accounts.hash_password(password, source),
        )
        await self._store.shares.add(link, LINKS_OF_ONE)
        return link, secret

    async def of_target(self, person: Person, target: str) -> Sequence[ShareLink]:
        """The links to something of the person's, also those that have ended, newest first. Raises NotFound, Forbidden."""
        return await self._store.shares.of_target((await self._own(person, target)).id)

    async def mine(self, person: Person, cursor: str | None, limit: int) -> Page[ShareLink]:
        """The links to all that is the person's, also those that an administrator made; newest first."""
        return await self._store.shares.of_owner(person.id, cursor, limit)

    async def revoke(self, person: Person, id: str) -> None:
        """End a link at once; ending it twice is harmless. Raises NotFound for one to what is not the person's."""
        owner_id = None if person.is_admin else person.id
        if not is_id(id, "shr") or not await self._store.shares.revoke(id, owner_id, self._clock.now()):
            raise NotFound("You have no such link.")

    async def open(self, secret: str, proof: str) -> Shown:
        """What the link of that secret shows. ``proof``: what the browser kept of the password, if anything.

        Raises NotFound, PasswordNeeded.
        """
        shown = await self._shown(secret)
        if shown.link.password_hash is not None and not self._proofs.verify(shown.link, proof):
            raise PasswordNeeded
        now = self._clock.now()
        if shown.link.used_at is None or now - shown.link.used_at >= USED_EVERY:
            with suppress(StoreUnavailable):  # a full disk keeps nobody from looking
                await self._store.shares.use(shown.link.id, now)
        return shown

    async def prove(self, secret: str, password: str, source: str | None) -> str | None:
        """A proof for a browser whose person typed the link's password; None where it asks for none.

        What is wrong is counted for the address, and for the address and this link together, never for the link alone: or
        whoever has the link could shut out the others. Raises NotFound, WrongCredentials, TooOften.
        """
        link = (await self._shown(secret)).link
        if link.password_hash is None:
            return None
        async with self._limits.attempt(source, link.id):
            if not await self._accounts.verify_password(link.password_hash, password, source or ""):
                raise WrongCredentials("That is not the password of this link.")
        return self._proofs.make(link)

    async def through(self, link_id: str, viewer: Viewer, item: Media) -> Viewer:
        """The viewer, who came by a signed address of the item that names a link, with what that link opens now."""
        link = await self._store.shares.get(link_id, self._clock.now()) if is_id(link_id, "shr") else None
        return viewer if link is None or link.target != item.id else _with(viewer, link, item)

    async def _own(self, person: Person, target: str) -> Media:
        viewer = Viewer(person_id=person.id, is_admin=person.is_admin)
        item = await self._gallery.get(viewer, target)
        if not may_change(viewer, item):
            raise Forbidden("Only its owner shares an item by links.")
        return item

    async def _shown(self, secret: str) -> Shown:
        link = await self._store.shares.of_secret(hash_secret(secret), self._clock.now()) if is_secret(secret) else None
        item = await self._store.media.get(link.target) if link is not None else None
        if link is None or item is None:
            raise NotFound(GONE)
        viewer = _with(STRANGER, link, item)
        if not allowed(viewer, item, None):
            raise NotFound(GONE)
        return Shown(link=link, item=item, viewer=viewer)


def _with(viewer: Viewer, link: ShareLink, item: Media) -> Viewer:
    return structs.replace(viewer, shared=viewer.shared | {item.id}, link_id=link.id)
