"""Signed addresses: they open one variant of one item for a while, for whoever holds them.

An address is the same for everyone and stays the same within a window of time, so that caches work; it holds for at
least one whole window after it was made, unless the item is closed to some who could see it: an address says for which
visibility it was made, and whether the item was locked then. One that was handed out through a share link names the link and
opens what the link opens, as long as the link stands: whoever checks the signature looks at the link again. One of a file that
strangers may not have is made for one person, and is no address for anybody else; who that is does not stand in it, but
whoever checks it has to know.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

from mutoscope.domain.ids import Clock, Millis, is_id
from mutoscope.domain.media import Media, Variant

SIGNATURE_CHARS = 32
REMEMBERED = 8_192
"""How many addresses are remembered instead of being signed again: those of the newest thousand items."""


class Addresses:
    """Makes and checks signed addresses. ``keys``: newest first; the newest signs, all of them verify."""

    def __init__(self, keys: Sequence[bytes], clock: Clock, window_ms: Millis) -> None:
        if not keys or window_ms <= 0:
            raise ValueError("signing needs a key and a window")
        self._keys, self._clock, self._window_ms = tuple(keys), clock, window_ms
        self._path = lru_cache(REMEMBERED)(self._make)

    def window(self) -> int:
        """The number of the window of time that it is: addresses stay as they are within it."""
        return self._clock.now() // self._window_ms

    def path(self, item: Media, variant: Variant, only: str | None = None) -> str:
        """The path and query that opens that variant of the item as it is.

        ``only``: the id of the share link, or of the person, for which alone it is made.
        """
        return self._path(item.id, _standing(item), variant, self.window(), only)

    def _make(self, media_id: str, standing: str, variant: Variant, window: int, only: str | None) -> str:
        expires = (window + 2) * self._window_ms // 1000
        signature = self._sign(self._keys[0], media_id, standing, variant, expires, only)
        return written(media_id, variant, str(expires), signature, only if only and is_id(only, "shr") else None)

    def verify(self, item: Media, variant: Variant, expires: str, signature: str, only: str | None = None) -> bool:
        """Whether the parameters of an address are ours, for that variant of the item as it is and for those alone (None: for
        everyone), and still hold.
        """
        if (
            not (expires.isascii() and expires.isdigit() and len(expires) < 14 and expires[0] != "0")
            or int(expires) * 1000 <= self._clock.now()
        ):
            return False
        return any(
            hmac.compare_digest(
                self._sign(key, item.id, _standing(item), variant, int(expires), only).encode(), signature.encode()
            )
            for key in self._keys
        )

    def _sign(
        self, key: bytes, media_id: str, standing: str, variant: Variant, expires_s: int, only: str | None
    ) -> str:
        whose = "" if only is None else f"\n{only}"
        text = f"{media_id}\n{standing}\n{variant}\n{expires_s}{whose}"
        digest = hmac.digest(key, text.encode(errors="replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode()[:SIGNATURE_CHARS]


def written(media_id: str, variant: Variant, expires: str, signature: str, link_id: str | None = None) -> str:
    """The one way to write a signed address. Others may open as well, but no cache should keep a copy for each."""
    through = "" if link_id is None else f"l={link_id}&"
    return f"/media/{media_id}/{variant}?{through}e={expires}&s={signature}"


def _standing(item: Media) -> str:
    return f"{item.visibility}{' locked' if item.locked else ''}"
