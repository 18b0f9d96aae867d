"""Items."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media, StoredFile, Variant
from mutoscope.domain.search import Query
from mutoscope.store.port.basics import Page


class Blur(msgspec.Struct, frozen=True, kw_only=True):
    """A locked item whose blurred files are to be made, taken under a lease."""

    item: Media
    fence: int
    attempts: int


class MediaStore(Protocol):
    """Items."""

    async def get(self, id: str) -> Media | None:
        """The item, also from the trash."""
        ...

    async def of_generation(self, generation_id: str) -> Sequence[Media]:
        """The items that came of a job, in order."""
        ...

    async def all_of(self, ids: Sequence[str]) -> Sequence[Media]:
        """Those of the items that there are, in that order, also from the trash."""
        ...

    async def search(self, scope: str, query: Query, withheld_too: bool, cursor: str | None, limit: int) -> Page[Media]:
        """Items that have the term ``scope`` and fit the query. Without ``withheld_too`` only open terms count.

        Raises Invalid for a cursor that is not one of ours or belongs to another sort.
        """
        ...

    async def change(self, item: Media, expected_version: int, now: Millis) -> Media:
        """Replace an item's record and its search terms if its version is still the expected one. Raises Conflict."""
        ...

    async def claim_previews(self, worker: str, now: Millis, lease_until: Millis) -> Media | None:
        """Take one item whose previews are PENDING, due and not under a lease."""
        ...

    async def renew_previews(self, id: str, fence: int, lease_until: Millis) -> None:
        """Prolong a lease that is held. Raises StaleFence, also when it was given up."""
        ...

    async def finish_previews(
        self, id: str, fence: int, now: Millis, files: Mapping[Variant, StoredFile], failed: bool = False
    ) -> Media:
        """Add the files, previews DONE (or FAILED). Raises StaleFence."""
        ...

    async def postpone_previews(self, id: str, fence: int, due_at: Millis) -> None:
        """Try again at ``due_at``; counts an attempt. Raises StaleFence."""
        ...

    async def claim_blur(self, now: Millis, lease_until: Millis) -> Blur | None:
        """Take one item that needs blurred files, due and not under a lease.

        An item is due in the commit that locks it, gives it another intensity, or adds a preview to a locked one.
        """
        ...

    async def finish_blur(
        self, id: str, fence: int, intensity: int, now: Millis, files: Mapping[Variant, StoredFile]
    ) -> Media:
        """Add the files, made at that intensity; without any, give it up until something changes. Raises StaleFence,
        also when the item has another intensity by now or is not locked any more.
        """
        ...

    async def postpone_blur(self, id: str, fence: int, due_at: Millis) -> None:
        """Try again at ``due_at``; counts an attempt. Raises StaleFence."""
        ...

    async def count_view(self, id: str) -> None:
        """One view more."""
        ...
