"""Whether a call is fal's: an Ed25519 signature by one of the keys that fal publishes.

What is signed are the request's id, the account's id, the time, and the checksum of the body, with a newline between
(https://fal.ai/docs/model-apis/webhooks).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mutoscope.domain.ids import DAY, SECOND, Clock, Millis
from mutoscope.outgoing import Outgoing, OutgoingError, Trouble
from mutoscope.providers.signing import SIGNING, Kept

PATH = "/.well-known/jwks.json"
TOLERANCE_MS: Millis = 300 * SECOND


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
        async def ask() -> Sequence[Ed25519PublicKey]:
            answer = await outgoing.ask("GET", PATH, repeatable=False, limits=SIGNING)
            if not answer.ok:
                raise OutgoingError(Trouble.STATUS, answer.where, sent=True, more=str(answer.status))
            return keys_of(answer.json(KeySet))

        self._kept = Kept(ask, clock, longest_ms=DAY)

    async def signed(self, delivery: Delivery) -> bool:
        """Whether one of the keys made the signature. Raises OutgoingError or CannotSay when they cannot be had."""
        return await self._kept.fits(lambda keys: _is_signed(delivery, keys))


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
