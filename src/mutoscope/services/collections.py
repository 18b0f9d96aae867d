"""Collections: making and filling them, putting them in order, and showing each viewer what they may see of one."""

from collections.abc import Sequence

import msgspec
from msgspec import structs

from mutoscope.domain.collections import (
    COLLECTIONS_OF_ONE,
    ITEMS_OF_ONE,
    Add,
    Arrange,
    Collection,
    Move,
    Remove,
    Step,
    check_version,
    check_words,
    may_change,
    may_know,
    shows,
)
from mutoscope.domain.errors import Conflict, Forbidden, Invalid, NotFound, SignInNeeded
from mutoscope.domain.ids import Clock, Ids, is_id
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.people import Person
from mutoscope.domain.rights import STRANGER, Viewer
from mutoscope.services.gallery import EDIT_TRIES, Gallery
from mutoscope.services.looking import Glance, Looks, Shown
from mutoscope.services.policy import Policy
from mutoscope.services.sorting import BY_HAND, Sorting, page_of, sorted_collections
from mutoscope.store.port import Page, Store

NAMED = 5
"""How many ids a refusal names."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a collection; what is None stays. ``cover``: an item's id, or nothing for the first one."""

    title: str | None = None
    description: str | None = None
    visibility: Visibility | None = None
    cover: str | None = None


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """A collection as its owner shows it to whoever has a link."""

    glance: Glance
    items: Page[Media]


class Collections:
    """The verbs."""

    def __init__(self, store: Store, gallery: Gallery, ids: Ids, clock: Clock, policy: Policy) -> None:
        self._store, self._ids, self._clock, self._policy = store, ids, clock, policy
        self._looks = Looks(store, gallery)

    async def create(
        self, person: Person, title: str, description: str = "", visibility: Visibility = Visibility.PRIVATE
    ) -> Collection:
        """A new collection, empty. Raises Invalid, Conflict when the person has enough of them."""
        (title, description), now = check_words(title, description), self._clock.now()
        made = Collection(
            id=self._ids.new("col"),
            owner_id=person.id,
            title=title,
            description=description,
            visibility=visibility,
            created_at=now,
            updated_at=now,
        )
        await self._store.collections.add(made, COLLECTIONS_OF_ONE)
        return made

    async def get(self, viewer: Viewer, id: str) -> Collection:
        """One collection. Raises NotFound unless the viewer may know of it, SignInNeeded where the gallery is closed."""
        found = await self._store.collections.get(id) if is_id(id, "col") else None
        if found is None or found.visibility is not Visibility.UNLISTED:
            # Also where there is nothing: a closed gallery does not tell a stranger what exists.
            self._check_open(viewer)
        if found is None or not may_know(viewer, found):
            raise NotFound("There is no such collection, or it is not open to you.")
        return found

    async def mine(self, person: Person, sorting: Sorting, cursor: str | None, limit: int) -> Page[Collection]:
        """A page of one's own. Raises Invalid for a cursor that is none of ours or of another sort."""
        found = await self._store.collections.of_person(person.id)
        return page_of(sorted_collections(found, sorting), sorting, cursor, limit)[1]

    async def of(
        self, viewer: Viewer, owner: str, sorting: Sorting, cursor: str | None, limit: int
    ) -> Page[Collection]:
        """A page of the public ones of the person of that name; nothing where there is nobody of that name.

        Raises Invalid, also for the sort by when they were changed: what changed may be nothing that others may know of.
        """
        self._check_open(viewer)
        if sorting.by == "updated":
            raise Invalid("Those of other people are sorted by when they were made, or by title.", {"sort": "not here"})
        person = await self._store.people.by_name(owner)
        all_ = await self._store.collections.of_person(person.id) if person else ()
        public = [one for one in all_ if one.visibility is Visibility.PUBLIC]
        return page_of(sorted_collections(public, sorting), sorting, cursor, limit)[1]

    async def glances(self, viewer: Viewer, collections: Sequence[Collection]) -> list[Glance]:
        """Each as the viewer, who may know of it, sees it: the cover is the one that was chosen, or else the first that is shown."""
        return await self._looks.glances(viewer, collections)

    async def items(
        self, viewer: Viewer, id: str, sorting: Sorting = BY_HAND, cursor: str | None = None, limit: int = 50
    ) -> Shown:
        """A page of the items that the viewer is shown of a collection. Raises NotFound, SignInNeeded, Invalid."""
        return await self._looks.items(viewer, await self.get(viewer, id), sorting, cursor, limit)

    async def shared(
        self,
        id: str,
        sorting: Sorting = BY_HAND,
        cursor: str | None = None,
        limit: int = 50,
        viewer: Viewer = STRANGER,
    ) -> Shared:
        """A collection and a page of its items, *as a stranger sees them with its owner's permission*: for whoever holds a link
        that the owner made, which the caller has found to be good. The collection itself may be private.

        Shown are the items that the owner of the collection owns, private and unlisted ones too, and of other people's the
        public ones. Never shown or counted, and never the cover: what is in the trash, what an administrator hid, and what
        other people keep private or unlisted. For a ``viewer`` who signed in, what is theirs or what they unlocked is
        shown as well.

        What comes back are records, not yet what the holder may read: a locked item among them stays locked. Turn them into
        answers with `web.render.render_items`, by the viewer who holds the link, so that `services.views` withholds what belongs
        to the lock; of a locked item that viewer is given the addresses of blurred files alone (`services.sharing`).

        Raises NotFound when the collection is gone, Invalid for a cursor that is not of this list.
        """
        found = await self._store.collections.get(id) if is_id(id, "col") else None
        if found is None:
            raise NotFound("There is no such collection, or it is not open to you.")
        [glance] = await self._looks.glances(viewer, [found], lent=True)
        shown = await self._looks.items(viewer, found, sorting, cursor, limit, lent=True)
        return Shared(glance=glance, items=shown.items)

    async def change(self, viewer: Viewer, id: str, changes: Revision, version: int | None = None) -> Collection:
        """Rename, describe, open or close it, choose its cover. Raises NotFound, Forbidden, Invalid, Conflict when it is not at
        ``version`` any more.
        """
        for _ in range(EDIT_TRIES):
            found = await self._own(viewer, id)
            check_version(found, version)
            edited = await self._revised(viewer, found, changes)
            if edited == found:
                return found
            try:
                return await self._store.collections.change(edited, found.version, self._clock.now())
            except Conflict:
                continue
        raise Conflict("This collection is being changed by others. Load it again.")

    async def delete(self, viewer: Viewer, id: str, version: int | None = None) -> None:
        """Delete it for good; its items stay what they are. Raises NotFound, Forbidden, Conflict."""
        await self._own(viewer, id)
        if not await self._store.collections.delete(id, version, self._clock.now()):
            raise NotFound("There is no such collection, or it is not open to you.")

    async def add(self, viewer: Viewer, id: str, media_ids: Sequence[str], version: int | None = None) -> Collection:
        """Take items in at the end, in that order; those that are there already stay where they are. All of them, or none.

        Raises NotFound, Forbidden, Invalid when one is not there or its owner would not be shown it, Conflict.
        """
        collection = await self._own(viewer, id)
        ids = tuple(dict.fromkeys(media_ids))
        if len(ids) > ITEMS_OF_ONE:
            raise Invalid("These are too many items.", {"ids": f"at most {ITEMS_OF_ONE:,}"})
        # By the rights of whose collection it is: an administrator puts nothing into it that the owner could not.
        owner = Viewer(person_id=collection.owner_id)
        found = await self._store.media.all_of([media_id for media_id in ids if is_id(media_id, "med")])
        owner = await self._looks.knowing(owner, found)
        fine = {item.id for item in found if shows(owner, item)}
        if wrong := [media_id[:40] for media_id in ids if media_id not in fine]:
            named = ", ".join(wrong[:NAMED]) + (" ..." if len(wrong) > NAMED else "")
            raise Invalid(
                "One's own items can be collected, and those that are public. Nothing was taken in.",
                {"ids": f"not there, or not to be collected: {named}"},
            )
        return await self._rearrange(id, Add(ids), version)

    async def remove(self, viewer: Viewer, id: str, media_ids: Sequence[str], version: int | None = None) -> Collection:
        """Take items out; those that are not in it are ignored. Raises NotFound, Forbidden, Conflict."""
        await self._own(viewer, id)
        return await self._rearrange(id, Remove(tuple(media_ids)), version)

    async def move(
        self, viewer: Viewer, id: str, media_id: str, beside: str, after: bool, version: int | None = None
    ) -> Collection:
        """Put one item right before another, or right after it. Raises NotFound, Forbidden, Invalid, Conflict."""
        await self._own(viewer, id)
        return await self._rearrange(id, Move(id=media_id, beside=beside, after=after), version)

    async def arrange(
        self, viewer: Viewer, id: str, media_ids: Sequence[str], version: int | None = None
    ) -> Collection:
        """Bring items into that order. One that is not named, as those that cannot be seen just now, stays behind whatever it
        stood behind. Raises NotFound, Forbidden, Invalid, Conflict.
        """
        await self._own(viewer, id)
        return await self._rearrange(id, Arrange(tuple(media_ids)), version)

    async def _rearrange(self, id: str, step: Step, version: int | None) -> Collection:
        return await self._store.collections.rearrange(id, step, version, self._clock.now())

    async def _revised(self, viewer: Viewer, found: Collection, changes: Revision) -> Collection:
        title = found.title if changes.title is None else changes.title
        description = found.description if changes.description is None else changes.description
        title, description = check_words(title, description)
        cover_id = found.cover_id if changes.cover is None else changes.cover or None
        if cover_id not in (None, found.cover_id):
            shown = await self._looks.visible(viewer, [found])
            if cover_id not in {item.id for item in shown[found.id]}:
                raise Invalid("This cannot be the cover.", {"cover": "is not in this collection"})
        visibility = changes.visibility or found.visibility
        return structs.replace(found, title=title, description=description, visibility=visibility, cover_id=cover_id)

    async def _own(self, viewer: Viewer, id: str) -> Collection:
        found = await self.get(viewer, id)
        if not may_change(viewer, found):
            raise Forbidden("Only its owner changes a collection.")
        return found

    def _check_open(self, viewer: Viewer) -> None:
        if viewer.person_id is None and not self._policy.gallery_open:
            raise SignInNeeded("The gallery of this studio is for those who have signed in.")
