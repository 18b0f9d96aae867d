"""People, their sessions, and the one-time links that let them in."""

import re
from enum import StrEnum

import msgspec

from mutoscope.domain.errors import Forbidden, Invalid
from mutoscope.domain.ids import DAY, MINUTE, Millis

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,38}[A-Za-z0-9]")
PASSWORD_CHARS = (10, 200)
SESSION_MS: Millis = 30 * DAY
SEEN_EVERY: Millis = 10 * MINUTE
"""How often the last use of a session is written, at most."""


class Role(StrEnum):
    """What a person may do."""

    USER = "user"
    ADMIN = "admin"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """An account. ``token_version`` goes up to end every token and session that was issued before."""

    id: str
    name: str
    password_hash: str
    role: Role
    created_at: Millis
    suspended_at: Millis | None = None
    token_version: int = 1
    email: str | None = None
    """Where links for a new password are mailed. Nobody has looked whether it is theirs, and several may have the same."""

    @property
    def is_admin(self) -> bool:
        """Whether the person administers the studio."""
        return self.role is Role.ADMIN


def administer(person: Person, what: str) -> None:
    """Go on only as an administrator. Raises Forbidden, saying ``what`` others may not do."""
    if not person.is_admin:
        raise Forbidden(f"Only an administrator {what}.")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in browser. ``secret_hash`` is the SHA-256 of what the cookie holds; the cookie's value is not kept.

    ``token_version`` is the person's when it was opened: it holds as long as that is the person's still. None in sessions
    of releases that did not keep it.
    """

    secret_hash: str
    person_id: str
    created_at: Millis
    expires_at: Millis
    user_agent: str = ""
    token_version: int | None = None
    used_at: Millis | None = None

    @property
    def id(self) -> str:
        """What the session is called in lists."""
        return id_of(self.secret_hash)


def id_of(secret_hash: str) -> str:
    """What the session of that hash is called in lists: it opens nothing, as it is a part of the hash."""
    return f"ses_{secret_hash[:24]}"


def still_open(session: Session, person: Person, now: Millis) -> bool:
    """Whether the session lets its person in."""
    current = session.token_version in (None, person.token_version)
    return current and session.expires_at > now and person.suspended_at is None


class Purpose(StrEnum):
    """What a one-time link is for."""

    SET_UP = "set_up"
    SIGN_IN = "sign_in"
    RESET = "reset"


class OneTimeLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that works once. ``secret_hash`` is the SHA-256 of its secret.

    ``email``: where it was mailed; None when it was handed over. A mailed one holds while that is the person's address.
    """

    secret_hash: str
    purpose: Purpose
    person_id: str | None
    expires_at: Millis
    email: str | None = None


def holds_for(link: OneTimeLink, person: Person) -> bool:
    """Whether the link was made for that person, and not mailed to an address that is theirs no more."""
    return link.person_id == person.id and link.email in (None, person.email)


def check_name(name: str) -> str:
    """The name as given. Raises Invalid when it cannot be one."""
    if not NAME.fullmatch(name):
        raise Invalid(
            "That name cannot be used.",
            {
                "name": "3 to 40 letters (a-z), digits, dots, hyphens or underscores, starting and ending with a letter or digit"
            },
        )
    return name


def check_password(password: str, name: str) -> str:
    """The password as given. Raises Invalid when it is too short, too long, or the name."""
    low, high = PASSWORD_CHARS
    if not low <= len(password) <= high:
        raise Invalid("That password cannot be used.", {"password": f"{low} to {high} characters"})
    if password.casefold() == name.casefold() or len(set(password)) < 4:
        raise Invalid("That password cannot be used.", {"password": "too easy to guess"})
    return password
