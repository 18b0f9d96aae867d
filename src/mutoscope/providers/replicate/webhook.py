"""Replicate's webhooks: Standard Webhooks (https://www.standardwebhooks.com), signed with the account's own secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from mutoscope.domain.ids import MINUTE, SECOND, Clock, Millis
from mutoscope.providers.signing import CannotSay, Kept

TOLERANCE_MS = 5 * MINUTE
"""How far a call's own time may be from ours."""
PREFIX = "whsec_"


class NotSigned(Exception):
    """That a call is not surely Replicate's, and why."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a call has to be judged by. ``signatures`` are those of the one scheme that we know, "v1"."""

    id: str
    content: bytes
    signatures: tuple[bytes, ...]

    def fits(self, key: bytes) -> bool:
        """Whether one of the signatures was made with that key."""
        right = hmac.digest(key, self.content, hashlib.sha256)
        return any(hmac.compare_digest(right, signature) for signature in self.signatures)


def call_of(headers: Mapping[str, str], body: bytes, now: Millis) -> Call:
    """The call, when it is complete and of this time. Raises NotSigned."""
    id, at, said = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not id or not said:
        raise NotSigned("it has no id, or no signature")
    if not (at.isascii() and at.isdigit() and len(at) <= 12):
        raise NotSigned("its time is no time")
    if abs(int(at) * SECOND - now) > TOLERANCE_MS:
        raise NotSigned("it is too old, or from the future")
    pairs = (part.partition(",") for part in said.split())
    signatures = tuple(signature for scheme, _, text in pairs if scheme == "v1" and (signature := _bytes(text)))
    return Call(id=id, content=f"{id}.{at}.".encode() + body, signatures=signatures)


class Secret:
    """The account's own, kept."""

    def __init__(self, ask: Callable[[], Awaitable[str]], clock: Clock) -> None:
        async def key() -> bytes:
            return _key(await ask())

        self._kept = Kept(key, clock)

    async def fits(self, call: Call) -> bool:
        """Whether the call is signed with it. Raises CannotSay, and what asking raises."""
        return await self._kept.fits(call.fits)


def _key(secret: str) -> bytes:
    key = _bytes(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else b""
    if not key:
        raise CannotSay("the secret cannot be read")
    return key


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
