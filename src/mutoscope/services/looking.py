"""What a viewer is shown of collections: which items, how many, and which cover; sorted, and in pages.

``lent`` all through: whether the owner of a collection shows it, and with it what they own of it, to whoever has a link.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

from mutoscope.domain.collections import Collection, Held, shows
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.rights import Viewer
from mutoscope.services.gallery import Gallery
from mutoscope.services.sorting import Sorting, page_of, sorted_items
from mutoscope.store.port import Page, Store

ASKED_AT_ONCE = 1_000
"""Of how many items the store is asked at once whether somebody has unlocked them."""


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """A collection as one viewer sees it: how many items they are shown, and the cover among those."""

    collection: Collection
    count: int
    cover: Media | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a collection's items, as one viewer sees them; ``before`` and ``after``: what stands around the page."""

    items: Page[Media]
    before: str | None
    after: str | None


class Looks:
    """The looks at them."""

    def __init__(self, store: Store, gallery: Gallery) -> None:
        self._store, self._gallery = store, gallery

    async def glances(self, viewer: Viewer, collections: Sequence[Collection], lent: bool = False) -> list[Glance]:
        """Each as the viewer, who may know of it, sees it: the cover is the one that was chosen, or else the first that is shown."""
        shown = await self.visible(viewer, collections, lent)
        chosen = {one.id: _cover(one, shown[one.id]) for one in collections}
        found = await self._store.media.all_of([id for id in chosen.values() if id])
        viewer = await self.knowing(viewer, found)
        covers = {item.id: item for item in found}
        return [
            Glance(
                collection=one,
                count=len(shown[one.id]),
                cover=cover if cover and _sees(viewer, one, cover, lent) else None,
            )
            for one in collections
            for cover in (covers.get(chosen[one.id] or ""),)
        ]

    async def items(
        self, viewer: Viewer, of: Collection, sorting: Sorting, cursor: str | None, limit: int, lent: bool = False
    ) -> Shown:
        """A page of the items that the viewer is shown of a collection. Raises Invalid for a cursor that is not of this list."""
        visible = (await self.visible(viewer, [of], lent))[of.id]
        if sorting.by == "order":
            rows = visible[::-1] if sorting.down else visible
            start, page = page_of(rows, sorting, cursor, limit)
            order, records = [item.id for item in rows], await self._records(viewer, of, page.items, lent)
        else:
            found = await self._records(viewer, of, visible, lent)
            records = sorted_items(found, sorting, await self._gallery.knowing(viewer, found))
            start, page = page_of(records, sorting, cursor, limit)
            records, order = page.items, [item.id for item in records]
        end = start + len(page.items)
        return Shown(
            items=Page(items=records, next=page.next),
            before=order[start - 1] if start else None,
            after=order[end] if end < len(order) else None,
        )

    async def _records(
        self, viewer: Viewer, of: Collection, items: Sequence[Held | Media], lent: bool
    ) -> Sequence[Media]:
        """The whole records. What decides is asked again of them: it may have changed since the first look."""
        found = await self._store.media.all_of([item.id for item in items])
        viewer = await self.knowing(viewer, found)
        return [item for item in found if _sees(viewer, of, item, lent)]

    async def visible(
        self, viewer: Viewer, collections: Sequence[Collection], lent: bool = False
    ) -> Mapping[str, Sequence[Held]]:
        """What the viewer is shown of each, in the order that was made by hand."""
        held = await self._store.collections.held([one.id for one in collections])
        viewer = await self.knowing(viewer, [item for items in held.values() for item in items])
        return {one.id: [item for item in held[one.id] if _sees(viewer, one, item, lent)] for one in collections}

    async def knowing(self, viewer: Viewer, items: Sequence[Held | Media]) -> Viewer:
        """The viewer, with what they have unlocked of those items that are not open to everyone."""
        if viewer.person_id is None or viewer.is_admin:
            return viewer
        closed = list({
            item.id for item in items
            if item.visibility is not Visibility.PUBLIC and item.owner_id != viewer.person_id
            and not item.hidden and item.trashed_at is None
        })  # fmt: skip
        unlocked = viewer.unlocked
        for start in range(0, len(closed), ASKED_AT_ONCE):
            unlocked |= await self._store.unlocks.bought(viewer.person_id, closed[start : start + ASKED_AT_ONCE])
        return structs.replace(viewer, unlocked=unlocked)


def _sees(viewer: Viewer, of: Collection, item: Held | Media, lent: bool) -> bool:
    return shows(viewer, item, of.owner_id if lent else None)


def _cover(of: Collection, shown: Sequence[Held]) -> str | None:
    """The id of the cover for somebody who is shown these."""
    ids = [item.id for item in shown]
    return of.cover_id if of.cover_id in ids else next(iter(ids), None)
