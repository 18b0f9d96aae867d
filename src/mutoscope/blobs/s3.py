"""Bytes in a bucket of S3, or of a server that speaks its language, through obstore (the object_store of Rust).

The bucket may belong to a running site. Only keys of ours are ever read, listed or removed, and every object says in its
metadata (``mutoscope``) whose it is. Objects are private; people get signed addresses.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import httpx2
import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from mutoscope.blobs.port import CHUNK_BYTES, BlobInfo, BlobMissing, BlobsUnavailable
from mutoscope.blobs.sigv4 import LONGEST_S, Signer
from mutoscope.domain.ids import DAY, SECOND, Clock, Ids, Millis
from mutoscope.domain.media import Kind, Variant, is_key, key_for

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes; two are in memory for each file that is being stored."""
PARTS_AT_ONCE = 2
PUTS_AT_ONCE = 3
"""How many files are stored at once; the others wait, so that memory stays what it is."""
PATIENCE = timedelta(seconds=30)
"""How long a request is tried again while the bucket does not answer or says that it is busy."""
UNFINISHED_MS: Millis = DAY
"""From what age on an upload without an end is given up."""
LISTED = 500
ROOTS = ("images/", "sources/", "videos/")
_PREFIX = re.compile(r"(?:images|sources|videos)/(?:[a-z0-9_-][a-z0-9._-]*/)*[a-z0-9._-]*")
_CODES = re.compile(r"<Code>(\w+)</Code>")

SENTENCES = {
    "NoSuchBucket": "There is no bucket of that name: make it, or mend AWS_S3_BUCKET.",
    "InvalidAccessKeyId": "The bucket's server does not know this key: mend AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The key's secret half is wrong: mend AWS_SECRET_ACCESS_KEY.",
    "InvalidToken": "The session token is wrong: mend AWS_SESSION_TOKEN.",
    "ExpiredToken": "The session token has run out: get a new AWS_SESSION_TOKEN.",
    "RequestTimeTooSkewed": "This machine's clock is wrong by minutes: set it, and let it be kept right.",
    "PermanentRedirect": "The bucket is in another region: mend AWS_REGION.",
    "AuthorizationHeaderMalformed": "The bucket is in another region: mend AWS_REGION.",
    "IllegalLocationConstraintException": "The bucket is in another region: mend AWS_REGION.",
    "QuotaExceeded": "The bucket is full: raise its quota.",
    "SlowDown": "The bucket's server is too busy just now: try again later.",
}
"""What to do for the words in which S3 refuses (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""


Uploads = list[tuple[str, str, Millis]]


class S3Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which bucket. Without the key pair, the usual chain finds one: web identity, containers, instance metadata.

    ``endpoint`` is the address of another server than Amazon's, asked by path; http only when it says so.
    """

    bucket: str
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    endpoint: str | None = None

    def __repr__(self) -> str:
        return f"S3Place(bucket={self.bucket!r}, region={self.region!r}, endpoint={self.endpoint!r})"

    @property
    def address(self) -> str:
        """The bucket's own address, without a slash at the end."""
        if self.endpoint is not None:
            return f"{self.endpoint}/{self.bucket}"
        host = f"s3.{self.region}.amazonaws.com"
        # The wildcard of Amazon's certificate covers no name with dots in it.
        return f"https://{host}/{self.bucket}" if "." in self.bucket else f"https://{self.bucket}.{host}"

    @property
    def signer(self) -> Signer | None:
        """Signs by the pair; None where the chain has to find one."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        return Signer(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            region=self.region,
            session_token=self.session_token,
        )


class S3Blobs:
    """The blob port over a bucket. Nothing is asked of it before the first call."""

    def __init__(self, place: S3Place, clock: Clock) -> None:
        self.place, self._clock = place, clock
        self.store = _open(place)
        self._signer = place.signer
        self._turns = asyncio.Semaphore(PUTS_AT_ONCE)
        self._signed = lru_cache(8_192)(self._sign)
        self._chained: dict[tuple[str, int, int], str] = {}

    async def put(self, key: str, source: Path, content_type: str) -> None:
        """Store a file: one request, or parts that appear together at the end. The server checks a SHA-256 of each request."""
        size_bytes = (await asyncio.to_thread(source.stat)).st_size
        name = _ours(key).rpartition("/")[2]
        attributes = {
            "Content-Type": content_type,
            "Content-Disposition": f'inline; filename="{name}"',
            "mutoscope": key.rpartition("/")[0].rpartition("/")[2] or name,
        }
        async with self._turns:
            with self._in_words("put"):
                await obstore.put_async(
                    self.store, key, source, attributes=cast(Any, attributes),
                    use_multipart=size_bytes > PART_BYTES, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE,
                )  # fmt: skip

    async def head(self, key: str) -> BlobInfo:
        """Size and time, by one request."""
        try:
            with self._in_words("read"):
                return _info(await obstore.head_async(self.store, _ours(key)))
        except FileNotFoundError:
            raise BlobMissing(key) from None

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of one answer. One that ends too soon raises BlobsUnavailable. Raises ValueError when ``start`` < 0."""
        _ours(key)
        if start < 0:
            raise ValueError("a range starts at 0 or later")
        if end is not None and end <= start:
            return
        if start:
            # S3 refuses a range that begins behind the end, without saying where the end is.
            end = min((await self.head(key)).size_bytes, end if end is not None else 1 << 62)
            if start >= end:
                return
        try:
            with self._in_words("read"):
                asked: Any = (
                    None if start == 0 and end is None else {"range": (start, end) if end else {"offset": start}}
                )
                result = await obstore.get_async(self.store, key, options=asked)
                left = result.range[1] - result.range[0]
                async for block in result.stream(min_chunk_size=CHUNK_BYTES):
                    left -= len(block)
                    view = memoryview(block)
                    for at in range(0, len(view), CHUNK_BYTES):
                        yield bytes(view[at : at + CHUNK_BYTES])
        except FileNotFoundError:
            raise BlobMissing(key) from None
        if left:
            raise BlobsUnavailable("The bucket's answer ended too soon.")

    async def delete(self, key: str) -> None:
        """Remove."""
        with self._in_words("delete"), suppress(FileNotFoundError):
            await obstore.delete_async(self.store, _ours(key))

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """What is ours, in the order in which S3 lists: that of the keys."""
        for folder in _folders(prefix):
            with self._in_words("list"):
                async for batch in obstore.list(self.store, folder, chunk_size=LISTED):
                    for meta in batch:
                        if meta["path"].startswith(prefix) and is_key(meta["path"]):
                            yield _info(meta)

    async def presign(self, key: str, seconds: int) -> str | None:
        """The object's address for that long at least: the same within a window of ``seconds``, in every process.

        With keys that the chain finds, the same within one process. ``seconds``: at most half of 7 days.
        """
        seconds = min(seconds, LONGEST_S // 2)
        window = self._clock.now() // (seconds * SECOND)
        if self._signer is not None:
            return self._signed(_ours(key), seconds, window)
        return await self._by_chain(_ours(key), seconds, window)

    def _sign(self, key: str, seconds: int, window: int) -> str:
        assert self._signer is not None
        return self._signer.sign(f"{self.place.address}/{key}", window * seconds * SECOND, 2 * seconds)

    async def _by_chain(self, key: str, seconds: int, window: int) -> str:
        known = (key, seconds, window)
        if known not in self._chained:
            if any(of != window for _, each, of in self._chained if each == seconds) or len(self._chained) > 8_192:
                self._chained.clear()
            with self._in_words("read"):
                self._chained[known] = await obstore.sign_async(self.store, "GET", key, timedelta(seconds=2 * seconds))
        return self._chained[known]

    async def check(self) -> None:
        """Store, read back, open by a signed address and remove a small object. Raises BlobsUnavailable."""
        key = key_for(Kind.IMAGE, Ids(self._clock).new("med"), Variant.MASTER, "image/png")
        with self._in_words("put"):
            await obstore.put_async(self.store, key, b"mutoscope", attributes=cast(Any, {"mutoscope": "check"}))
        try:
            if b"".join([chunk async for chunk in self.read(key)]) != b"mutoscope":
                raise BlobsUnavailable("The bucket does not give back what was stored in it.")
            await self._open_signed(key)
        except BlobMissing:
            raise BlobsUnavailable("What was just stored in the bucket is not there.") from None
        finally:
            await self.delete(key)

    async def _open_signed(self, key: str) -> None:
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE.seconds) as http:
                answer = await http.get(await self.presign(key, 300) or "")
        except httpx2.TransportError as e:
            raise BlobsUnavailable("The bucket does not answer at its signed addresses: look at the network.") from e
        if answer.status_code != 200:
            raise BlobsUnavailable(_sentence(answer.text, "read by a signed address"))

    async def sweep(self) -> int:
        """Give up parts of ours that a crash left without an end, which nobody sees and everybody pays for; how many.

        Nothing is done with keys that the chain finds: a lifecycle rule of the bucket does it there.
        """
        if self._signer is None:
            return 0
        swept = 0
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE.seconds) as http:
            for key, upload, begun in await self._unfinished(http, self._signer):
                if is_key(key) and begun < self._clock.now() - UNFINISHED_MS:
                    query = {"uploadId": upload}
                    url = self._signer.sign(f"{self.place.address}/{key}", self._clock.now(), 300, "DELETE", query)
                    swept += (await http.delete(url)).is_success
        return swept

    async def _unfinished(self, http: httpx2.AsyncClient, signer: Signer) -> Sequence[tuple[str, str, Millis]]:
        """Key, number and beginning of each unfinished upload; the first thousand, the rest another time."""
        try:
            answer = await http.get(signer.sign(self.place.address, self._clock.now(), 300, query={"uploads": ""}))
        except httpx2.TransportError as e:
            raise BlobsUnavailable("The bucket does not answer.") from e
        if answer.status_code != 200:
            raise BlobsUnavailable(_sentence(answer.text, "list unfinished uploads"))
        found: Uploads = []
        for upload in ElementTree.fromstring(answer.content).iter():  # noqa: S314  # the bucket's server is trusted with the films
            if upload.tag.endswith("}Upload") or upload.tag == "Upload":
                of = {child.tag.rpartition("}")[2]: child.text or "" for child in upload}
                begun = msgspec.convert(of["Initiated"], datetime, strict=False)
                found.append((of["Key"], of["UploadId"], int(begun.timestamp() * 1000)))
        return found

    @contextmanager
    def _in_words(self, what: str) -> Generator[None]:
        """Around what the bucket does. A missing object is left as FileNotFoundError, except where that is the bucket."""
        try:
            yield
        except FileNotFoundError as e:
            if what in ("read", "delete") and "NoSuchBucket" not in str(e):
                raise
            raise BlobsUnavailable(SENTENCES["NoSuchBucket"]) from None
        except (BaseError, OSError) as e:
            said = str(e)
            raise BlobsUnavailable(_sentence(said, what)) from None


def open_s3(place: S3Place, clock: Clock) -> S3Blobs:
    """The blobs in that bucket."""
    return S3Blobs(place, clock)


def _open(place: S3Place) -> S3Store:
    config: dict[str, Any] = {
        "region": place.region,
        "checksum_algorithm": "SHA256",
        "disable_bulk_delete": True,
        "disable_tagging": True,
    }
    given = {
        "access_key_id": place.access_key_id,
        "secret_access_key": place.secret_access_key,
        "session_token": place.session_token,
        "endpoint": place.endpoint,
    }
    config |= {name: value for name, value in given.items() if value is not None}
    plain = place.endpoint is not None and place.endpoint.startswith("http://")
    return S3Store(
        place.bucket,
        config=cast(Any, config),
        # A film may take long; silence in the middle of it may not.
        client_options={"allow_http": plain, "connect_timeout": "5s", "read_timeout": "20s", "timeout": "6h"},
        retry_config={"max_retries": 10, "retry_timeout": PATIENCE},
    )


def _ours(key: str) -> str:
    if not is_key(key):
        raise ValueError("that is not a key of ours")
    return key


def _folders(prefix: str) -> tuple[str, ...]:
    """The folders that can hold keys which begin so: a bucket may hold much that is not ours."""
    if _PREFIX.fullmatch(prefix):
        return (prefix.rpartition("/")[0],)
    return tuple(root.rstrip("/") for root in ROOTS if root.startswith(prefix))


def _info(meta: Any) -> BlobInfo:
    return BlobInfo(
        key=meta["path"], size_bytes=meta["size"], modified_at=int(meta["last_modified"].timestamp() * 1000)
    )


def _sentence(said: str, what: str) -> str:
    """What to do, without any of the server's own words but its code: those may repeat a key."""
    code = next(iter(_CODES.findall(said)), "")
    if code in SENTENCES:
        return SENTENCES[code]
    if code == "AccessDenied" or "403" in said:
        return f"The key may not {what} in the bucket: give it the permission (put, get, list and delete objects)."
    if code:
        return f"The bucket refused to {what}: {code}."
    if "connect" in said or "dns" in said.casefold() or "timed out" in said or "timeout" in said:
        return "The bucket's server does not answer: look at AWS_ENDPOINT_URL, AWS_REGION and the network."
    return f"The bucket did not {what}: its server answered with an error, or not at all."
