"""Share links: addresses that open one thing of somebody's to whoever has them, also when it is private.

A link gives the eyes of a stranger who may see a private item: what is locked stays locked. It opens nothing that is in
the trash, hidden or gone, and nothing of somebody who is suspended.
"""

import re

import msgspec

from mutoscope.domain.errors import Invalid
from mutoscope.domain.ids import DAY, HOUR, MINUTE, Millis
from mutoscope.domain.people import Person

SECRET_BYTES = 32
LINKS_OF_ONE = 50
"""How many links lead to one thing at most; those that have ended make room."""
HOURS_MAX = 3_660 * 24
PASSWORD_CHARS = (8, 200)
"""Fewer than for an account: who tries passwords has to have the address first."""
PROOF_MS: Millis = DAY // 2
"""How long a browser is not asked for the password again."""
USED_EVERY: Millis = 10 * MINUTE
"""How often the last use of a link is written, at most."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class ShareLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link. ``secret_hash`` is the SHA-256 of what its address holds; the secret itself is not kept.

    ``target`` is the id of what it opens, ``owner_id`` whose that is, ``made_by`` who made the link. ``password_hash`` is
    None for one that asks for no password.
    """

    id: str
    secret_hash: str
    target: str
    owner_id: str
    made_by: str
    created_at: Millis
    expires_at: Millis | None = None
    password_hash: str | None = None
    revoked_at: Millis | None = None
    used_at: Millis | None = None


def is_secret(text: str) -> bool:
    """Whether an address has the form of a link's secret (it may still open nothing)."""
    return _SECRET.fullmatch(text) is not None


def stands(link: ShareLink, now: Millis) -> bool:
    """Whether the link was neither revoked nor has expired."""
    return link.revoked_at is None and (link.expires_at is None or link.expires_at > now)


def opens(link: ShareLink, owner: Person, now: Millis) -> bool:
    """Whether the link lets anybody in, of an owner as they are now."""
    return stands(link, now) and owner.suspended_at is None


def end_of(hours: int | None, now: Millis) -> Millis | None:
    """When a link ends that is to last for so many hours; None for one that does not expire. Raises Invalid."""
    if hours is None:
        return None
    if not 1 <= hours <= HOURS_MAX:
        raise Invalid("A link cannot last so long.", {"expires_in_hours": f"1 to {HOURS_MAX:,}, or none"})
    return now + hours * HOUR


def check_link_password(password: str) -> str:
    """The password as given. Raises Invalid when it is too short or too long."""
    low, high = PASSWORD_CHARS
    if not low <= len(password) <= high:
        raise Invalid("That password cannot be used.", {"password": f"{low} to {high} characters"})
    return password
