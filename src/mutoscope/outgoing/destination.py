"""Whom we ask: a provider's base address, the hosts of its results, and what may go where."""

import re
from collections.abc import Mapping
from urllib.parse import quote

import httpx2
import msgspec

from mutoscope.outgoing.networks import is_address, is_public
from mutoscope.outgoing.trouble import NotAllowed

LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?:{LABEL}\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")
"""A name on the internet, in small letters. Its last part has no digit, so no spelling of an address passes for one."""
PORTS = {"https": 443, "http": 80}
ADDRESS_CHARS = 8_192
HEADER = re.compile(r"[\t\x20-\x7e]*")
SECRET_NAME = re.compile("auth|key|token|secret", re.IGNORECASE)
SECRET_CHARS = 6
"""What is shorter is no secret: servers of one's own want something like "EMPTY"."""
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

Origin = tuple[str, str, int]
"""Scheme, host, port."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as a place to ask. Raises ValueError for an address that cannot be one.

    ``hosts`` are where its results come from and uploads go: names, or "*." and the end of a name. ``any_public_host``
    lets results come from any. ``own_network`` says that the operator set ``base_url`` himself: then its host and port
    may be private. ``headers`` hold the key and go to the origin of ``base_url`` alone.
    """

    name: str
    base_url: str
    hosts: tuple[str, ...] = ()
    any_public_host: bool = False
    own_network: bool = False
    headers: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        url = _parsed(self.base_url)
        if url.scheme not in PORTS or not url.host or url.query or url.userinfo:
            raise ValueError(f"{self.name}: the base address must be https://host, without user, query or fragment")
        check_headers(self.headers)
        for host in self.hosts:
            if not NAME.fullmatch(host.removeprefix("*.")):
                raise ValueError(f"{self.name}: not the name of a host: {host!r}")

    def __repr__(self) -> str:
        return f"Destination({self.name}, {self.base_url})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """What rich may print."""
        return [("name", self.name), ("base_url", self.base_url)]

    @property
    def origin(self) -> Origin:
        """Where ``headers`` go."""
        return origin_of(_parsed(self.base_url))

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The keys in ``headers``, as an answer may echo them: without the word before them."""
        keys = (value.rpartition(" ")[2] for name, value in self.headers.items() if SECRET_NAME.search(name))
        return tuple(key.encode() for key in keys if len(key) >= SECRET_CHARS)

    def is_on_purpose(self, origin: Origin) -> bool:
        """Whether the operator named this very host and port, so that it may be in a network of his own."""
        scheme, host, _ = self.origin
        private = scheme == "http" or host == "localhost" or (is_address(host) and not is_public(host))
        return origin == self.origin and (self.own_network or private)

    def url(self, address: str) -> httpx2.URL:
        """A path below the base address, or an address that the provider gave, which is not trusted. Raises NotAllowed."""
        if address.startswith("/") and not address.startswith("//"):
            base, url = self.base_url.rstrip("/"), _allowed(self.base_url.rstrip("/") + address)
            if origin_of(url) != self.origin or not url.path.startswith(_parsed(base + "/").path):
                raise NotAllowed("the path leaves the base address")
            return url
        url = _allowed(address)
        origin = origin_of(url)
        if origin == self.origin:
            return url
        if url.scheme != "https":
            raise NotAllowed("not https")
        host = origin[1]
        if not NAME.fullmatch(host) or url.port is not None:
            raise NotAllowed("not a name at the usual port")
        if not self.any_public_host and not any(_matches(host, known) for known in self.hosts):
            raise NotAllowed("not one of the provider's hosts")
        return url


def quoted(part: str) -> str:
    """A part of a path that holds what somebody else chose, such as a provider's id. Raises NotAllowed."""
    if not part or part in {".", ".."}:
        raise NotAllowed("not a part of a path")
    return quote(part, safe="")


def origin_of(url: httpx2.URL) -> Origin:
    """Scheme, host and port of an address."""
    return url.scheme, url.raw_host.decode(), url.port or PORTS.get(url.scheme, 0)


def where(url: httpx2.URL) -> str:
    """An address as a log may have it: without user and query."""
    return url.netloc.decode() + url.raw_path.decode().partition("?")[0]


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError unless each is one line of plain characters."""
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or not HEADER.fullmatch(value):
            # The value may be a secret: not even its beginning is told.
            raise ValueError(f"the header {name!r} has characters that no header can have")


def _allowed(address: str) -> httpx2.URL:
    try:
        url = _parsed(address)
    except ValueError as e:
        raise NotAllowed(str(e)) from None
    if url.userinfo or not url.host:
        raise NotAllowed("it names a user, or no host")
    return url


def _parsed(address: str) -> httpx2.URL:
    if len(address) > ADDRESS_CHARS:
        raise ValueError("the address is too long")
    try:
        return httpx2.URL(address)
    except (httpx2.InvalidURL, UnicodeError):
        # Its words may hold a part of the address.
        raise ValueError("not an address") from None


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
