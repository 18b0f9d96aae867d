"""Tokens that are not ours, requests from other sites, hosts that are not this studio."""

import base64
import json
from typing import Any

import httpx2
import jwt
import pytest

from cast import ids
from mutoscope.domain.ids import HOUR
from mutoscope.web.app import create_app
from web.answers import code
from web.house import BASE, OUR_PAGE, TOKEN_KEY, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER_KEY = "another key, of somebody else, and long enough for every algorithm that is tried"


def claims(house: House, **changes: Any) -> dict[str, Any]:
    """What a good token of alice's says."""
    now = house.clock.now() // 1000
    good = {"iss": "mutoscope", "aud": "mutoscope-api", "sub": house.alice.id, "ver": 1, "iat": now, "exp": now + 3600}
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(claims: dict[str, Any], key: str = TOKEN_KEY, algorithm: str = "HS256", typ: str = "mutoscope+jwt") -> str:
    """A token."""
    return jwt.encode(claims, key, algorithm, {"typ": typ})


def unsigned(claims: dict[str, Any], algorithm: str) -> str:
    """A token that says that it needs no signature."""
    parts = [{"alg": algorithm, "typ": "mutoscope+jwt"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


async def asked_with(house: House, authorization: str) -> httpx2.Response:
    """Who am I, with that header."""
    async with house.client({"Authorization": authorization}) as client:
        return await client.get("/api/me")


async def test_a_good_token_is_let_in(house: House) -> None:
    assert (await asked_with(house, f"Bearer {signed(claims(house))}")).json()["name"] == "alice"


async def test_a_token_that_is_not_ours_is_refused_whatever_is_wrong_with_it(lasting: House) -> None:
    house = lasting
    now = house.clock.now() // 1000
    good = signed(claims(house))
    bad = {
        "no signature": unsigned(claims(house), "none"),
        "no signature, written otherwise": unsigned(claims(house), "NoNe"),
        "another algorithm": signed(claims(house), algorithm="HS512"),
        "another key": signed(claims(house), OTHER_KEY),
        "another issuer with the same secret": signed(claims(house, iss="somebody")),
        "another audience": signed(claims(house, aud="somebody")),
        "another type": signed(claims(house), typ="JWT"),
        "expired": signed(claims(house, iat=now - 7200, exp=now - 1)),
        "without expiry": signed(claims(house, exp=None)),
        "of nobody": signed(claims(house, sub=ids.new("usr"))),
        "of another version": signed(claims(house, ver=2)),
        "without version": signed(claims(house, ver=None)),
        "cut off": good[:-4],
        "changed": good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:],
        "rubbish": "a.b.c",
        "nothing": "",
    }
    for what, token in bad.items():
        answer = await asked_with(house, f"Bearer {token}")
        assert code(answer) == (401, "sign_in_needed"), what
        assert answer.headers["www-authenticate"].startswith("Bearer"), what
    for header in ("Basic YWxpY2U6eA==", "Bearer", f"Token {good}"):
        assert code(await asked_with(house, header)) == (401, "sign_in_needed"), header


async def test_a_header_that_is_not_even_text_is_refused(lasting: House) -> None:
    async with lasting.client() as client:
        for name, status in ((b"authorization", 401), (b"cookie", 401), (b"idempotency-key", 401), (b"host", 421)):
            headers = [(name, b"Bearer \xff\xfe"), (b"accept", b"*/*")]
            assert (await client.get("/api/me", headers=headers)).status_code == status, name


async def test_a_bad_bearer_is_refused_even_where_strangers_may_look(lasting: House) -> None:
    async with lasting.client({"Authorization": "Bearer rubbish"}) as client:
        assert code(await client.get("/api/media")) == (401, "sign_in_needed")


async def test_a_bad_bearer_is_not_made_good_by_a_cookie(house: House) -> None:
    async with house.client({"Authorization": "Bearer rubbish", "Cookie": await house.session(house.alice)}) as client:
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")


async def test_a_token_ends_when_its_time_is_over(house: House) -> None:
    header = house.bearer(house.alice)["Authorization"]
    house.clock.tick(12 * HOUR - 1000)
    assert (await asked_with(house, header)).status_code == 200
    house.clock.tick(1000)
    assert code(await asked_with(house, header)) == (401, "sign_in_needed")


async def test_suspension_ends_tokens_and_sessions_at_once_and_for_good(house: House) -> None:
    header, cookie = house.bearer(house.alice)["Authorization"], await house.session(house.alice)
    await house.studio.accounts.suspend(house.carol, "alice")
    for _ in range(2):
        assert code(await asked_with(house, header)) == (401, "sign_in_needed")
        async with house.client({"Cookie": cookie}) as client:
            assert code(await client.get("/api/me")) == (401, "sign_in_needed")
        await house.studio.accounts.suspend(house.carol, "alice", suspended=False)


async def test_signing_out_everywhere_ends_tokens(house: House) -> None:
    header = house.bearer(house.alice)["Authorization"]
    await house.studio.accounts.sign_out_everywhere(house.alice)
    assert code(await asked_with(house, header)) == (401, "sign_in_needed")


CROSS = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": BASE.replace("http:", "https:")},
    {"Origin": BASE + ":81"},
    {"Origin": BASE + ".evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("headers", [{}, *CROSS])
async def test_a_session_acts_only_from_our_own_pages(lasting: House, headers: dict[str, str]) -> None:
    before = await lasting.balance(lasting.alice)
    async with lasting.client({"Cookie": await lasting.session(lasting.alice)} | headers) as client:
        order = {"model": "local/dream", "prompt": "x"}
        assert code(await client.post("/api/generations", json=order)) == (403, "cross_site")
        assert code(await client.post("/api/auth/sign-out")) == (403, "cross_site")
        assert code(await client.patch("/api/media/med_x", json={})) == (403, "cross_site")
        assert code(await client.delete("/api/media/med_x")) == (403, "cross_site")
        page = await client.post("/m/med_x/trash")
        assert page.status_code == 403
        assert (await client.get("/api/me")).status_code == 200
    assert await lasting.balance(lasting.alice) == before


@pytest.mark.parametrize("headers", [OUR_PAGE, {"Origin": BASE}, {"Sec-Fetch-Site": "same-origin"}])
async def test_our_own_pages_need_no_token_beside_the_session(lasting: House, headers: dict[str, str]) -> None:
    async with lasting.client({"Cookie": await lasting.session(lasting.bob)} | headers) as client:
        assert (await client.post("/api/quotes", json={"model": "local/dream"})).status_code == 200


@pytest.mark.parametrize("headers", CROSS)
async def test_nobody_is_signed_in_from_another_site(lasting: House, headers: dict[str, str]) -> None:
    async with lasting.client(headers) as client:
        answer = await client.post("/api/auth/sign-in", json={"name": "alice", "password": "whatever"})
    assert code(answer) == (403, "cross_site")
    assert "set-cookie" not in answer.headers


async def test_a_program_with_a_bearer_or_nothing_needs_no_origin(lasting: House) -> None:
    async with lasting.as_(lasting.alice) as client:
        assert (await client.post("/api/quotes", json={"model": "local/dream"})).status_code == 200
    async with lasting.client() as client:
        assert (await client.post("/api/quotes", json={"model": "local/dream"})).status_code == 200


async def test_a_strange_cookie_of_another_program_does_not_hide_ours(lasting: House) -> None:
    ours = await lasting.session(lasting.alice)
    for strange in ('a={"b": [1,2]}', "a=b c=d", "=", "a@b=c", 'x="'):
        async with lasting.client({"Cookie": f"{strange}; {ours}; y=z"}) as client:
            assert (await client.get("/api/me")).status_code == 200, strange


async def test_a_cookie_of_no_session_is_held_to_the_same_rule(lasting: House) -> None:
    async with lasting.client({"Cookie": "mutoscope_session=made-up"}) as client:
        assert code(await client.post("/api/quotes", json={"model": "local/dream"})) == (403, "cross_site")


@pytest.mark.parametrize(
    "host", ["evil.example", "studio.example.evil.example", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1", "a@b:c"]
)
async def test_a_host_that_is_not_this_studio_is_refused(lasting: House, host: str) -> None:
    async with lasting.client({"Host": host}) as client:
        answer = await client.get("/api/models")
    assert code(answer) == (421, "wrong_host")


@pytest.mark.parametrize("host", ["studio.example", "STUDIO.example:8700", "localhost:1", "127.0.0.1", "[::1]:8700"])
async def test_our_own_name_and_the_loopbacks_are_answered(lasting: House, host: str) -> None:
    async with lasting.client({"Host": host}) as client:
        assert (await client.get("/api/models")).status_code == 200


async def test_an_operator_can_add_a_name(lasting: House) -> None:
    transport = httpx2.ASGITransport(create_app(lasting.studio, hosts=["films.example"]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://films.example") as client:
        assert (await client.get("/api/models")).status_code == 200
