"""How often something may be tried: token buckets, and whose bucket it is.

A bucket is one number, the moment at which it is full again; a bucket that is full is no bucket at all. Taking one moves
that moment by ``refill_ms`` (the generic cell rate algorithm, which gives and refuses what a token bucket does).
"""

import hashlib
import ipaddress

import msgspec

from mutoscope.domain.errors import TooMany
from mutoscope.domain.ids import HOUR, MINUTE, SECOND, Millis

SOURCE_CHARS = 80


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """``burst`` at once, and then one more each ``refill_ms``."""

    name: str
    burst: int
    refill_ms: Millis

    @property
    def depth_ms(self) -> Millis:
        """How long an empty bucket takes to be full."""
        return self.burst * self.refill_ms


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's bucket. ``key`` is a hash: rows tell neither addresses nor names."""

    key: str
    rate: Rate


WRONG_FROM_ADDRESS = Rate(name="wrong-from", burst=20, refill_ms=30 * SECOND)
"""Wrong passwords and secrets from one address, whoever they are for."""
WRONG_FOR_NAME_FROM_ADDRESS = Rate(name="wrong-for-from", burst=5, refill_ms=2 * MINUTE)
"""Wrong passwords for one name from one address. There is none for a name alone: it would let strangers lock its person out."""
FORGOTTEN_FROM_ADDRESS = Rate(name="forgot-from", burst=10, refill_ms=6 * MINUTE)
"""Links for a new password that somebody at one address may ask for, whoever they are for."""
MAILED_FOR_PERSON = Rate(name="mailed-for", burst=3, refill_ms=20 * MINUTE)
"""Links for a new password that are mailed for one account."""
MAILED_TO = Rate(name="mailed-to", burst=10, refill_ms=6 * MINUTE)
"""The same to one mailbox, for all accounts that name it."""
NOTIFIED = Rate(name="notified", burst=10, refill_ms=6 * MINUTE)
"""News of changed addresses to one mailbox: a bucket of its own, that no asking for links uses up."""
EMAIL_CHANGES = Rate(name="email-of", burst=5, refill_ms=12 * MINUTE)
"""Changes of one person's e-mail address."""
ORDERS_OF_ADDRESS = 4
"""How many people's orders may come from one address at the full rate."""

VIEWS_FROM_ADDRESS = Rate(name="view-from", burst=300, refill_ms=5 * SECOND)
"""Views from one address that are counted: those of an office are, and no address fills a disk."""
LIKES_OF_PERSON = Rate(name="like-of", burst=120, refill_ms=SECOND)
"""Likes given and taken back by one person."""


def registrations(per_hour: int) -> Rate:
    """New accounts from one address."""
    return Rate(name="register-from", burst=per_hour, refill_ms=HOUR // per_hour)


def orders(per_minute: int) -> Rate:
    """Orders of one person."""
    return Rate(name="order-of", burst=per_minute, refill_ms=MINUTE // per_minute)


def orders_from(per_minute: int) -> Rate:
    """Orders from one address."""
    most = per_minute * ORDERS_OF_ADDRESS
    return Rate(name="order-from", burst=most, refill_ms=max(1, MINUTE // most))


def bucket(rate: Rate, *whose: str) -> Bucket:
    """The bucket of that person, address, or name and address."""
    text = "\0".join(whose)
    return Bucket(key=f"{rate.name}:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}", rate=rate)


def taken_from(full_at: Millis, rate: Rate, now: Millis) -> Millis:
    """When the bucket is full again, after one was taken."""
    return max(full_at, now) + rate.refill_ms


def wait_for(full_at: Millis, rate: Rate, now: Millis) -> Millis:
    """How long until one can be taken; 0 when there is one."""
    return max(0, taken_from(full_at, rate, now) - now - rate.depth_ms)


def source_of(address: str) -> str:
    """Who an address belongs to, as far as limits go: itself, or of IPv6 its /64, which is what one customer gets
    (RFC 6177); what is no address stands for itself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:SOURCE_CHARS]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class TooOften(TooMany):
    """A rate was used up. ``retry_after`` says in how many seconds the same is taken again."""

    code = "too_often"
    title = "Too often"

    def __init__(self, detail: str, wait_ms: Millis) -> None:
        super().__init__(detail, retry_after=max(1, -(-wait_ms // 1000)))
