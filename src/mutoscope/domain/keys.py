"""API keys: what a program carries instead of its person's password, with less than the person's rights."""

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from mutoscope.domain.errors import Forbidden, Invalid
from mutoscope.domain.ids import DAY, MINUTE, Millis
from mutoscope.domain.people import Person

PREFIX = "mto_"
"""What every key begins with, so that people and scanners of repositories know one when they see it."""
SECRET_BYTES = 32
KEYS_OF_ONE = 20
"""How many a person may have; those that have expired count until they are revoked."""
NAME_CHARS = 60
DAYS_MAX = 3_660
USED_EVERY: Millis = MINUTE
"""How often the last use of a key is written, at most."""

_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


class Scope(StrEnum):
    """What a key may do; docs/reference/keys.md says which route needs which."""

    GENERATE = "generate"
    READ = "read"
    MANAGE = "manage"
    ADMIN = "admin"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key. ``secret_hash`` is the SHA-256 of what the program sends; the secret itself is not kept.

    ``token_version`` is the person's when the key was made: it holds as long as that is the person's still.
    """

    id: str
    secret_hash: str
    person_id: str
    name: str
    scopes: tuple[Scope, ...]
    token_version: int
    created_at: Millis
    expires_at: Millis | None = None
    used_at: Millis | None = None


class ScopeNeeded(Forbidden):
    """A key that was not made for this."""

    code = "scope_needed"
    title = "The key may not do this"


def is_key(credential: str) -> bool:
    """Whether a bearer's credential has the form of a key, and is no JWT."""
    return _KEY.fullmatch(credential) is not None


def check_scopes(person: Person, scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """The scopes once each and in order. Raises Invalid without any, Forbidden for `admin` of who administers nothing."""
    chosen = tuple(scope for scope in Scope if scope in set(scopes))
    if not chosen:
        raise Invalid("A key needs at least one scope.", {"scopes": "choose at least one"})
    if Scope.ADMIN in chosen and not person.is_admin:
        raise Forbidden("A key never has more than its person: only administrators make keys with the scope admin.")
    return chosen


def check_key_name(name: str) -> str:
    """The name without white space around it. Raises Invalid when there is none left, or it is too long for a line."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_CHARS or not name.isprintable():
        raise Invalid("That name cannot be used.", {"name": f"1 to {NAME_CHARS} printable characters"})
    return name


def end_of(days: int | None, now: Millis) -> Millis | None:
    """When a key ends that is to last for so many days; None for one that does not expire. Raises Invalid."""
    if days is None:
        return None
    if not 1 <= days <= DAYS_MAX:
        raise Invalid("A key cannot last so long.", {"expires_in_days": f"1 to {DAYS_MAX}, or none"})
    return now + days * DAY


def holds(key: ApiKey, person: Person, now: Millis) -> bool:
    """Whether the key still lets its person's program in."""
    ended = key.expires_at is not None and key.expires_at <= now
    return not ended and person.suspended_at is None and key.token_version == person.token_version
