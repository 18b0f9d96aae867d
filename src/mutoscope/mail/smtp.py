"""Letters over SMTP, through aiosmtplib: a connection for each, as there are few."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from email.headerregistry import Address
from typing import Literal

import aiosmtplib
import msgspec
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from mutoscope.domain.errors import Invalid
from mutoscope.mail.message import compose
from mutoscope.mail.port import Letter, MailRefused, MailUnavailable

Security = Literal["tls", "starttls", "none"]
STEP_S, WHOLE_S, GOODBYE_S = 20.0, 40.0, 3.0
"""How long an answer may take, a letter from connecting to its receipt, and the end after it. RFC 5321 (4.5.3.2) would
wait for minutes; a letter that is tried again needs not."""
FOR_GOOD = 500
HOW: dict[str, str] = {"tls": "TLS", "starttls": "EHLO, STARTTLS", "none": "EHLO, nothing encrypted"}


class SmtpPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes our mail. ``own_name`` is what we say we are."""

    host: str
    port: int
    security: Security
    user: str | None
    password: str | None
    sender: Address
    own_name: str

    def __repr__(self) -> str:
        return f"SmtpPlace(host={self.host!r}, port={self.port}, security={self.security!r})"


class SmtpMailer:
    """Letters to one server. ``tls`` says whose certificates are trusted; the server's is always verified."""

    def __init__(self, place: SmtpPlace, tls: ssl.SSLContext, step_s: float = STEP_S, whole_s: float = WHOLE_S) -> None:
        self._place, self._tls, self._step_s, self._whole_s = place, tls, step_s, whole_s

    async def send(self, letter: Letter) -> None:
        place = self._place
        try:
            message = compose(letter, place.sender, place.own_name)
        except (ValueError, Invalid):
            raise MailRefused("it cannot be written: an address or a header field is none") from None
        with _in_words():
            async with self._client() as client:
                await client.send_message(message, sender=place.sender.addr_spec, recipients=[letter.to])

    async def check(self) -> str:
        place = self._place
        with _in_words():
            async with self._client():
                pass
        signed_in = ", signed in" if place.user else ""
        return f"{place.host} port {place.port}: {HOW[place.security]}{signed_in}; nothing was sent"

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[aiosmtplib.SMTP]:
        """A connection that is encrypted and signed in as the place says, or none at all."""
        place = self._place
        client = aiosmtplib.SMTP(
            hostname=place.host,
            port=place.port,
            username=place.user,
            password=place.password,
            local_hostname=place.own_name,
            timeout=self._step_s,
            use_tls=place.security == "tls",
            start_tls=place.security == "starttls",
            tls_context=self._tls,
        )
        try:
            async with asyncio.timeout(self._whole_s):
                await client.connect()
                yield client
            # What is said from here on is no reason to send it again.
            with suppress(SMTPException, OSError):
                await client.quit(timeout=GOODBYE_S)
        finally:
            client.close()


@contextmanager
def _in_words() -> Generator[None]:
    """What servers and networks do, as MailUnavailable or MailRefused. A server's own words may repeat an address: only
    its code is told."""
    try:
        yield
    except (SMTPException, OSError) as e:
        code = _code(e)
        kind = MailRefused if code >= FOR_GOOD else MailUnavailable
        raise kind(_why(e) + (f" ({code})" if code > 0 else "")) from None


def _code(error: Exception) -> int:
    if isinstance(error, SMTPRecipientsRefused):
        return max(each.code for each in error.recipients)
    return error.code if isinstance(error, SMTPResponseException) else -1


def _why(error: BaseException) -> str:
    match error:
        case SMTPAuthenticationError():
            return "the server does not take SMTP_USER with SMTP_PASSWORD"
        case SMTPRecipientsRefused() | SMTPRecipientRefused():
            return "the server does not take the recipient"
        case SMTPSenderRefused():
            return "the server does not take SMTP_FROM as the sender"
        case SMTPResponseException():
            return "the server refused" if error.code > 0 else "the server does not speak SMTP"
        case TimeoutError():
            return "the server did not answer in time"
        case _:
            return _of_connection(error)


def _of_connection(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS could not be begun: look whether SMTP_SECURITY and SMTP_PORT fit each other"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, SMTPServerDisconnected):
        return "the server cut the connection"
    if isinstance(error, OSError):
        return "the server cannot be reached"
    return "the server does not offer what SMTP_SECURITY or SMTP_USER needs"
