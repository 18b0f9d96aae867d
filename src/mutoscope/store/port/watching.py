"""What happened, and how much of it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from mutoscope.domain.events import Event
from mutoscope.domain.generation import State
from mutoscope.domain.ids import Millis


class Events(Protocol):
    """The stream of what happened."""

    async def head(self) -> str:
        """The cursor of now."""
        ...

    async def after(self, cursor: str, audiences: Sequence[str], limit: int) -> tuple[Sequence[Event], str] | None:
        """Events after a cursor for any of the audiences, oldest first, with the cursor to go on from.

        None when the cursor is unknown or older than what is kept: the client has to read everything again.
        """
        ...

    async def wait(self, cursor: str, timeout_s: float) -> None:
        """Return when there may be something after the cursor, or after the timeout."""
        ...

    async def prune(self, before: Millis) -> None:
        """Forget events older than that."""
        ...


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counts for the operator."""

    generations: Mapping[State, int]
    items: int
    stored_bytes: int
    people: int


class Stats(Protocol):
    """Figures."""

    async def totals(self) -> Totals:
        """Counts over everything."""
        ...

    async def typical_ms(self, model: str) -> Millis | None:
        """The median time from submit to finish of the last 20 successes of a model; None below three."""
        ...
