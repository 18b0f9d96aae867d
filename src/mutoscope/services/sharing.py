"""Share links: making, listing and revoking them, and what they open."""

import secrets
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import structs

from mutoscope.domain.collections import Collection, shows
from mutoscope.domain.collections import may_change as may_change_collection
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
from mutoscope.services.collections import Collections
from mutoscope.services.gallery import Gallery
from mutoscope.services.limits import Limits
from mutoscope.services.looking import Glance
from mutoscope.services.proofs import Proofs
from mutoscope.store.port import Page, Store, StoreUnavailable

GONE = "There is nothing at this address, or not any more."
"""Said of a link that is unknown, has expired or was revoked, and of one whose item is gone: they are not told apart."""
PAGE_ITEMS = 50


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is to be like: for how many hours (None: until it is revoked), and with which password, if any."""

    hours: int | None = None
    password: str | None = None


class PasswordNeeded(Exception):
    """The link asks for a password, and the browser has not shown that it knows it."""


class SharedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that a link opens, and to whom: a stranger who has the link, whoever else they may be."""

    link: ShareLink
    item: Media
    viewer: Viewer


class SharedCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection that a link opens, and a page of its items, to the same stranger."""

    link: ShareLink
    glance: Glance
    items: Page[Media]
    viewer: Viewer


class Sharing:
    """The verbs."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        gallery: Gallery,
        collections: Collections,
        accounts: Accounts,
        limits: Limits,
        proofs: Proofs,
    ) -> None:
        self._store, self._ids, self._clock, self._gallery, self._collections = store, ids, clock, gallery, collections
        self._accounts, self._limits, self._proofs = accounts, limits, proofs

    async def create(self, person: Person, target: str, wish: Wish, source: str = "") -> tuple[ShareLink, str]:
        """A new link to an item or collection of the person's (of anybody's, for an administrator), and the secret of its
        address, which nobody can be told again. Raises NotFound, Forbidden, Invalid, Conflict, TooOften.
        """
        thing, now = await self._own(person, target), self._clock.now()
        if isinstance(thing, Media) and (thing.trashed_at is not None or thing.hidden):
            raise Conflict("Nobody could open a link to this: it is in the trash, or was hidden.")
        secret, ends_at = secrets.token_urlsafe(SECRET_BYTES), end_of(wish.hours, now)
        password = check_link_password(wish.password) if wish.password is not None else None
        link = ShareLink(
            id=self._ids.new("shr"),
            secret_hash=hash_secret(secret),
            target=thing.id,
            owner_id=thing.owner_id,
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

    async def titles(self, links: Sequence[ShareLink]) -> dict[str, str]:
        """What the things are called that the links of a person lead to, by id."""
        targets = {link.target: None for link in links}
        titles = {
            item.id: item.title for item in await self._store.media.all_of([id for id in targets if is_id(id, "med")])
        }
        for id in targets.keys() - titles.keys():
            found = await self._store.collections.get(id) if is_id(id, "col") else None
            titles |= {id: found.title} if found is not None else {}
        return titles

    async def revoke(self, person: Person, id: str) -> None:
        """End a link at once; ending it twice is harmless. Raises NotFound for one to what is not the person's."""
        owner_id = None if person.is_admin else person.id
        if not is_id(id, "shr") or not await self._store.shares.revoke(id, owner_id, self._clock.now()):
            raise NotFound("You have no such link.")

    async def open(self, secret: str, proof: str, cursor: str | None = None) -> SharedItem | SharedCollection:
        """What the link of that secret shows. ``proof``: what the browser kept of the password, if anything; ``cursor``: which
        page of a collection. Raises NotFound, PasswordNeeded, Invalid.
        """
        link, thing = await self._opened(secret, proof)
        if isinstance(thing, Media):
            return SharedItem(link=link, item=thing, viewer=_with(link, [thing]))
        shared = await self._collections.shared(thing.id, cursor=cursor, limit=PAGE_ITEMS)
        seen = [*shared.items.items, *([shared.glance.cover] if shared.glance.cover else [])]
        return SharedCollection(link=link, glance=shared.glance, items=shared.items, viewer=_with(link, seen))

    async def open_in(self, secret: str, proof: str, media_id: str) -> SharedItem:
        """An item of the collection that the link of that secret leads to. Raises NotFound, PasswordNeeded."""
        link, thing = await self._opened(secret, proof)
        item = await self._store.media.get(media_id) if is_id(media_id, "med") else None
        if item is None or isinstance(thing, Media) or not await self._reaches(link, item):
            raise NotFound(GONE)
        return SharedItem(link=link, item=item, viewer=_with(link, [item]))

    async def prove(self, secret: str, password: str, source: str | None) -> str | None:
        """A proof for a browser whose person typed the link's password; None where it asks for none.

        What is wrong is counted for the address, and for the address and this link together, never for the link alone: or
        whoever has the link could shut out the others. Raises NotFound, WrongCredentials, TooOften.
        """
        link, _ = await self._there(secret)
        if link.password_hash is None:
            return None
        async with self._limits.attempt(source, link.id):
            if not await self._accounts.verify_password(link.password_hash, password, source or ""):
                raise WrongCredentials("That is not the password of this link.")
        return self._proofs.make(link)

    async def through(self, link_id: str, viewer: Viewer, item: Media) -> Viewer:
        """The viewer, who came by a signed address of the item that names a link, with what that link opens now."""
        link = await self._store.shares.get(link_id, self._clock.now()) if is_id(link_id, "shr") else None
        return viewer if link is None or not await self._reaches(link, item) else _with(link, [item], viewer)

    async def _own(self, person: Person, target: str) -> Media | Collection:
        viewer = Viewer(person_id=person.id, is_admin=person.is_admin)
        if is_id(target, "col"):
            collection = await self._collections.get(viewer, target)
            if not may_change_collection(viewer, collection):
                raise Forbidden("Only its owner shares a collection by links.")
            return collection
        item = await self._gallery.get(viewer, target)
        if not may_change(viewer, item):
            raise Forbidden("Only its owner shares an item by links.")
        return item

    async def _opened(self, secret: str, proof: str) -> tuple[ShareLink, Media | Collection]:
        """The link and what it leads to, for a browser that may see it; its use is noted."""
        link, thing = await self._there(secret)
        if link.password_hash is not None and not self._proofs.verify(link, proof):
            raise PasswordNeeded
        now = self._clock.now()
        if link.used_at is None or now - link.used_at >= USED_EVERY:
            with suppress(StoreUnavailable):  # a full disk keeps nobody from looking
                await self._store.shares.use(link.id, now)
        return link, thing

    async def _there(self, secret: str) -> tuple[ShareLink, Media | Collection]:
        """The link of that secret while it stands, and what it leads to while that is there. Raises NotFound."""
        link = await self._store.shares.of_secret(hash_secret(secret), self._clock.now()) if is_secret(secret) else None
        if link is None:
            raise NotFound(GONE)
        if is_id(link.target, "col"):
            thing = await self._store.collections.get(link.target)
        else:
            thing = await self._store.media.get(link.target)
            thing = thing if thing is not None and allowed(_with(link, [thing]), thing, None) else None
        if thing is None:
            raise NotFound(GONE)
        return link, thing

    async def _reaches(self, link: ShareLink, item: Media) -> bool:
        """Whether the link leads to the item, or to a collection in which its owner shows the item to whoever has a link."""
        if not is_id(link.target, "col"):
            return link.target == item.id
        return shows(STRANGER, item, link.owner_id) and await self._store.collections.holds(link.target, item.id)


def _with(link: ShareLink, items: Sequence[Media], viewer: Viewer = STRANGER) -> Viewer:
    return structs.replace(viewer, shared=frozenset(item.id for item in items), link_id=link.id)
