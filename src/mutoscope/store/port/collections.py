"""Collections, and which items they hold in which order."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mutoscope.domain.collections import Collection, Held, Step
from mutoscope.domain.ids import Millis


class CollectionsStore(Protocol):
    """Collections. An item that is deleted for good is in none of them any more."""

    async def add(self, collection: Collection, limit: int) -> None:
        """Keep a new one. Raises Conflict when its owner has ``limit`` of them, or is not there any more."""
        ...

    async def get(self, id: str) -> Collection | None:
        """The collection."""
        ...

    async def of_person(self, owner_id: str) -> Sequence[Collection]:
        """All of a person's, by id."""
        ...

    async def held(self, ids: Sequence[str]) -> Mapping[str, Sequence[Held]]:
        """The items of each of these collections, in order. One that is not there holds nothing."""
        ...

    async def holds(self, id: str, media_id: str) -> bool:
        """Whether the item stands in that collection."""
        ...

    async def change(self, collection: Collection, expected_version: int, now: Millis) -> Collection:
        """Replace words, visibility and cover if its version is still the expected one. Raises Conflict."""
        ...

    async def rearrange(self, id: str, step: Step, expected_version: int | None, now: Millis) -> Collection:
        """Take items in or out, or put them in another order, in one commit; with an ``expected_version``, only if it is at that
        one. A cover that leaves is no cover any more. What changes nothing leaves the collection at its version.

        Raises NotFound when there is no such collection, and what `collections.rearranged` and `check_version` raise.
        """
        ...

    async def delete(self, id: str, expected_version: int | None, now: Millis) -> bool:
        """Take the collection away; its items stay what they are. False when there is none. Raises Conflict."""
        ...
