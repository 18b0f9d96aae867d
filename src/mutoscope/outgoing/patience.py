"""How long we wait, and how often we ask again."""

import asyncio
import random
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

import msgspec

from mutoscope.domain.ids import Millis, SystemClock

LONGEST_WAIT_MS: Millis = 3_600_000
"""A Retry-After beyond an hour is taken for an hour."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one request: seconds, and bytes of the answer's body after decompression.

    ``silence_s`` is the longest wait for the next bytes in either direction, ``first_byte_s`` that for the answer's
    beginning once the request is out, ``whole_s`` the time for everything.
    """

    connect_s: float = 10
    first_byte_s: float = 60
    silence_s: float = 60
    whole_s: float = 120
    body_bytes: int = 1024 * 1024


STREAMING = Limits(whole_s=3_600, body_bytes=1024**4)
"""For results: who fetches them knows how large one may be, and watches how long passes between two chunks."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """How a request that may be repeated is repeated: ``tries`` in all, pauses doubling from ``base_s`` to ``cap_s``.

    Full jitter: each pause is anything from nothing to that. A Retry-After beyond ``cap_s`` is left to the caller.
    """

    tries: int = 3
    base_s: float = 0.5
    cap_s: float = 8

    def pause_s(self, tried: int, chance: float) -> float:
        """The pause after ``tried`` tries; ``chance`` is from 0 to 1."""
        return min(self.base_s * 2 ** (tried - 1), self.cap_s) * chance


class Time(Protocol):
    """Time and dice, for tests to decide."""

    def now(self) -> Millis:
        """Milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def chance(self) -> float:
        """Anything from 0 to 1."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemTime(SystemClock):
    """The machine's."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def chance(self) -> float:
        """Anything from 0 to 1."""
        return random.random()  # noqa: S311  # spreads requests, hides nothing

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def retry_after_ms(headers: Mapping[str, str], now: Millis) -> Millis | None:
    """What Retry-After asks for, in seconds or as a date; none when it is missing or makes no sense."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(int(said[:9]) * 1000, LONGEST_WAIT_MS)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(int(at.timestamp() * 1000) - now, 0), LONGEST_WAIT_MS)
