"""Looking at items, changing one's own, and the trash."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec
from msgspec import structs

from mutoscope.domain import search
from mutoscope.domain.errors import Conflict, Forbidden, Invalid, NotFound, SignInNeeded
from mutoscope.domain.ids import Clock, is_id
from mutoscope.domain.media import (
    BLUR_INTENSITY_MAX,
    DESCRIPTION_CHARS,
    TITLE_CHARS,
    UNLOCK_PRICE_MAX,
    Media,
    StoredFile,
    Variant,
    Visibility,
    slug,
)
from mutoscope.domain.rights import Viewer, authorize, may_change
from mutoscope.domain.search import Query
from mutoscope.domain.text import is_blank, wrong_in_line, wrong_in_text
from mutoscope.services.policy import Policy
from mutoscope.store.port import Page, Store

TAGS_MAX = 30
EDIT_TRIES = 5

Scope = Literal["gallery", "library", "trash"]


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an owner may change of an item; what is None stays."""

    title: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    category: str | None = None
    visibility: Visibility | None = None
    unlock_price: int | None = None
    is_blurred: bool | None = None
    blur_intensity: int | None = None


class Gallery:
    """The verbs."""

    def __init__(self, store: Store, clock: Clock, policy: Policy) -> None:
        self._store, self._clock, self._policy = store, clock, policy
        self._names: dict[str, str] = {}

    async def search(self, viewer: Viewer, scope: Scope, query: Query, cursor: str | None, limit: int) -> Page[Media]:
        """A page of the public gallery, or of one's own library or trash."""
        if scope == "gallery":
            self._check_open(viewer)
            # In the gallery everyone searches the open words alone, so that what is found is the same for all.
            return await self._store.media.search(search.GALLERY, query, viewer.is_admin, cursor, limit)
        if viewer.person_id is None:
            raise SignInNeeded("Sign in to see what is yours.")
        own = search.library(viewer.person_id) if scope == "library" else search.trash(viewer.person_id)
        return await self._store.media.search(own, query, True, cursor, limit)

    async def get(self, viewer: Viewer, id: str) -> Media:
        """One item. Raises NotFound unless the viewer may know of it."""
        item = self._known(viewer, await self._find(id))
        authorize(await self.knowing(viewer, [item]), item, None)
        return item

    async def knowing(self, viewer: Viewer, items: Sequence[Media]) -> Viewer:
        """The viewer, with what they have unlocked of these items: to be asked before any question of rights."""
        if viewer.person_id is None or viewer.is_admin:
            return viewer
        closed = [
            item.id for item in items
            if (item.locked or item.visibility is Visibility.PRIVATE) and item.owner_id != viewer.person_id
        ]  # fmt: skip
        if not closed:
            return viewer
        return structs.replace(viewer, unlocked=await self._store.unlocks.bought(viewer.person_id, closed))

    async def file(
        self, viewer: Viewer, id: str, variant: Variant, admit: Callable[[Viewer, Media], Awaitable[Viewer]]
    ) -> tuple[Viewer, Media, StoredFile]:
        """One file of an item. ``admit``: gives the viewer with what the address that they came by opens of the item as it is.

        Returns the viewer with what that address opens and what they have unlocked. Raises NotFound unless the viewer may have the file.
        """
        item = await self._find(id)
        if item is not None:
            viewer = await admit(viewer, item)
        item = self._known(viewer, item)
        viewer = await self.knowing(viewer, [item])
        authorize(viewer, item, variant)
        stored = item.files.get(variant)
        if stored is None:
            raise NotFound(f"This item has no {variant}.")
        return viewer, item, stored

    async def viewed(self, viewer: Viewer, item: Media) -> None:
        """Count a look at an item by someone else than its owner."""
        if viewer.person_id != item.owner_id:
            await self._store.media.count_view(item.id)

    async def change(self, viewer: Viewer, id: str, changes: Changes, version: int | None = None) -> Media:
        """Edit an item. Raises NotFound, Forbidden, Invalid, Conflict when it is not at ``version`` any more."""

        def edit(item: Media) -> Media:
            if item.trashed_at is not None:
                raise Conflict("This item is in the trash. Restore it first.")
            if version is not None and version != item.version:
                raise Conflict("This item was changed meanwhile. Load it again.", version=item.version)
            return _changed(item, changes)

        return await self._edit(viewer, id, edit)

    async def discard(self, viewer: Viewer, id: str) -> Media:
        """Put an item in the trash; what is there already stays."""
        now = self._clock.now()
        return await self._edit(
            viewer, id, lambda item: item if item.trashed_at is not None else structs.replace(item, trashed_at=now)
        )

    async def restore(self, viewer: Viewer, id: str) -> Media:
        """Take an item out of the trash."""
        return await self._edit(viewer, id, lambda item: structs.replace(item, trashed_at=None))

    async def name_of(self, person_id: str) -> str:
        """The name of an uploader; names do not change."""
        if person_id not in self._names:
            person = await self._store.people.get(person_id)
            if person is None:
                return "someone"
            if len(self._names) > 10_000:
                self._names.clear()
            self._names[person_id] = person.name
        return self._names[person_id]

    def _check_open(self, viewer: Viewer) -> None:
        if viewer.person_id is None and not self._policy.gallery_open:
            raise SignInNeeded("The gallery of this studio is for those who have signed in.")

    async def _find(self, id: str) -> Media | None:
        return await self._store.media.get(id) if is_id(id, "med") else None

    def _known(self, viewer: Viewer, item: Media | None) -> Media:
        if viewer.signed is None and (item is None or item.visibility is not Visibility.UNLISTED):
            # Also where there is nothing: a closed gallery does not tell a stranger what exists.
            self._check_open(viewer)
        if item is None:
            raise NotFound("There is no such item, or it is not open to you.")
        return item

    async def _edit(self, viewer: Viewer, id: str, edit: Callable[[Media], Media]) -> Media:
        """Apply an edit to the newest version, again when another write (the previews' own, say) came between."""
        for _ in range(EDIT_TRIES):
            item = await self.get(viewer, id)
            if not may_change(viewer, item):
                raise Forbidden("Only its owner changes an item.")
            edited = edit(item)
            if edited == item:
                return item
            try:
                return await self._store.media.change(edited, item.version, self._clock.now())
            except Conflict:
                continue
        raise Conflict("This item is being changed by others. Load it again.")


def _changed(item: Media, changes: Changes) -> Media:
    title, description, tags = changes.title, changes.description, changes.tags
    slugs = tuple(dict.fromkeys(s for tag in tags if (s := slug(tag)))) if tags is not None else item.tags
    if wrong := _wrong(changes, slugs):
        raise Invalid("The item cannot be changed like this.", wrong)
    new = {"title": changes.title, "description": changes.description, "tags": slugs if tags is not None else None}
    # What comes back as it was is not the owner's own: words of the prompt stay withheld with it.
    written = {name for name, text in new.items() if text is not None and text != getattr(item, name)}
    return structs.replace(
        item,
        title=item.title if title is None else title.strip(),
        description=item.description if description is None else "" if is_blank(description) else description.strip(),
        tags=slugs,
        category=item.category if changes.category is None else slug(changes.category),
        visibility=changes.visibility or item.visibility,
        unlock_price=item.unlock_price if changes.unlock_price is None else changes.unlock_price,
        is_blurred=item.is_blurred if changes.is_blurred is None else changes.is_blurred,
        blur_intensity=item.blur_intensity if changes.blur_intensity is None else changes.blur_intensity,
        prompt_words=item.prompt_words - written,
    )


def _wrong(changes: Changes, slugs: tuple[str, ...]) -> dict[str, str]:
    title, description, tags, category = changes.title, changes.description, changes.tags, changes.category
    wrong: dict[str, str | None] = {}
    if title is not None:
        fits = not is_blank(title) and len(title.strip()) <= TITLE_CHARS
        wrong["title"] = wrong_in_line(title.strip()) if fits else f"1 to {TITLE_CHARS} characters"
    if description is not None:
        fits = len(description) <= DESCRIPTION_CHARS
        wrong["description"] = wrong_in_text(description) if fits else f"at most {DESCRIPTION_CHARS} characters"
    if tags is not None:
        odd = next(filter(None, map(wrong_in_line, tags)), None)
        wrong["tags"] = odd if len(slugs) <= TAGS_MAX else f"at most {TAGS_MAX}"
    if category is not None:
        wrong["category"] = wrong_in_line(category) if slug(category) else "one word or more"
    for name, most in (("unlock_price", UNLOCK_PRICE_MAX), ("blur_intensity", BLUR_INTENSITY_MAX)):
        number = getattr(changes, name)
        wrong[name] = None if number is None or 0 <= number <= most else f"from 0 to {most:,}"
    return {name: text for name, text in wrong.items() if text}
