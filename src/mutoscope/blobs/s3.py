"""Bytes in a bucket of S3, or of a server that speaks its language, through obstore (the object_store of Rust).

The bucket may belong to a running site. Only keys of ours are ever read, listed or removed, and every object says in its
metadata (``mutoscope``) whose it is. Objects are private; people get signed addresses.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import httpx2
import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from mutoscope.blobs.port import CHUNK_BYTES, BlobInfo, BlobMissing, BlobsUnavailable
from mutoscope.blobs.sentences import SENTENCES, sentence
from mutoscope.blobs.sigv4 import LONGEST_S, Signer
from mutoscope.blobs.unfinished import Unfinished
from mutoscope.blobs.uploads import SILENCE_S, SLOW_SILENCE_S, Uploads
from mutoscope.domain.ids import DAY, SECOND, Clock, Ids, Millis
from mutoscope.domain.media import Kind, Variant, is_key, key_for

PATIENCE = timedelta(seconds=30)
"""How long a request is tried again while the bucket does not answer or says that it is busy."""
UNFINISHED_MS: Millis = DAY
"""From what age on an upload without an end is given up."""
LISTED = 500
ROOTS = ("images/", "sources/", "videos/")
OURS = ("images/med_", "sources/gen_", "videos/med_")
"""How every key of ours begins: uploads of others in the same bucket are not even listed."""
_PREFIX = re.compile(r"(?:images|sources|videos)/(?:[a-z0-9_-][a-z0-9._-]*/)*[a-z0-9._-]*")


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
        self.store = _open(place, SILENCE_S)
        self.uploads = Uploads(self.store, _open(place, SLOW_SILENCE_S))
        self._signer = place.signer
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
        with self._in_words("put"):
            await self.uploads.put(key, source, size_bytes, attributes)

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
            raise BlobsUnavailable(sentence(answer.text, "read by a signed address"))

    async def sweep(self) -> int:
        """Give up parts of ours that a crash left without an end, which nobody sees and everybody pays for; how many.

        Nothing is done with keys that the chain finds: a lifecycle rule of the bucket does it there.
        """
        if self._signer is None:
            return 0
        swept, before = 0, self._clock.now() - UNFINISHED_MS
        async with Unfinished(self.place.address, self._signer, self._clock, PATIENCE.seconds) as uploads:
            for prefix in OURS:
                for upload in await uploads.list(prefix):
                    if is_key(upload.key) and upload.begun_at < before:
                        swept += await uploads.give_up(upload)
        return swept

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
            raise BlobsUnavailable(sentence(said, what)) from None


def open_s3(place: S3Place, clock: Clock) -> S3Blobs:
    """The blobs in that bucket."""
    return S3Blobs(place, clock)


def _open(place: S3Place, silence_s: int) -> S3Store:
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
        # An answer may take long; silence before it or in the middle of it may not.
        client_options={"allow_http": plain, "connect_timeout": "5s", "read_timeout": f"{silence_s}s", "timeout": "6h"},
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
