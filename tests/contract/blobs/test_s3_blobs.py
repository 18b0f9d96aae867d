"""What the bucket promises beyond the contract: signed addresses, a bucket shared with others, and sentences when it fails."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import obstore
import pytest

from mutoscope.blobs.port import Blobs, BlobsUnavailable
from mutoscope.blobs.s3 import PATIENCE, S3Blobs, S3Place, open_s3
from mutoscope.domain.ids import HOUR, SECOND, Clock, Millis, SystemClock
from servers.s3 import KEYS, S3Server, free_port, place_in

SERVERS = ["ministack", "radosgw"]


class Fixed:
    """A clock that stands."""

    def __init__(self, at: Millis) -> None:
        self.at = at

    def now(self) -> Millis:
        return self.at


class Later:
    """The clock, some time from now."""

    def __init__(self, by_ms: Millis) -> None:
        self.by_ms = by_ms

    def now(self) -> Millis:
        return SystemClock().now() + self.by_ms


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest, serve: Callable[[str], S3Server], key: str) -> S3Place:
    """A bucket of its own."""
    name = request.param
    return place_in(name, serve(name).endpoint, f"own-{key.split('/')[1].replace('_', '-')}")


def at(place: S3Place, clock: Clock | None = None) -> S3Blobs:
    return open_s3(place, clock or SystemClock())


async def store(blobs: Blobs, key: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(data)
    await blobs.put(key, tmp_path / "source", "video/mp4")


def other(place: S3Place, **fields: Any) -> S3Place:
    known = {name: getattr(place, name) for name in place.__struct_fields__}
    return S3Place(**known | fields)


async def test_a_signed_address_opens_the_object_as_it_was_stored_and_ranges_of_it(
    place: S3Place, key: str, tmp_path: Path
) -> None:
    blobs = at(place)
    await store(blobs, key, b"0123456789", tmp_path)
    url = await blobs.presign(key, 300)
    assert url is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        whole = await http.get(url)
        part = await http.get(url, headers={"Range": "bytes=0-1"})
        bare = await http.get(url.partition("?")[0])
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, b"0123456789", "video/mp4")
    assert whole.headers["content-disposition"] == 'inline; filename="master.mp4"'
    assert (part.status_code, part.content) == (206, b"01")
    # The emulator lets everybody in.
    assert bare.status_code == 403 or place.access_key_id == KEYS["ministack"][0]


async def test_an_address_is_the_same_within_its_window_and_opens_for_as_long_as_was_asked(
    serve: Callable[[str], S3Server], key: str, tmp_path: Path
) -> None:
    place = place_in("radosgw", serve("radosgw").endpoint, "windows")
    window, now = 600, SystemClock().now()
    begun = now - now % (window * SECOND)
    early, late = at(place, Fixed(begun)), at(place, Fixed(begun + window * SECOND - 1))
    await store(early, key, b"film", tmp_path)
    url = await early.presign(key, window)
    assert url == await late.presign(key, window)
    assert url != await at(place, Fixed(begun + window * SECOND)).presign(key, window)
    assert parse_qs(urlsplit(str(url)).query)["X-Amz-Expires"] == [str(2 * window)]
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(str(url))).status_code == 200
        assert (await http.get(str(url).replace("master", "poster"))).status_code == 403
        gone = await at(place, Later(-2 * HOUR)).presign(key, window)
        assert (await http.get(str(gone))).status_code == 403


async def test_what_others_keep_in_the_bucket_is_not_touched_and_not_shown(
    place: S3Place, key: str, tmp_path: Path
) -> None:
    blobs = at(place)
    theirs = ["index.html", "images/logo.png", "images/med_1/master.png", "videos/2024/old.mp4", "sources/readme.md"]
    for name in theirs:
        await obstore.put_async(blobs.store, name, b"theirs")
    await store(blobs, key, b"film", tmp_path)
    assert [info.key async for info in blobs.list("")] == [key]
    assert [info.key async for info in blobs.list("images/")] == []
    for name in theirs:
        with pytest.raises(ValueError, match="not a key of ours"):
            await blobs.delete(name)
    await blobs.delete(key)
    left = {meta["path"] for batch in obstore.list(blobs.store) for meta in batch}
    assert left == set(theirs)


async def test_an_object_says_whose_it_is(place: S3Place, key: str, tmp_path: Path) -> None:
    blobs = at(place)
    await store(blobs, key, b"film", tmp_path)
    attributes = (await obstore.get_async(blobs.store, key)).attributes
    assert attributes["mutoscope"] == key.split("/")[1]


async def test_parts_that_a_crash_left_are_given_up_once_they_are_old_and_those_of_others_stay(
    place: S3Place, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.signer is not None
    monkeypatch.setattr("mutoscope.blobs.s3.UNFINISHED_MS", HOUR // 2)
    async with httpx2.AsyncClient(trust_env=False) as http:
        for name in (key, "backups/theirs.tar"):
            url = place.signer.sign(f"{place.address}/{name}", SystemClock().now(), 60, "POST", {"uploads": ""})
            assert (await http.post(url)).status_code == 200
        assert await at(place).sweep() == 0
        assert await at(place, Later(HOUR)).sweep() == 1
        left = await http.get(place.signer.sign(place.address, SystemClock().now(), 60, query={"uploads": ""}))
    assert key not in left.text
    assert "backups/theirs.tar" in left.text


async def test_the_check_of_a_bucket_that_is_right_says_nothing_and_leaves_nothing(place: S3Place) -> None:
    await at(place).check()
    assert [info.key async for info in at(place).list("")] == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"bucket": "not-there"}, "There is no bucket of that name"),
        ({"secret_access_key": "wrong" * 8}, "secret half is wrong"),
        ({"access_key_id": "NOTTHEKEY0123456789A"}, "does not know this key"),
    ],
)
async def test_a_check_says_what_is_wrong_and_no_secret(
    serve: Callable[[str], S3Server], fields: dict[str, str], sentence: str
) -> None:
    right = place_in("radosgw", serve("radosgw").endpoint, "checked")
    with pytest.raises(BlobsUnavailable) as said:
        await at(other(right, **fields)).check()
    assert sentence in str(said.value)
    for secret in (*KEYS["radosgw"], *fields.values()):
        assert secret not in str(said.value)


@contextmanager
def refusing(status: int, code: str) -> Iterator[str]:
    """A stub of S3 that refuses everything with one code."""

    class Refuses(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><Message>said by a stub for KEYKEYKEY</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (403, "RequestTimeTooSkewed", "clock is wrong"),
        (403, "AccessDenied", "may not put in the bucket"),
        (400, "AuthorizationHeaderMalformed", "mend AWS_REGION"),
        (400, "ExpiredToken", "session token has run out"),
        (507, "QuotaExceeded", "bucket is full"),
    ],
)
async def test_each_refusal_has_a_sentence_that_says_what_to_do(status: int, code: str, sentence: str) -> None:
    with refusing(status, code) as endpoint:
        place = S3Place(bucket="b", access_key_id="KEYKEYKEY", secret_access_key="s" * 40, endpoint=endpoint)
        with pytest.raises(BlobsUnavailable) as said:
            await asyncio.wait_for(at(place).check(), 2 * PATIENCE.seconds)
    assert sentence in str(said.value)
    assert "KEYKEYKEY" not in str(said.value)


async def test_a_server_that_is_not_there_is_said_so_and_one_that_comes_is_used(
    serve: Callable[[str], S3Server], key: str, tmp_path: Path
) -> None:
    nobody = S3Place(
        bucket="b", access_key_id="k", secret_access_key="s" * 40, endpoint=f"http://127.0.0.1:{free_port()}"
    )
    with pytest.raises(BlobsUnavailable, match="does not answer"):
        await asyncio.wait_for(at(nobody).head(key), 3 * PATIENCE.seconds)
    await store(at(place_in("ministack", serve("ministack").endpoint, "comes")), key, b"film", tmp_path)


async def test_a_body_that_is_cut_is_taken_up_where_it_ended(
    serve: Callable[[str], S3Server], key: str, tmp_path: Path
) -> None:
    place = place_in("ministack", serve("ministack").endpoint, "cut")
    data = bytes(range(256)) * 12_000
    await store(at(place), key, data, tmp_path)
    async with Cutting(serve("ministack").endpoint, after=1_000_000) as proxy:
        blobs = at(other(place, endpoint=proxy.address))
        assert b"".join([chunk async for chunk in blobs.read(key)]) == data
    assert proxy.connections > 2


class Cutting:
    """A proxy that ends every connection after so many bytes of answers."""

    def __init__(self, upstream: str, after: int) -> None:
        self._to, self._after = urlsplit(upstream), after
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def __aenter__(self) -> "Cutting":
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._pass(reader, writer)))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)

        async def up() -> None:
            while data := await reader.read(65_536):
                back.write(data)

        going, left = asyncio.create_task(up()), self._after
        try:
            while left > 0 and (data := await there.read(min(left, 65_536))):
                writer.write(data)
                await writer.drain()
                left -= len(data)
        finally:
            going.cancel()
            writer.transport.abort()
            back.transport.abort()
