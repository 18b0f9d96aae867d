"""Input that is wrong, hostile, empty or huge: each a problem with a stable code, nothing charged, nothing stored."""

import json
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from cast import generation
from mutoscope.domain.catalogue import PROMPT_CHARS
from mutoscope.domain.ids import DAY
from mutoscope.web.bodies import PARTS
from stubs.samples import samples
from web.answers import code, fields
from web.house import POLICY, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILM: dict[str, Any] = {"model": "local/dream", "prompt": "a lighthouse"}
DRIFT: dict[str, Any] = {"model": "local/drift", "prompt": "slowly"}
BOUNDARY = "b0undary"


@asynccontextmanager
async def nothing_happens(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """Alice's client; afterwards nothing may be charged, stored, ordered or left in the spool."""
    before = (await house.balance(house.alice), await house.keys(), await house.store.stats.totals())
    async with house.as_(house.alice) as client:
        yield client
    assert (await house.balance(house.alice), await house.keys(), await house.store.stats.totals()) == before
    assert house.spool.names() == []


@pytest.mark.parametrize(
    ("order", "status", "word", "named"),
    [
        ({}, 422, "invalid", {"model"}),
        ([], 422, "invalid", {"body"}),
        ("text", 422, "invalid", {"body"}),
        (FILM | {"model": 5}, 422, "invalid", {"model"}),
        (FILM | {"model": "acme/none"}, 422, "unknown_model", {"model"}),
        (FILM | {"model": "../../etc/passwd"}, 422, "unknown_model", {"model"}),
        (FILM | {"prompt": None}, 422, "invalid", {"prompt"}),
        (FILM | {"prompt": ["a"]}, 422, "invalid", {"prompt"}),
        (FILM | {"prompt": "a\x00b"}, 422, "invalid", {"prompt"}),
        (FILM | {"prompt": "x" * (PROMPT_CHARS + 1)}, 422, "invalid", {"prompt"}),
        (FILM | {"negative_prompt": "rain"}, 422, "invalid", {"negative_prompt"}),
        (FILM | {"parameters": {"duration_s": 11}}, 422, "invalid", {"duration_s"}),
        (FILM | {"parameters": {"duration_s": -1}}, 422, "invalid", {"duration_s"}),
        (FILM | {"parameters": {"duration_s": 2.5}}, 422, "invalid", {"duration_s"}),
        (FILM | {"parameters": {"duration_s": "5"}}, 422, "invalid", {"duration_s"}),
        (FILM | {"parameters": {"duration_s": True}}, 422, "invalid", {"duration_s"}),
        (FILM | {"parameters": {"duration_s": 1e308}}, 422, "invalid", {"duration_s"}),
        (FILM | {"parameters": {"size": "1x1"}}, 422, "invalid", {"size"}),
        (FILM | {"parameters": {"size": {"$gt": ""}}}, 422, "invalid", {"size"}),
        (FILM | {"parameters": {"price_each": 0}}, 422, "invalid", {"price_each"}),
        (FILM | {"parameters": "duration_s=1"}, 422, "invalid", {"parameters"}),
        (FILM | {"results": 0}, 422, "invalid", {"results"}),
        (FILM | {"results": 2}, 422, "invalid", {"results"}),
        (FILM | {"results": -1}, 422, "invalid", {"results"}),
        (FILM | {"results": 10**30}, 422, "invalid", {"results"}),
        (FILM | {"seed": -1}, 422, "invalid", {"seed"}),
        (FILM | {"seed": 2**32}, 422, "invalid", {"seed"}),
        (FILM | {"seed": "7"}, 422, "invalid", {"seed"}),
        (FILM | {"visibility": "secret"}, 422, "invalid", {"visibility"}),
        (FILM | {"category_selections": {"mood": "calm"}}, 422, "invalid", {"category_selections[...]"}),
        (FILM | {"category_selections": {"mood": ["none"]}}, 422, "invalid", {"category_selections.mood"}),
        (FILM | {"source_media": "med_" + "0" * 26}, 422, "invalid", {"image"}),
        (DRIFT, 422, "invalid", {"image"}),
        (DRIFT | {"source_media": "../../../etc/passwd"}, 404, "not_found", set()),
        (DRIFT | {"source_media": "med_" + "0" * 26}, 404, "not_found", set()),
    ],
)
async def test_an_order_that_cannot_be_taken_says_what_is_wrong(
    lasting: House, order: Any, status: int, word: str, named: set[str]
) -> None:
    async with nothing_happens(lasting) as client:
        answer = await client.post("/api/generations", json=order)
    assert (code(answer), fields(answer)) == ((status, word), named)


async def test_a_prompt_of_ten_thousand_characters_is_taken(house: House) -> None:
    async with house.as_(house.alice) as client:
        for prompt in ("x" * PROMPT_CHARS, "霧" * PROMPT_CHARS, "<script>alert(1)</script> '; DROP TABLE media; --"):
            answer = await client.post("/api/generations", json=FILM | {"prompt": prompt})
            assert (answer.status_code, answer.json()["prompt"]) == (202, prompt)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model": "local/dream", "prompt": "cut of',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"model": NaN}',
        b"\x00" * 100,
    ],
)
async def test_a_body_that_is_not_json_is_refused(lasting: House, body: bytes) -> None:
    async with nothing_happens(lasting) as client:
        answer = await client.post("/api/generations", content=body, headers={"Content-Type": "application/json"})
        assert (code(answer), fields(answer)) == ((422, "invalid"), {"body"})
        answer = await client.post("/api/quotes", content=body, headers={"Content-Type": "application/json"})
        assert (code(answer), fields(answer)) == ((422, "invalid"), {"body"})


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_body_of_another_kind_is_refused(lasting: House, kind: str) -> None:
    async with nothing_happens(lasting) as client:
        for path in ("/api/generations", "/api/quotes", "/api/tokens/grants"):
            answer = await client.post(path, content=json.dumps(FILM), headers={"Content-Type": kind})
            assert code(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/api/generations", "/api/quotes", "/api/auth/sign-in"])
async def test_a_body_over_the_limit_is_refused_announced_or_not(lasting: House, path: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    async with nothing_happens(lasting) as client:
        kind = {"Content-Type": "application/json"}
        assert code(await client.post(path, content=b" " * 1_100_000, headers=kind)) == (413, "too_large")
        assert code(await client.post(path, content=pieces(), headers=kind)) == (413, "too_large")


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG of that size, as far as its header goes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data or zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile '/etc/passwd'\n"

HOSTILE: dict[str, Callable[[bytes, bytes], bytes]] = {
    "empty": lambda picture, film: b"",
    "one byte": lambda picture, film: b"\x89",
    "text": lambda picture, film: b"just words\n" * 100,
    "html": lambda picture, film: b"<!doctype html><script>alert(1)</script>",
    "svg": lambda picture, film: SVG,
    "zeroes": lambda picture, film: bytes(100_000),
    "cut off": lambda picture, film: picture[: len(picture) // 2],
    "pixel bomb": lambda picture, film: png(60_000, 60_000),
    "rows missing": lambda picture, film: png(500, 500),
    "hls playlist": lambda picture, film: HLS,
    "concat playlist": lambda picture, film: CONCAT,
    "film": lambda picture, film: film,
    "film cut off": lambda picture, film: film[:200],
    "zip": lambda picture, film: b"PK\x03\x04" + bytes(200),
}


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small real picture and film."""
    return samples(tmp_path_factory.mktemp("samples"))


NAMES = ["../../../etc/cron.d/x", 'a"; filename="b.svg']


@pytest.mark.parametrize(
    ("what", "name"), [(what, "picture.png") for what in HOSTILE] + [("svg", name) for name in NAMES]
)
async def test_what_is_no_picture_is_refused_whatever_it_is_called(
    lasting: House, real: dict[str, bytes], what: str, name: str
) -> None:
    upload = HOSTILE[what](real["image"], real["video"])
    async with nothing_happens(lasting) as client:
        answer = await client.post("/api/generations", data=DRIFT, files={"image": (name, upload, "image/png")})
    assert (code(answer), fields(answer)) == ((422, "bad_media"), {"image"}), answer.text
    assert "/etc" not in answer.text
    assert str(lasting.folder) not in answer.text


async def test_a_picture_over_the_limit_is_refused_before_and_while_it_comes(lasting: House) -> None:
    limit = POLICY.upload_limits.size_bytes

    async def pieces(size: int) -> AsyncIterator[bytes]:
        yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'.encode()
        for _ in range(size // 50_000 + 1):
            yield b"x" * 50_000
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    async with nothing_happens(lasting) as client:
        announced = await client.post("/api/generations", data=DRIFT, files={"image": ("a", bytes(limit + 2_000_000))})
        assert code(announced) == (413, "too_large")
        assert code(await client.post("/api/generations", content=pieces(limit), headers=kind)) == (413, "too_large")
        assert code(await client.post("/api/generations", content=pieces(2 * limit), headers=kind)) == (
            413,
            "too_large",
        )


def form(*parts: tuple[str, bytes], end: str = "--") -> bytes:
    """A multipart body, part by part: the header line's parameters, and the content."""
    bodies = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"
        for head, body in parts
    ]
    return b"".join(bodies) + f"--{BOUNDARY}{end}\r\n".encode()


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 422, "invalid"),
        (b"rubbish", 422, "invalid"),
        (form(('name="model"', b"local/dream"), end=""), 422, "invalid"),
        (form(('name="image"; filename="a.png"', b"half a pict"), end="")[:-20], 422, "invalid"),
        (form(('name="model"', b"local/dream"), ('name="model"', b"local/drift")), 422, "invalid"),
        (form(('name="image"; filename="a"', b"x"), ('name="image"; filename="b"', b"y")), 422, "invalid"),
        (form(('name="owner_id"', b"usr_x")), 422, "invalid"),
        (form(('name="model"', b"\xff\xfe")), 422, "invalid"),
        (form(('name="request"', b"{")), 422, "invalid"),
        (form(('name="request"', b'{"model": "local/dream"}'), ('name="seed"', b"1")), 422, "invalid"),
        (form(('name="model"', b"local/dream"), ('name="parameters"', b"[1]")), 422, "invalid"),
        (form(('name="model"', b"local/dream"), ('name="seed"', b"many")), 422, "invalid"),
        (form(('name="prompt"', b"x" * 300_000)), 413, "too_large"),
        (form(*[(f'name="f{n}"', b"") for n in range(PARTS + 1)]), 413, "too_large"),
        (form(('name="' + "n" * 9_000 + '"', b"")), 413, "too_large"),
    ],
)
async def test_a_form_that_is_not_right_is_refused(lasting: House, body: bytes, status: int, word: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    async with nothing_happens(lasting) as client:
        assert code(await client.post("/api/generations", content=body, headers=kind)) == (status, word)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="a\nb"']
)
async def test_a_form_without_a_boundary_is_refused(lasting: House, kind: str) -> None:
    async with nothing_happens(lasting) as client:
        answer = await client.post("/api/generations", content=b"--x--", headers={"Content-Type": kind})
    assert code(answer) == (422, "invalid")


async def test_a_picture_with_an_order_that_cannot_be_taken_is_not_kept(lasting: House, real: dict[str, bytes]) -> None:
    async with nothing_happens(lasting) as client:
        for order in (DRIFT | {"model": "acme/none"}, DRIFT | {"seed": "-5"}, {"model": "local/dream"}):
            answer = await client.post("/api/generations", data=order, files={"image": ("a.png", real["image"])})
            assert answer.status_code == 422


async def test_a_picture_with_an_order_that_costs_too_much_is_not_kept(house: House, real: dict[str, bytes]) -> None:
    await house.store.generations.accept(generation(house.alice, price_each=999), None, "")
    async with nothing_happens(house) as client:
        for headers in ({}, {"Idempotency-Key": "k"}):
            answer = await client.post(
                "/api/generations", data=DRIFT, files={"image": ("a", real["image"])}, headers=headers
            )
            assert code(answer) == (402, "not_enough_tokens")
            assert (answer.json()["needed"], answer.json()["available"]) == (5, 1)


async def test_the_same_key_with_another_picture_is_refused_and_the_picture_not_kept(
    house: House, real: dict[str, bytes]
) -> None:
    async with house.as_(house.alice) as client:
        key = {"Idempotency-Key": "k"}
        first = await client.post("/api/generations", data=DRIFT, files={"image": ("a", real["image"])}, headers=key)
        assert first.status_code == 202
    async with nothing_happens(house) as client:
        other = await client.post(
            "/api/generations", data=DRIFT, files={"image": ("a", real["image"] + b"\0")}, headers=key
        )
        assert code(other) == (422, "idempotency_key_reused")
        again = await client.post("/api/generations", data=DRIFT, files={"image": ("b", real["image"])}, headers=key)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
async def test_an_idempotency_key_that_is_none_is_refused(lasting: House, key: str) -> None:
    async with nothing_happens(lasting) as client:
        answer = await client.post("/api/generations", json=FILM, headers={"Idempotency-Key": key})
    assert (code(answer), fields(answer)) == ((422, "invalid"), {"Idempotency-Key"})


async def test_an_order_with_an_expired_session_is_refused(house: House) -> None:
    cookie = await house.session(house.alice)
    house.clock.tick(31 * DAY)
    async with nothing_happens(house), house.client({"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}) as client:
        assert code(await client.post("/api/generations", json=FILM)) == (401, "sign_in_needed")


async def test_an_upload_that_breaks_off_leaves_nothing(lasting: House) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": form(('name="image"; filename="a"', b"x" * 5000))[:3000], "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = {
        "host": "localhost",
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
        "transfer-encoding": "chunked",
    }
    headers |= {name.lower(): value for name, value in lasting.bearer(lasting.alice).items()}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/api/generations", "raw_path": b"/api/generations", "query_string": b"", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with nothing_happens(lasting):
        await lasting.app(scope, receive, send)  # pyright: ignore[reportArgumentType]
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"name": "bob", "amount": 0}, 422, "invalid"),
        ({"name": "bob", "amount": -5}, 422, "invalid"),
        ({"name": "bob", "amount": 10**12}, 422, "invalid"),
        ({"name": "bob", "amount": 1.5}, 422, "invalid"),
        ({"name": "bob", "amount": 5, "memo": "x" * 201}, 422, "invalid"),
        ({"name": "nobody", "amount": 5}, 404, "not_found"),
        ({"amount": 5}, 422, "invalid"),
    ],
)
async def test_a_grant_that_makes_no_sense_moves_nothing(
    lasting: House, body: dict[str, Any], status: int, word: str
) -> None:
    before = await lasting.balance(lasting.bob)
    async with lasting.as_(lasting.carol) as client:
        answer = await client.post("/api/tokens/grants", json=body, headers={"Idempotency-Key": "g"})
    assert code(answer) == (status, word)
    assert await lasting.balance(lasting.bob) == before


async def test_only_an_administrator_grants_and_a_reference_grants_once(house: House) -> None:
    grant, key = {"name": "bob", "amount": 5}, {"Idempotency-Key": "a reference"}
    async with house.as_(house.bob) as client:
        assert code(await client.post("/api/tokens/grants", json=grant, headers=key)) == (403, "forbidden")
    async with house.client() as client:
        assert code(await client.post("/api/tokens/grants", json=grant, headers=key)) == (401, "sign_in_needed")
    async with house.as_(house.carol) as client:
        assert code(await client.post("/api/tokens/grants", json=grant)) == (422, "invalid")
        for _ in range(2):
            answer = await client.post("/api/tokens/grants", json=grant, headers=key)
            assert answer.json() == {"available": 1_005, "held": 0}
    async with house.as_(house.bob) as client:
        entry = (await client.get("/api/tokens/entries", params={"limit": 1})).json()["items"][0]
        assert (entry["kind"], entry["change"], entry["available"]) == ("grant", 5, 1_005)


@pytest.mark.parametrize(
    "id", ["med_x", "..%2f..%2fetc", "%00", "med_" + "0" * 26, "gen_" + "0" * 26, "x" * 5000, "%0d%0aSet-Cookie:x"]
)
async def test_an_id_that_is_none_finds_nothing(lasting: House, id: str) -> None:
    async with nothing_happens(lasting) as client:
        for path in ("/api/media/{}", "/api/generations/{}", "/media/{}/master"):
            answer = await client.get(path.format(id))
            assert code(answer) == (404, "not_found"), path
            assert "set-cookie" not in answer.headers
