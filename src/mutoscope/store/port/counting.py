"""Who looked at what today, and what people like."""

from collections.abc import Sequence
from typing import Protocol

from mutoscope.domain.counting import Day, Look
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.store.port.basics import Page


class ViewsStore(Protocol):
    """Views: each viewer of an item once a day, whichever process hears of it. Viewers and secrets are in no backup."""

    async def secret(self, day: Day, fresh: str) -> str:
        """The secret of a day: the one that is kept, or ``fresh``, which is then kept. One for all processes."""
        ...

    async def add(self, day: Day, looks: Sequence[Look], most: int) -> int:
        """Keep who is new, and count them on their items, in one commit; returns how many were counted. No events, as
        nothing but a number changes.

        Not counted: who was kept for that day before, looks at items that are not there, those beyond ``most`` viewers
        of that day, and all of a day that has no secret (any more).
        """
        ...

    async def prune(self, before: Day) -> None:
        """Forget the secrets and then the viewers of the days before."""
        ...


class LikesStore(Protocol):
    """Likes: one for each person and item."""

    async def add(self, person_id: str, media_id: str, now: Millis) -> Media:
        """Keep it and count it on the item, in one commit; one that is there stays as it is. Returns the item.

        Raises NotFound.
        """
        ...

    async def remove(self, person_id: str, media_id: str, now: Millis) -> Media:
        """Take it away and count it off, in one commit; where there is none nothing changes. Raises NotFound."""
        ...

    async def liked(self, person_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        """Which of the items the person likes."""
        ...

    async def list(self, person_id: str, cursor: str | None, limit: int) -> Page[Media]:
        """What a person likes, the newest like first, whatever became of the items. Raises Invalid for a cursor that is
        not ours.
        """
        ...
