"""Accounts and what lets somebody in."""

from collections.abc import Sequence
from typing import Protocol

from mutoscope.domain.ids import Millis
from mutoscope.domain.invites import Invite
from mutoscope.domain.keys import ApiKey
from mutoscope.domain.ledger import Entry
from mutoscope.domain.limits import Bucket
from mutoscope.domain.people import OneTimeLink, Person, Purpose, Session


class People(Protocol):
    """Accounts, sessions, one-time links."""

    async def add(
        self, person: Person, grant: Entry | None, link_hash: str | None = None, invite_hash: str | None = None
    ) -> Person:
        """Make an account with its sign-up grant, in one commit; with ``link_hash``, using up that SET_UP link in it, with
        ``invite_hash``, counting a use of that invitation.

        Raises Conflict when the name is taken (case-insensitively), or, with a link, when there is an administrator;
        WrongCredentials when the link is used, expired, unknown or for another purpose, or the invitation not good.
        """
        ...

    async def get(self, id: str) -> Person | None:
        """The person."""
        ...

    async def by_name(self, name: str) -> Person | None:
        """The person of that name, case-insensitively."""
        ...

    async def by_email(self, email: str, limit: int) -> Sequence[Person]:
        """Whoever has that address, case-insensitively: those who came first, at most ``limit``."""
        ...

    async def first_admin(self) -> Person | None:
        """The administrator who came first; None while nobody administers this studio."""
        ...

    async def change(
        self, person: Person, expected_version: int, link_hash: str | None = None, now: Millis = 0
    ) -> None:
        """Replace the record, if its ``token_version`` is still the expected one; sessions, keys and one-time links of the
        person end when it goes up. With ``link_hash``, in the same commit that RESET link of theirs is used up at ``now``.
        The ``email`` stays as it is: only ``set_email`` changes it.

        Raises Conflict when it is not, when there is no such person, or when the name is taken; WrongCredentials when the
        link is not good.
        """
        ...

    async def set_email(self, person_id: str, email: str | None, expected_version: int) -> str | None:
        """Set or remove the person's address, if their ``token_version`` is still the expected one; returns the one before.

        Raises Conflict when it is not, or when there is no such person.
        """
        ...

    async def open_session(self, session: Session) -> None:
        """Keep a session."""
        ...

    async def session(self, secret_hash: str, now: Millis) -> tuple[Session, Person] | None:
        """The session and its person, unless it expired, is of another version, or the person is suspended."""
        ...

    async def sessions_of(self, person_id: str, now: Millis) -> Sequence[Session]:
        """The sessions of a person that have not expired, newest first."""
        ...

    async def use_session(self, secret_hash: str, now: Millis) -> None:
        """Note when it was used last. An unknown one is ignored."""
        ...

    async def close_session(self, secret_hash: str) -> None:
        """End one session; ending it twice is harmless."""
        ...

    async def close_sessions(self, person_id: str, but: str | None = None) -> None:
        """End all sessions of a person; ``but`` the one of that ``secret_hash``."""
        ...

    async def add_link(self, link: OneTimeLink) -> None:
        """Keep a one-time link. One that is mailed ends those that were mailed to the person before, in the same commit."""
        ...

    async def link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        """The link while it is good, without using it up."""
        ...

    async def use_link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        """Use up a link: exactly one of many callers gets it."""
        ...


class KeysStore(Protocol):
    """API keys."""

    async def add(self, key: ApiKey, limit: int) -> None:
        """Keep a key. Raises Conflict when its person has ``limit`` of them, or is not there any more."""
        ...

    async def of_secret(self, secret_hash: str, now: Millis) -> tuple[ApiKey, Person] | None:
        """The key and its person, unless it expired, is of another version, or the person is suspended."""
        ...

    async def of_person(self, person_id: str) -> Sequence[ApiKey]:
        """All keys of a person, also those that have expired; newest first."""
        ...

    async def use(self, id: str, now: Millis) -> None:
        """Note when it was used last; an earlier moment than is noted, and an unknown key, are ignored."""
        ...

    async def revoke(self, person_id: str, id: str) -> bool:
        """End a key of that person. False when they have no such key."""
        ...


class InvitesStore(Protocol):
    """Invitations; ``People.add`` counts their uses."""

    async def add(self, invite: Invite) -> None:
        """Keep one; those that ended a month before are forgotten."""
        ...

    async def of_secret(self, secret_hash: str, now: Millis) -> Invite | None:
        """The invitation, while one more account can be made with it."""
        ...

    async def all(self) -> Sequence[Invite]:
        """All of them, newest first."""
        ...

    async def revoke(self, id: str) -> bool:
        """Take one back. False when there is none."""
        ...


class Buckets(Protocol):
    """Token buckets of limits (see `domain.limits`), shared by all processes that share the store, and bounded in number.

    They are no part of backups, and may be forgotten.
    """

    async def wait(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        """How many milliseconds until one could be taken from each; 0 now."""
        ...

    async def take(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        """Take one from each and return 0; or take none, and return how many milliseconds until that may be possible."""
        ...

    async def charge(self, buckets: Sequence[Bucket], now: Millis) -> None:
        """Take one from each, also where there is none: such a bucket is in debt."""
        ...
