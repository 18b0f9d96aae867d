"""What can go wrong on the way out, and whether the other side may have got the request."""

from enum import StrEnum
from typing import TypeVar

import msgspec

from mutoscope.domain.ids import Millis

T = TypeVar("T")


class Trouble(StrEnum):
    """Why there is no answer, or no whole one. The words are for the administrator."""

    NOT_ALLOWED = "the address is not one that may be asked"
    NO_NAME = "the name cannot be resolved"
    NO_CONNECTION = "no connection could be made"
    NO_TLS = "the connection could not be secured"
    CONNECT_TIMEOUT = "no connection in time"
    BUSY = "too many requests are on their way"
    CIRCUIT_OPEN = "it failed too often just now and is left alone for a while"
    UNREADABLE = "a file to be sent cannot be read"
    LOST = "the connection broke before the answer"
    SILENT = "no answer in time"
    SLOW = "the answer was not whole in time"
    CUT = "the answer was cut off"
    TOO_LARGE = "the answer is larger than its limit"
    GARBLED = "the answer makes no sense"
    REDIRECTED = "it answered with too many redirects, or one that may not be followed"
    STATUS = "it answered with an error"


class OutgoingError(Exception):
    """No answer, or not a whole one. ``where`` is host and path: what a query holds may be a secret.

    ``sent`` says whether bytes of the request may have left: without it, the other side surely did nothing.
    """

    def __init__(
        self, trouble: Trouble, where: str, *, sent: bool, more: str = "", retry_after_ms: Millis | None = None
    ) -> None:
        super().__init__(f"{where}: {trouble}" + (f" ({more})" if more else ""))
        self.trouble = trouble
        self.where = where
        self.sent = sent
        self.retry_after_ms = retry_after_ms


class NotAllowed(Exception):
    """An address that may not be asked, and why."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. Names of headers are in small letters; the body is as it was before compression."""

    status: int
    headers: dict[str, str]
    body: bytes
    where: str
    retry_after_ms: Millis | None = None
    """What the other side asked to wait, bounded."""
    keyed: bool = False
    """Whether the destination's own headers, and so its key, were sent to where this came from."""

    @property
    def ok(self) -> bool:
        """Whether the status is of success."""
        return 200 <= self.status < 300

    def json(self, type: type[T]) -> T:
        """The body as ``type``. Raises OutgoingError when it is not that."""
        try:
            return msgspec.json.decode(self.body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            # A validation error names places and types, no values.
            more = str(e) if isinstance(e, msgspec.ValidationError) else "not JSON"
            raise OutgoingError(Trouble.GARBLED, self.where, sent=True, more=more) from None

    def __repr__(self) -> str:
        return f"Answer({self.status} from {self.where}, {len(self.body)} bytes)"


class Answered(OutgoingError):
    """An answer with another status than success, where bytes were asked for. Its body is at most its first 64 KB."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            Trouble.STATUS, answer.where, sent=True, more=str(answer.status), retry_after_ms=answer.retry_after_ms
        )
        self.answer = answer
