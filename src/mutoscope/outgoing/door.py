"""The way out: one request to one checked address, over one connection. Nothing is repeated and no redirect followed here."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping

import httpcore2
import httpx2

from mutoscope import __version__
from mutoscope.outgoing.arrival import Arrival
from mutoscope.outgoing.bodies import Body, Prepared
from mutoscope.outgoing.course import TRANSPORT, Course
from mutoscope.outgoing.destination import Destination, check_headers, where
from mutoscope.outgoing.patience import Limits, Time, retry_after_ms
from mutoscope.outgoing.pinned import Dial, Pinned, Resolve
from mutoscope.outgoing.trouble import OutgoingError, Trouble

# At its finest the transport logs the headers of answers, and an address in one may be signed.
logging.getLogger("httpcore2").setLevel(logging.WARNING)

CONNECTIONS = 64
KEPT_CONNECTIONS = 16
KEPT_S = 20
"""For how long an idle connection is used again."""


class Door:
    """Connections of one destination."""

    def __init__(
        self, destination: Destination, time: Time, resolve: Resolve, dial: Dial, tls: ssl.SSLContext | None
    ) -> None:
        on_purpose = destination.origin[1:] if destination.is_on_purpose(destination.origin) else None
        backend, self._time, self._secrets = Pinned(on_purpose, resolve, dial), time, destination.secrets
        # Neither pool reads the environment: a proxy that is set there would resolve names for us.
        tls = tls or httpx2.create_ssl_context()
        self._kept = httpcore2.AsyncConnectionPool(
            tls,
            max_connections=CONNECTIONS,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_S,
            network_backend=backend,
        )
        self._fresh = httpcore2.AsyncConnectionPool(
            tls, max_connections=CONNECTIONS, max_keepalive_connections=0, network_backend=backend
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._kept.aclose()
        await self._fresh.aclose()

    async def send(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str],
        body: Body | None,
        limits: Limits,
        *,
        fresh: bool,
    ) -> Arrival:
        """Send it and wait for the answer to begin. Close the arrival. Raises OutgoingError.

        With ``fresh`` the connection is a new one: on one that was idle, the other side may just be hanging up, and then
        nobody can say whether it got the request.
        """
        course = Course(where(url))
        check_headers(headers)
        try:
            prepared = Prepared(body)
        except OSError as e:
            raise course.error(e) from None
        try:
            return await self._sent(method, url, headers, prepared, limits, course, fresh)
        finally:
            prepared.close()

    async def _sent(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], body: Prepared, limits: Limits, course: Course,
        fresh: bool,
    ) -> Arrival:  # fmt: skip
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + limits.whole_s
        request = httpcore2.Request(
            method=method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=_headers(method, url, headers, body),
            content=_Chunks(body),
            extensions={"timeout": _timeouts(limits), "trace": course},
        )
        try:
            async with asyncio.timeout_at(deadline_s) as clock:
                course.on_whole = lambda: clock.reschedule(min(deadline_s, loop.time() + limits.first_byte_s))
                response = await (self._fresh if fresh else self._kept).handle_async_request(request)
        except TRANSPORT as e:
            raise course.error(e) from None
        except httpcore2.UnsupportedProtocol:
            raise OutgoingError(Trouble.NOT_ALLOWED, course.where, sent=False) from None
        arrival = Arrival(response, course, deadline_s, limits, self._secrets)
        arrival.retry_after_ms = retry_after_ms(arrival.headers, self._time.now())
        return arrival


class _Chunks:
    """A body as the transport wants it."""

    def __init__(self, body: Prepared) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body.chunks()


def _headers(method: str, url: httpx2.URL, headers: Mapping[str, str], body: Prepared) -> list[tuple[str, str]]:
    # Compressed answers are not asked for: what comes is nearly all film, and a few bytes could stand for many.
    ours = {
        "host": url.netloc.decode(),
        "user-agent": f"mutoscope/{__version__}",
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    if body.media_type:
        ours["content-type"] = body.media_type
    given = {name.lower(): value for name, value in headers.items()}
    if body.size_bytes or method in {"POST", "PUT", "PATCH"}:
        given["content-length"] = str(body.size_bytes)
    return [*(ours | given).items()]


def _timeouts(limits: Limits) -> dict[str, float]:
    silence_s = max(limits.silence_s, limits.first_byte_s)
    return {"connect": limits.connect_s, "pool": limits.connect_s, "read": silence_s, "write": limits.silence_s}
