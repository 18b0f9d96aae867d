"""What a provider signs its calls with: asked for once and kept, however many strangers call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from mutoscope.domain.ids import MINUTE, SECOND, Clock, Millis
from mutoscope.outgoing import Limits

T = TypeVar("T")

KEPT_MS: Millis = 5 * MINUTE
"""What is younger is not asked for again, however many signatures do not fit."""
PAUSE_MS: Millis = 10 * SECOND
"""After it was asked for in vain."""
SIGNING = Limits(first_byte_s=10, whole_s=15)
"""Whoever calls does not wait longer than some seconds."""


class CannotSay(Exception):
    """That whether a call is the provider's cannot be told now, and why."""


class Kept(Generic[T]):
    """A secret or some keys. One asks for all that wait; what is older than ``longest_ms`` counts no more."""

    def __init__(self, ask: Callable[[], Awaitable[T]], clock: Clock, longest_ms: Millis | None = None) -> None:
        self._ask, self._clock, self._longest_ms = ask, clock, longest_ms
        self._lock = asyncio.Lock()
        self._known: tuple[T, Millis] | None = None
        self._tried_at: Millis | None = None

    async def fits(self, is_right: Callable[[T], bool]) -> bool:
        """Whether a signature is right by it, or by what it has become since. Raises CannotSay, and what asking raises."""
        kept = await self._no_older(self._longest_ms)
        if is_right(kept):
            return True
        newer = await self._no_older(KEPT_MS)
        return newer is not kept and is_right(newer)

    async def _no_older(self, than_ms: Millis | None) -> T:
        async with self._lock:
            now = self._clock.now()
            if self._known is not None and (than_ms is None or now - self._known[1] < than_ms):
                return self._known[0]
            if self._tried_at is not None and now - self._tried_at < PAUSE_MS:
                raise CannotSay("what calls are signed with was asked for in vain just now")
            self._tried_at = now
            found = await self._ask()
            self._known, self._tried_at = (found, now), None
            return found
