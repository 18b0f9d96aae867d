"""The bytes of items, through a real server: ranges, caches, names, and clients that go away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
import pytest_asyncio

from mutoscope.blobs.port import CHUNK_BYTES
from mutoscope.domain.ids import HOUR
from mutoscope.domain.media import Media, StoredFile, Variant, Visibility, key_for
from web.answers import code
from web.house import House, content, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = len(content("", Variant.MASTER))


@pytest_asyncio.fixture(loop_scope="session")
async def item(lasting: House) -> Media:
    """A public film."""
    return await lasting.published(lasting.alice)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(lasting: House) -> AsyncIterator[httpx2.AsyncClient]:
    """A stranger at a real server."""
    async with served(lasting.app) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-1", 0, 2),  # Safari's first question: without a true 206 it plays nothing.
        ("bytes=0-", 0, SIZE),
        ("bytes=100-199", 100, 200),
        ("bytes=-5", SIZE - 5, SIZE),
        ("bytes=-999999", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=3000-999999", 3000, SIZE),
    ],
)
async def test_one_range_is_answered_with_just_that(
    item: Media, client: httpx2.AsyncClient, asked: str, start: int, end: int
) -> None:
    answer = await client.get(f"/media/{item.id}/master", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.content == content(item.id, Variant.MASTER)[start:end]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "bytes=a-b", "pages=1-2", ""])
async def test_what_is_no_single_range_is_answered_with_the_whole(
    item: Media, client: httpx2.AsyncClient, asked: str
) -> None:
    answer = await client.get(f"/media/{item.id}/master", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, content(item.id, Variant.MASTER))
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=99999-100000", "bytes=-0"])
async def test_a_range_outside_the_file_is_refused_with_its_size(
    item: Media, client: httpx2.AsyncClient, asked: str
) -> None:
    answer = await client.get(f"/media/{item.id}/master", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


async def test_a_range_of_a_version_that_changed_is_answered_with_the_whole(
    item: Media, client: httpx2.AsyncClient
) -> None:
    path = f"/media/{item.id}/master"
    etag = (await client.head(path)).headers["etag"]
    for if_range, status in (
        (etag, 206),
        ('"another"', 200),
        (f"W/{etag}", 200),
        ("Sun, 22 Nov 2026 12:00:00 GMT", 200),
    ):
        answer = await client.get(path, headers={"Range": "bytes=0-1", "If-Range": if_range})
        assert answer.status_code == status, if_range


async def test_what_a_browser_has_already_is_not_sent_again(item: Media, client: httpx2.AsyncClient) -> None:
    path = f"/media/{item.id}/poster"
    etag = (await client.get(path)).headers["etag"]
    for header in (etag, f'"x", W/{etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await client.get(path, headers={"If-None-Match": '"x"'})).status_code == 200


async def test_the_tag_of_a_file_changes_when_it_is_locked_and_holds_no_checksum(
    lasting: House, item: Media, client: httpx2.AsyncClient
) -> None:
    async with lasting.as_(lasting.alice) as owner:
        before = (await owner.get(f"/media/{item.id}/master")).headers["etag"]
        await lasting.change(item, unlock_price=5)
        after = (await owner.get(f"/media/{item.id}/master")).headers["etag"]
    assert before != after
    assert item.facts.sha256[:16] not in before


async def test_head_tells_what_get_would(item: Media, client: httpx2.AsyncClient) -> None:
    path = f"/media/{item.id}/master"
    head, get = await client.head(path, headers={"Range": "bytes=0-1"}), await client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    ours = ("content-length", "content-type", "etag", "accept-ranges", "content-disposition", "cache-control")
    assert [head.headers[name] for name in ours] == [get.headers[name] for name in ours]


async def test_header_fields_keep_a_file_from_being_anything_else(item: Media, client: httpx2.AsyncClient) -> None:
    headers = (await client.get(f"/media/{item.id}/master")).headers
    assert headers["content-type"] == "video/mp4"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert headers["accept-ranges"] == "bytes"
    assert headers["vary"] == "Cookie, Authorization"


async def test_caches_keep_a_file_no_longer_than_its_address_holds(house: House) -> None:
    item = await house.published(house.alice)
    house.clock.tick(HOUR // 4)
    async with house.client() as client:
        plain = (await client.get(f"/media/{item.id}/master")).headers["cache-control"]
        signed = (await client.get(house.studio.addresses.path(item, Variant.MASTER))).headers["cache-control"]
    assert plain == "private, max-age=2700"
    assert signed == "private, max-age=6300"


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("A lighthouse", 'filename="A lighthouse.mp4"'),
        ('x"\r\nSet-Cookie: a=b', 'filename="x Set-Cookie ab.mp4"'),
        ("../../etc/passwd", 'filename="etc passwd.mp4"'),
        ("Büro im Nebel", 'filename="Buro im Nebel.mp4"'),
        ("霧の灯台", 'filename="untitled.mp4"'),
        ("\u202egnp.exe", 'filename="gnp.exe.mp4"'),
        (".", 'filename="untitled.mp4"'),
    ],
)
async def test_a_title_becomes_a_harmless_file_name(
    lasting: House, item: Media, client: httpx2.AsyncClient, title: str, plain: str
) -> None:
    await lasting.change(item, title=title)
    answer = await client.get(f"/media/{item.id}/master", params={"download": "1"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert plain in disposition
    assert (await client.get(f"/media/{item.id}/master")).headers["content-disposition"].startswith("inline; ")


async def test_the_file_name_of_a_locked_item_tells_nothing_of_its_prompt(
    lasting: House, client: httpx2.AsyncClient
) -> None:
    item = await lasting.published(lasting.alice, unlock_price=5, title="Secret words of the prompt")
    answer = await client.get(lasting.studio.addresses.path(item, Variant.BLURRED))
    assert answer.status_code == 200
    assert "Secret" not in answer.headers["content-disposition"]


async def test_a_file_that_is_missing_is_our_fault_and_said_before_the_answer_begins(
    lasting: House, item: Media, client: httpx2.AsyncClient
) -> None:
    await lasting.blobs.delete(item.files[Variant.MASTER].key)
    answer = await client.get(f"/media/{item.id}/master")
    assert code(answer) == (503, "unavailable")
    assert "retry-after" in answer.headers
    assert item.files[Variant.MASTER].key not in answer.text


@pytest.mark.parametrize("path", ["nothing", "master.mp4", "..%2f..%2fetc%2fpasswd", "poster%00"])
async def test_an_unknown_variant_is_not_there(item: Media, client: httpx2.AsyncClient, path: str) -> None:
    assert code(await client.get(f"/media/{item.id}/{path}")) == (404, "not_found")


async def test_a_client_that_goes_away_stops_the_reading(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    size, read, closed = 400 * CHUNK_BYTES, 0, asyncio.Event()

    async def endless(key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        nonlocal read
        try:
            for _ in range(400):
                read += CHUNK_BYTES
                yield b"x" * CHUNK_BYTES
        finally:
            closed.set()

    item = await house.published(house.alice)
    file = StoredFile(
        key=key_for(item.facts.kind, item.id, Variant.MASTER, "video/mp4"), mime_type="video/mp4", size_bytes=size
    )
    await house.change(item, files=item.files | {Variant.MASTER: file})
    monkeypatch.setattr(house.blobs, "read", endless)
    async with served(house.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(f"GET /media/{item.id}/master HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
        await asyncio.wait_for(closed.wait(), 20)
    assert read < size


@pytest.mark.parametrize(
    "closing",
    [
        {"visibility": Visibility.PRIVATE},
        {"is_blurred": True},
        {"unlock_price": 5},
        {"hidden": True},
        {"trashed_at": 1},
    ],
)
async def test_an_address_from_before_an_item_was_closed_opens_it_no_more(
    house: House, closing: dict[str, Any]
) -> None:
    item = await house.published(house.alice)
    address = house.studio.addresses.path(item, Variant.MASTER)
    async with house.client() as client:
        assert (await client.get(address)).status_code == 200
        await house.change(item, **closing)
        assert code(await client.get(address)) == (404, "not_found")
        assert code(await client.get(address, headers={"Range": "bytes=0-1"})) == (404, "not_found")


async def test_a_large_film_is_sent_whole_in_small_pieces(lasting: House, client: httpx2.AsyncClient) -> None:
    item = await lasting.published(lasting.alice)
    file = item.files[Variant.MASTER]
    original = lasting.folder / "large"
    original.write_bytes(bytes(range(256)) * 20_000)
    await lasting.blobs.put(file.key, original, file.mime_type)
    larger = msgspec.structs.replace(file, size_bytes=original.stat().st_size)
    await lasting.change(item, files=item.files | {Variant.MASTER: larger})
    answer = await client.get(f"/media/{item.id}/master")
    assert answer.content == original.read_bytes()
