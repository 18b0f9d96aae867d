"""What a browser keeps of having known a link's password: signed, for that link alone, and for a while."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from mutoscope.domain.ids import Clock
from mutoscope.domain.sharing import PROOF_MS, ShareLink


class Proofs:
    """Makes and checks them. ``keys``: newest first; the newest signs, all of them verify."""

    def __init__(self, keys: Sequence[bytes], clock: Clock) -> None:
        self._keys, self._clock = tuple(keys), clock

    def make(self, link: ShareLink) -> str:
        """A proof for that link and its password."""
        expires = str((self._clock.now() + PROOF_MS) // 1000)
        return f"{expires}.{_sign(self._keys[0], link, expires)}"

    def verify(self, link: ShareLink, proof: str) -> bool:
        """Whether the proof is ours, for that link, and still holds."""
        expires, _, signature = proof.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 14):
            return False
        if int(expires) * 1000 <= self._clock.now():
            return False
        return any(
            hmac.compare_digest(_sign(key, link, expires).encode(), signature.encode(errors="replace"))
            for key in self._keys
        )


def _sign(key: bytes, link: ShareLink, expires: str) -> str:
    # The first line is none that an address of a file begins with: both are signed with the same keys.
    text = f"password of a share link\n{link.id}\n{link.password_hash}\n{expires}"
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode().rstrip("=")
