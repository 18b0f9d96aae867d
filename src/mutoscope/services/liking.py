"""Likes: one for each person and item, of what they may see."""

from collections.abc import Sequence

from mutoscope.domain.ids import Clock
from mutoscope.domain.media import Media
from mutoscope.domain.people import Person
from mutoscope.domain.rights import Viewer, allowed
from mutoscope.services.gallery import Gallery
from mutoscope.store.port import Page, Store

LOOKS = 10
"""How often a page that is not full, since much of it is gone, is gone on with."""


class Liking:
    """The verbs. ``viewer`` is the person, with the rights that they came with."""

    def __init__(self, store: Store, gallery: Gallery, clock: Clock) -> None:
        self._store, self._gallery, self._clock = store, gallery, clock

    async def like(self, person: Person, viewer: Viewer, id: str) -> Media:
        """Like an item; liking it again changes nothing. Raises NotFound unless they may know of it."""
        item = await self._gallery.get(viewer, id)
        return await self._store.likes.add(person.id, item.id, self._clock.now())

    async def unlike(self, person: Person, viewer: Viewer, id: str) -> Media:
        """Take a like back; where there is none nothing changes. Raises NotFound unless they may know of it."""
        item = await self._gallery.get(viewer, id)
        return await self._store.likes.remove(person.id, item.id, self._clock.now())

    async def list(self, person: Person, viewer: Viewer, cursor: str | None, limit: int) -> Page[Media]:
        """What they like, the newest like first. What is gone, or not open to them any more, is left out until it is open
        again; so a page may have fewer than ``limit``. Raises Invalid.
        """
        found: list[Media] = []
        for _ in range(LOOKS):
            page = await self._store.likes.list(person.id, cursor, limit - len(found))
            knowing, cursor = await self._gallery.knowing(viewer, page.items), page.next
            found += [item for item in page.items if item.trashed_at is None and allowed(knowing, item, None)]
            if cursor is None or len(found) == limit:
                break
        return Page(items=found, next=cursor)

    async def of(self, viewer: Viewer, items: Sequence[Media]) -> frozenset[str]:
        """Which of these the viewer likes."""
        if viewer.person_id is None or not items:
            return frozenset()
        return await self._store.likes.liked(viewer.person_id, [item.id for item in items])
