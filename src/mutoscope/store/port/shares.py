"""Links with which people show what is theirs."""

from collections.abc import Sequence
from typing import Protocol

from mutoscope.domain.ids import Millis
from mutoscope.domain.sharing import ShareLink
from mutoscope.store.port.basics import Page


class SharesStore(Protocol):
    """Share links."""

    async def add(self, link: ShareLink, limit: int) -> None:
        """Keep a link. Where there are ``limit`` to its target, those that have ended at its making are forgotten first.

        Raises Conflict when as many stand, or its owner is not there any more.
        """
        ...

    async def of_secret(self, secret_hash: str, now: Millis) -> ShareLink | None:
        """The link, unless it expired, was revoked, or its owner is suspended."""
        ...

    async def get(self, id: str, now: Millis) -> ShareLink | None:
        """The same by its id."""
        ...

    async def of_target(self, target: str) -> Sequence[ShareLink]:
        """The links to one thing, also those that have ended; newest first."""
        ...

    async def of_owner(self, owner_id: str, cursor: str | None, limit: int) -> Page[ShareLink]:
        """The links to all that is somebody's, also those that have ended; newest first.

        Raises Invalid for a cursor that is not ours.
        """
        ...

    async def use(self, id: str, now: Millis) -> None:
        """Note when it was used last; an earlier moment than is noted, and an unknown link, are ignored."""
        ...

    async def revoke(self, id: str, owner_id: str | None, now: Millis) -> bool:
        """End a link, of that owner or of anybody (None); one that was revoked keeps its moment. False when there is none."""
        ...
