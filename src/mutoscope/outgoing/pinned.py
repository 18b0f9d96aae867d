"""Connections to checked addresses: a name is resolved once, all that it resolves to is judged, and just that is dialled.

The name stays what TLS, its certificate check and the Host header see.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore2

from mutoscope.outgoing.networks import is_address, is_own, is_public

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name, best first. Raises OSError."""
Dial = Callable[[str, int, float | None], Awaitable[httpcore2.AsyncNetworkStream]]
"""A connection to an address. Raises httpcore2.ConnectError, httpcore2.ConnectTimeout."""

MOST_ADDRESSES = 6
"""How many addresses of a name are tried, one after the other."""


class NoName(httpcore2.ConnectError):
    """The name does not resolve."""


class NotPublic(httpcore2.ConnectError):
    """The name resolves to an address that may not be asked."""


async def resolve(host: str, port: int) -> list[str]:
    """What this machine's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def dial(address: str, port: int, timeout_s: float | None) -> httpcore2.AsyncNetworkStream:
    """A plain connection."""
    backend: httpcore2.AsyncNetworkBackend = httpcore2.AnyIOBackend()  # pyright: ignore[reportAssignmentType]  # it is one where anyio is there
    return await backend.connect_tcp(address, port, timeout=timeout_s)


class Pinned(httpcore2.AsyncNetworkBackend):
    """Makes the connections of one destination. ``on_purpose`` is the host and port that may be in the operator's network."""

    def __init__(self, on_purpose: tuple[str, int] | None, resolve: Resolve = resolve, dial: Dial = dial) -> None:
        self._on_purpose = on_purpose
        self._resolve, self._dial = resolve, dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the transport's own interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to an address of ``host``. Raises NoName, NotPublic, httpcore2.ConnectError, httpcore2.ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked(host, port)
                each = timeout / len(addresses) if timeout else None
                for address in addresses[:-1]:
                    try:
                        return await self._dial(address, port, each)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue
                return await self._dial(addresses[-1], port, None)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> list[str]:
        ours = (host, port) == self._on_purpose
        if is_address(host):
            addresses = [host]
            # An address that the operator wrote himself is what he meant, whatever network it is of.
            allowed = ours or is_public(host)
        else:
            try:
                addresses = list(dict.fromkeys(await self._resolve(host, port)))
            except (OSError, UnicodeError):
                raise NoName from None
            if not addresses:
                raise NoName
            allowed = all(is_public(a) or (ours and is_own(a)) for a in addresses)
        if not allowed:
            raise NotPublic
        return addresses[:MOST_ADDRESSES]
