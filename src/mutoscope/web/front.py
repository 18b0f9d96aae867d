"""The outermost layer: right host, header fields that guard every answer, an orderly end for uploads that are refused,
and one line in the log without query string, token or prompt.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, ReceiveMessage, Scope, Send

from mutoscope.web.problems import MEDIA_TYPE, WrongHost, headers_of, problem_of
from mutoscope.web.security import host_name

log = structlog.get_logger("mutoscope.web")

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)
EMBED_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors *"
)
"""Of the one page that other sites may frame: it runs nothing and sends nothing."""
Guards = tuple[tuple[bytes, bytes], ...]
GUARDS: Guards = (
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (b"cache-control", b"private, no-store"),
)
"""Set on every answer that does not set its own."""


def guards_for(media_address: str | None) -> Guards:
    """The guards of a studio whose pictures and films may come from that address too."""
    return ((b"content-security-policy", policy_for(media_address).encode()), *GUARDS)


def policy_for(media_address: str | None, policy: str = CSP) -> str:
    """The policy of a studio whose pictures and films may come from that address too."""
    origin = " {0.scheme}://{0.netloc}".format(urlsplit(media_address)) if media_address else ""
    for source in ("img-src 'self'", "media-src 'self'", "connect-src 'self'"):
        policy = policy.replace(source, source + origin)
    return policy


ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Asked for by machines that know an address and no name; they tell nothing."""

OWN_HEAD = ("/media/", "/api/events")
"""Routes that answer HEAD themselves, or that never end; everywhere else it is GET without the content (RFC 9110, 9.3.2)."""

LINKS = "/s/"
"""What the addresses of share links begin with: the rest is a secret."""

LINGER_BYTES = 64 * 1024 * 1024
LINGER_S = 2.0

Observe = Callable[[str, str, int, float], None]
"""Is told method, route template, status and seconds of every request."""


class Front:
    """Wraps the application; see the module."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], observe: Observe, guards: Guards | None = None) -> None:
        self._app, self._hosts, self._observe, self._guards = app, hosts, observe, guards or guards_for(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send, self._guards)
        began = time.perf_counter()
        head = scope["method"] == "HEAD" and not scope["path"].startswith(OWN_HEAD)
        scope = HTTPScope(**{**scope, "method": "GET"}) if head else scope
        try:
            if self._right_host(scope):
                await self._app(scope, answer.receive, answer.send_head if head else answer.send)
            else:
                await _refuse_host(answer.send)
        finally:
            self._note(scope, answer.status, time.perf_counter() - began)

    def _right_host(self, scope: HTTPScope) -> bool:
        names = [value for name, value in scope["headers"] if name == b"host"]
        return scope["path"] in ANY_HOST or (len(names) == 1 and host_name(names[0].decode("latin-1")) in self._hosts)

    def _note(self, scope: HTTPScope, status: int, seconds: float) -> None:
        template = str(scope.get("path_template") or "unmatched")
        self._observe(scope["method"], template, status, seconds)
        # An address that is a secret is not for the log.
        path = template if scope["path"].startswith(LINKS) else scope.get("raw_path", b"").decode("ascii", "replace")
        # Pages, pictures and polls that went well would drown the rest.
        level = logging.DEBUG if scope["method"] in ("GET", "HEAD") and 0 < status < 400 else logging.INFO
        log.log(level, "request", method=scope["method"], path=path, status=status, ms=round(seconds * 1000, 1))


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send, guards: "Guards") -> None:
        headers = dict(scope["headers"])
        self._receive, self._send, self._guards = receive, send, guards
        self._unread = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        self._waits_to_be_asked = b"expect" in headers
        self.status = 0

    async def receive(self) -> ReceiveMessage:
        message = await self._receive()
        self._waits_to_be_asked = False
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", []))
            given = {name.lower() for name, _ in headers}
            headers += [guard for guard in self._guards if guard[0] not in given]
            if self._unread:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        elif message["type"] == "http.response.body" and self._unread and not message.get("more_body", False):
            await self._send({**message, "more_body": True})  # pyright: ignore[reportArgumentType]
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def send_head(self, message: Message) -> None:
        """The same without the content."""
        await self.send({**message, "body": b""} if message["type"] == "http.response.body" else message)  # pyright: ignore[reportArgumentType]

    async def _linger(self) -> None:
        """Take in, and throw away, some of a body that was refused: closing at once would reset the connection, and the
        client, still sending, would not get to read the answer.
        """
        if self._waits_to_be_asked:
            return
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_S):
                while self._unread and left > 0:
                    message = await self.receive()
                    left -= len(message["body"]) if message["type"] == "http.request" else 0
        except TimeoutError:
            return


async def _refuse_host(send: Send) -> None:
    refused = WrongHost(
        "This studio is not known under that name. Its operator sets MUTOSCOPE_BASE_URL to the address that people use."
    )
    headers = {"Content-Type": MEDIA_TYPE, **headers_of(refused)}
    await send(
        {
            "type": "http.response.start",
            "status": refused.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": msgspec.json.encode(problem_of(refused)), "more_body": False})
