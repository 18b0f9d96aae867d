"""How far a request came, and what its failure therefore means. The one table from the transport's errors to ours."""

import ssl
from collections.abc import Callable
from typing import Any

import httpcore2

from mutoscope.outgoing.pinned import NoName, NotPublic
from mutoscope.outgoing.trouble import OutgoingError, Trouble

FAILURES: tuple[tuple[type[BaseException], Trouble], ...] = (
    (NoName, Trouble.NO_NAME),
    (NotPublic, Trouble.NOT_ALLOWED),
    (httpcore2.ConnectError, Trouble.NO_CONNECTION),
    (httpcore2.ConnectTimeout, Trouble.CONNECT_TIMEOUT),
    (httpcore2.PoolTimeout, Trouble.BUSY),
    (httpcore2.ReadTimeout, Trouble.SILENT),
    (httpcore2.WriteTimeout, Trouble.SILENT),
    (httpcore2.NetworkError, Trouble.LOST),
    (httpcore2.RemoteProtocolError, Trouble.LOST),
    (httpcore2.LocalProtocolError, Trouble.GARBLED),
    (OSError, Trouble.UNREADABLE),
)
"""First match counts. An OSError that is not the transport's comes from a file that was to be sent."""
WITHIN = {Trouble.SILENT: Trouble.SLOW, Trouble.LOST: Trouble.CUT}
"""What some of them are called once the answer has begun."""
TRANSPORT: tuple[type[BaseException], ...] = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    OSError,
)
"""All that the table knows; TimeoutError is an OSError."""


class Course:
    """The course of one request, as the transport tells it. ``where`` is host and path."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.securing = self.sent = self.answered = False
        self.on_whole: Callable[[], None] = lambda: None
        """Called when the whole request is out."""

    async def __call__(self, event: str, info: Any) -> None:
        """The transport's report; it comes before the bytes do."""
        match event:
            case "connection.start_tls.started":
                self.securing = True
            case "http11.send_request_headers.started":
                self.sent = True
            case "http11.send_request_body.complete":
                self.on_whole()
            case "http11.receive_response_headers.complete":
                self.answered = True
            case _:
                return

    def error(self, e: BaseException) -> OutgoingError:
        """What an error of the transport, or of our own clock, means at this point."""
        return OutgoingError(self._trouble(e), self.where, sent=self.sent, more=_more(e))

    def _trouble(self, e: BaseException) -> Trouble:
        if isinstance(e, TimeoutError):
            trouble = Trouble.SILENT if self.sent else Trouble.CONNECT_TIMEOUT
        else:
            trouble = next(found for kind, found in FAILURES if isinstance(e, kind))
        if trouble is Trouble.NO_CONNECTION and self.securing:
            return Trouble.NO_TLS
        return WITHIN.get(trouble, trouble) if self.answered else trouble


def _more(e: BaseException) -> str:
    """What the operator needs to know of a certificate. Other words of the transport may hold what was sent."""
    cause: BaseException | None = e
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause.verify_message if cause is not None else ""
