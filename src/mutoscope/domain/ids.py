"""Identifiers and the two things that tests must be able to decide: the time and the dice.

An id is a three-letter kind and 26 characters of Crockford's base 32: 48 bits of milliseconds and 80 random bits
(the ULID layout, https://github.com/ulid/spec), so that ids sort by creation and cannot be guessed.
"""

import re
import secrets
import time
from collections.abc import Callable
from typing import Literal, Protocol

Kind = Literal["gen", "med", "usr", "ses", "lnk", "key", "inv", "unl", "shr", "col"]
"""Generation, media, person (user), session, one-time link, API key, invitation, unlock, share link, collection."""

Millis = int
"""A moment: whole milliseconds since 1970-01-01 UTC."""

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ULID = "[0-7][0-9a-hjkmnp-tv-z]{25}"
PATTERN = re.compile(rf"(gen|med|usr|ses|lnk|key|inv|unl|shr|col)_{ULID}")

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Millis:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Millis:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


class Ids:
    """Makes identifiers from a clock and a source of random bits."""

    def __init__(self, clock: Clock, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random_bits = random_bits

    def new(self, kind: Kind) -> str:
        """A fresh id such as ``med_01k9...``."""
        value = (self._clock.now() & (1 << 48) - 1) << 80 | self._random_bits(80)
        return kind + "_" + "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def is_id(text: str, kind: Kind) -> bool:
    """Whether ``text`` has the form of an id of that kind (it may still name nothing)."""
    return text.startswith(kind + "_") and PATTERN.fullmatch(text) is not None
