"""Whether a call is fal's: an Ed25519 signature by one of the keys that fal publishes.

What is signed are the request's id, the account's id, the time, and the checksum of the body, with a newline between
(https://fal.ai/docs/model-apis/webhooks).
"""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mutoscope.domain.ids import DAY, MINUTE, SECOND, Clock, Millis
from mutoscope.outgoing import Outgoing, OutgoingError, Trouble

PATH = "/.well-known/jwks.json"
TOLERANCE_MS: Millis = 300 * SECOND
FRESH_MS: Millis = 5 * MINUTE
"""Keys that are older are fetched again for a signature that none of them made: fal may have changed them."""


class Delivery(msgspec.Struct, frozen=True):
    """A call that may be fal's: what was signed, and the signature."""

    request_id: str
    message: bytes
    signature: bytes


class Key(msgspec.Struct):
    """A key as it is published."""

    kty: str = ""
    crv: str = ""
    x: str = ""


class KeySet(msgspec.Struct):
    """What is published."""

    keys: list[Key]


def delivery_of(headers: Mapping[str, str], body: bytes, now: Millis) -> Delivery | None:
    """What a call says of itself; None for one that is not in fal's form, or was not signed just now."""
    names = ("request-id", "user-id", "timestamp", "signature")
    request_id, user_id, timestamp, signature = (headers.get(f"x-fal-webhook-{name}", "") for name in names)
    if (
        not request_id
        or not re.fullmatch(r"[0-9]{1,12}", timestamp)
        or not re.fullmatch(r"[0-9a-fA-F]{128}", signature)
    ):
        return None
    if abs(int(timestamp) * 1000 - now) > TOLERANCE_MS:
        return None
    message = "\n".join((request_id, user_id, timestamp, hashlib.sha256(body).hexdigest()))
    return Delivery(request_id, message.encode(), bytes.fromhex(signature))


class Keys:
    """The keys that fal publishes, kept for a day at most."""

    def __init__(self, outgoing: Outgoing, clock: Clock) -> None:
        self._outgoing, self._clock = outgoing, clock
        self._keys: Sequence[Ed25519PublicKey] = ()
        self._fetched_at: Millis | None = None
        self._one = asyncio.Lock()

    async def signed(self, delivery: Delivery) -> bool:
        """Whether one of the keys made the signature. Raises OutgoingError when they are needed and cannot be had."""
        await self._fetch(DAY)
        if _is_signed(delivery, self._keys):
            return True
        return await self._fetch(FRESH_MS) and _is_signed(delivery, self._keys)

    async def _fetch(self, older_than: Millis) -> bool:
        """Fetch them unless they are younger; whether they were fetched. One fetches for all that wait."""
        async with self._one:
            now = self._clock.now()
            if self._fetched_at is not None and now - self._fetched_at < older_than:
                return False
            answer = await self._outgoing.ask("GET", PATH)
            if not answer.ok:
                raise OutgoingError(Trouble.STATUS, answer.where, sent=True, more=str(answer.status))
            self._keys, self._fetched_at = keys_of(answer.json(KeySet)), now
            return True


def keys_of(published: KeySet) -> list[Ed25519PublicKey]:
    """Those of the right kind."""
    keys: list[Ed25519PublicKey] = []
    for key in published.keys:
        if (key.kty, key.crv) == ("OKP", "Ed25519"):
            try:
                keys.append(Ed25519PublicKey.from_public_bytes(_base64url(key.x)))
            except (ValueError, binascii.Error):
                continue
    return keys


def _base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_signed(delivery: Delivery, keys: Sequence[Any]) -> bool:
    for key in keys:
        try:
            key.verify(delivery.signature, delivery.message)
        except InvalidSignature:
            continue
        return True
    return False
