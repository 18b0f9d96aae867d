"""Addresses signed with AWS Signature Version 4, in the query string.

By hand, since the address of an object has to stay the same within a window of time so that caches work, in every
process; obstore signs with the present moment. The steps are those of
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from mutoscope.domain.ids import Millis

ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
LONGEST_S = 7 * 24 * 3600
"""What S3 allows an address to hold at most."""


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Half a key pair and its secret half, for one region. ``session_token`` comes with keys that end."""

    access_key_id: str
    secret_access_key: str
    region: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Signer(region={self.region!r})"

    def sign(
        self, url: str, at: Millis, seconds: int, method: str = "GET", query: Mapping[str, str] | None = None
    ) -> str:
        """The address with its signature: it opens from ``at`` for ``seconds``, which are 1 to LONGEST_S.

        ``url`` is the object's address, or the bucket's, without a query; its path is not quoted yet.
        """
        if not 0 < seconds <= LONGEST_S:
            raise ValueError("an address holds for 1 second to 7 days")
        parts = urlsplit(url)
        stamp = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        asked = {
            **(query or {}),
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.access_key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
        }
        if self.session_token:
            asked["X-Amz-Security-Token"] = self.session_token
        path = quote(parts.path or "/", safe="/-_.~")
        text = "&".join(f"{quote(name, safe='-_.~')}={quote(asked[name], safe='-_.~')}" for name in sorted(asked))
        request = f"{method}\n{path}\n{text}\nhost:{_host(parts)}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = _key(self.secret_access_key, stamp[:8], self.region)
        signature = hmac.new(key, f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), hashlib.sha256).hexdigest()
        return f"{parts.scheme}://{parts.netloc}{path}?{text}&X-Amz-Signature={signature}"


def _host(parts: SplitResult) -> str:
    """What a client will send as Host, which is what is signed: small letters, and no port that goes without saying."""
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(DEFAULT_PORTS[parts.scheme])


@lru_cache(8)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key
