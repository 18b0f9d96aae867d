"""A studio with something of every kind in it, and those who ask for it in each of the ways there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from argon2 import PasswordHasher

import journey
from cast import grant, ids, person, wish
from mutoscope.domain.generation import State
from mutoscope.domain.keys import Scope
from mutoscope.domain.media import Visibility
from mutoscope.domain.people import Person, Role
from mutoscope.domain.rights import Viewer
from mutoscope.services.sharing import Wish
from web.house import OUR_PAGE, PASSWORD, House

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Real hashes, without what makes them dear."""
HASH = QUICK_HASHER.hash(PASSWORD)

WAYS = ("visitor", "person", "administrator", "program")
"""Nobody; alice's like with a session; an administrator with a token; an administrator's program with a key of every scope."""

VISIBILITIES = (Visibility.PUBLIC, Visibility.PRIVATE)

Known = Mapping[str, Sequence[Any]]
"""Values that mean something here, by the names that parameters and fields have."""


class Peopled:
    """The house, people in it who own things, and credentials that are good for one request: the request may end them."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def headers(self, way: str, whose: Mapping[str, Person]) -> dict[str, str]:
        """Fresh credentials of that way to ask."""
        if way == "visitor":
            return {}
        asked = await self.house.store.people.get(whose[way].id)
        assert asked is not None
        if way == "person":
            return {"Cookie": await self.house.session(asked)} | OUR_PAGE
        if way == "administrator":
            return self.house.bearer(asked)
        _, secret = await self.house.studio.keys.create(asked, "tried", list(Scope))
        await self._only_key(asked)
        return {"Authorization": f"Bearer {secret}"}

    async def _only_key(self, whose: Person) -> None:
        """People may have so many keys; those of earlier requests are not needed any more."""
        for key in (await self.house.studio.keys.list(whose))[2:]:
            await self.house.studio.keys.revoke(whose, key.id)

    async def people(self) -> dict[str, Person]:
        """Someone new for each way: what one operation does to them is nothing to the next."""
        made = {way: self._person(way, Role.USER if way == "person" else Role.ADMIN) for way in WAYS[1:]}
        for one in made.values():
            await self.house.store.people.add(one, grant(one, 100_000))
        return made

    @staticmethod
    def _person(way: str, role: Role) -> Person:
        return person(f"{way}-{ids.new('usr')[-12:]}", role, password_hash=HASH)

    async def known(self, whose: Mapping[str, Person]) -> Known:
        """Everything anew, of the person's and for them."""
        owner, seller = whose["person"], whose["program"]
        accounts, names = self.house.studio.accounts, [one.name for one in whose.values()]
        items = await self._items(owner, seller)
        held = [items[0], items[4]]
        collections = [await self._collection(one, each, held) for one in (owner, seller) for each in VISIBILITIES]
        links = [await self._link(owner, target) for target in (items[1], items[2], collections[0])]
        await self.house.studio.liking.like(owner, Viewer(person_id=owner.id), items[4])
        key, _ = await self.house.studio.keys.create(owner, "a key", [Scope.READ])
        invite, secret = await self.house.studio.invites.create(whose["administrator"], 5, 7, 0, "for a friend")
        session = (await self.house.session(owner)).partition("=")[2]
        unlock, _ = await self.house.store.unlocks.buy(
            wish(owner, await self.house.published(seller, unlock_price=5)), 20, self.house.clock.now()
        )
        # Last: whoever publishes takes what is in the queue.
        jobs = [await journey.at(self.house.store, owner, state) for state in (State.OUTCOME_UNKNOWN, State.QUEUED)]
        sign_in = await accounts.sign_in_secret(owner)
        reset = await self.house.studio.resets.link_as_operator(owner)
        return {
            "media_id": items, "ids": [items, items[:1], items[1:2]], "source_media": items, "media": items,
            "generation_id": [job.id for job in jobs], "key_id": [key.id], "invite_id": [invite.id],
            "session_id": [one.id for one in await self.house.studio.sessions.list(owner)], "unlock_id": [unlock.id],
            "secret": [sign_in, reset, session], "invite": [secret, None], "name": [*names, "somebody-new"],
            "password": [PASSWORD], "old": [PASSWORD], "new": [PASSWORD + "!"], "price": [5, 0], "version": [1, None],
            "model": ["local/dream", "local/still"], "parameters": [{}], "category_selections": [{}], "results": [1],
            "provider_job": ["p-1", None], "If-Match": ['"1"', "*"], "limit": [1, 100], "amount": [5],
            "after": ["2026-11-22", *held], "before": ["2026-11-22", *held], "longer": ["2"], "shorter": ["1m"],
            "collection_id": collections, "link_id": links, "item": held, "cover": [*held, ""], "owner": names,
            "email": ["somebody@mailbox.example", None], "name_or_email": names, "title": ["A title"],
        }  # fmt: skip

    async def _items(self, owner: Person, seller: Person) -> list[str]:
        made = [
            await self.house.published(owner),
            await self.house.published(owner, Visibility.PRIVATE),
            await self.house.published(owner, unlock_price=5, blurred=80),
            await self.house.published(owner, trashed_at=self.house.clock.now()),
            await self.house.published(seller, unlock_price=5, blurred=80),
            await self.house.published(seller, hidden=True),
        ]
        return [item.id for item in made]

    async def _collection(self, owner: Person, visibility: Visibility, held: Sequence[str]) -> str:
        collections = self.house.studio.collections
        made = await collections.create(owner, "A collection", "What it is.", visibility)
        await collections.add(Viewer(person_id=owner.id), made.id, held)
        return made.id

    async def _link(self, owner: Person, target: str) -> str:
        link, _ = await self.house.studio.sharing.create(owner, target, Wish(hours=24))
        return link.id
