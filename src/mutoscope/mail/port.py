"""What can be done with mail: hand over one letter, and look whether the server would take it."""

from typing import Protocol

import msgspec

from mutoscope.domain.ids import Millis


class MailUnavailable(Exception):
    """The letter was not taken now; the same may be taken later. The words hold no address and no secret."""


class MailRefused(Exception):
    """The letter is not taken, however often it comes. The words hold no address and no secret."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter to one person, in plain ASCII. ``id`` and ``at`` stay the same however often it is tried."""

    id: str
    kind: str
    """What it is about, for the log: ``reset``, ``moved``."""
    to: str
    subject: str
    text: str
    at: Millis

    def __repr__(self) -> str:
        return f"Letter(id={self.id!r}, kind={self.kind!r})"


class Mailer(Protocol):
    """Takes letters away."""

    async def send(self, letter: Letter) -> None:
        """Hand it over. Raises MailUnavailable, MailRefused. A letter whose receipt was not heard of may arrive twice."""
        ...

    async def check(self) -> str:
        """Do all but sending; returns what was tried, in a few words. Raises MailUnavailable, MailRefused."""
        ...
