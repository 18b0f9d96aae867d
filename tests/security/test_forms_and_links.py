"""Requests that other sites start, sessions that somebody else chose, and links that lead away."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from cast import ids
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.people import Person, Role
from mutoscope.domain.rights import Viewer
from mutoscope.services.sharing import Wish
from web.answers import code
from web.house import BASE, OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROWSER = {"Accept": "text/html"}
EVIL = "https://evil.example"
FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    {"Referer": f"{BASE}/account"},
)
"""What comes along with a request that another site started, or with one that does not say who did."""
CSRF_FREE = {"/hooks/{provider}/{reference}"}
"""Knows no session: what comes is verified by its signature."""
KINDS: tuple[dict[str, Any], ...] = (
    {"data": {"a": "b"}},
    {"json": {}},
    {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
)

Kept = tuple[Any, Any, Any]


def changing(house: House) -> list[tuple[str, str]]:
    """Every route that changes something."""
    return sorted(
        (method, route.path_format)
        for route in house.app.routes
        for method in (getattr(route, "methods", None) or set()) & {"POST", "PUT", "PATCH", "DELETE"}
        if route.path_format not in CSRF_FREE
    )


async def collected_and_shared(house: House, owner: Person, item: Media) -> tuple[Kept, dict[str, str]]:
    """A collection of the owner's with the item, and a link to the collection; as they are kept, and their names in addresses."""
    viewer, studio = Viewer(person_id=owner.id), house.studio
    made = await studio.collections.create(owner, "A collection")
    await studio.collections.add(viewer, made.id, [item.id])
    link, secret = await studio.sharing.create(owner, made.id, Wish())
    names = {"collection_id": made.id, "link_id": link.id, "secret": secret}
    return await kept_of(house, names), names


async def kept_of(house: House, names: Mapping[str, str]) -> Kept:
    """The collection, what is in it, and the links to it."""
    links = await house.store.shares.of_target(names["collection_id"])
    held = await house.store.collections.held([names["collection_id"]])
    return (
        await house.store.collections.get(names["collection_id"]),
        held,
        links,
    )


def addresses(path: str, names: Mapping[str, str]) -> list[str]:
    """Of a route, with the item in it, or with the collection where it may be either."""
    ids = [names["id"], names["collection_id"]] if "{id}" in path else [names["id"]]
    return [path.format_map({**names, "id": id}) for id in ids]


async def test_no_route_that_changes_something_takes_a_session_from_another_site(house: House) -> None:
    item = await house.published(house.carol, Visibility.PRIVATE)
    cookie, before = await house.session(house.carol), await house.balance(house.carol)
    names: dict[str, str] = dict.fromkeys(("key_id", "invite_id", "session_id", "unlock_id"), "x")
    names |= {"id": item.id, "media_id": item.id, "generation_id": str(item.generation_id)}
    collection, shared = await collected_and_shared(house, house.carol, item)
    names |= shared
    routes = changing(house)
    assert len(routes) >= 50
    async with house.client({"Cookie": cookie}) as client:
        for method, path in routes:
            for foreign in FOREIGN:
                for kind in KINDS:
                    headers = foreign | kind.get("headers", {})
                    sent = {name: value for name, value in kind.items() if name != "headers"}
                    for address in addresses(path, names):
                        answer = await client.request(method, address, headers=headers, **sent)
                        assert code(answer) == (403, "cross_site"), (method, path, foreign)
                        assert "set-cookie" not in answer.headers, path
        assert (await client.get("/api/me")).json()["name"] == "carol"
    kept = await house.store.media.get(item.id)
    assert kept == item
    assert await house.balance(house.carol) == before
    assert await kept_of(house, shared) == collection


async def test_looking_changes_nothing(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    cookie = await house.session(house.alice)
    _, shared = await collected_and_shared(house, house.alice, item)
    async with house.client() as client:
        await client.get(f"/s/{shared['secret']}")  # that a link is used is written down, once in a while
    collection, revision = await kept_of(house, shared), house.store.revision()
    names: dict[str, str] = dict.fromkeys(
        ("key_id", "session_id", "digest", "name", "provider", "reference", "variant"), "x"
    )
    names |= {"id": item.id, "media_id": item.id, "generation_id": str(item.generation_id)} | shared
    async with house.client({"Cookie": cookie} | FOREIGN[1]) as client:
        for route in house.app.routes:
            if "GET" in (getattr(route, "methods", None) or set()) and route.path_format != "/api/events":
                for address in addresses(route.path_format, names):
                    await client.get(address)
        assert (await client.get("/api/me")).status_code == 200
    assert await house.store.media.get(item.id) == item
    assert await kept_of(house, shared) == collection
    assert house.store.revision() == revision


@pytest.mark.parametrize("path", ["/api/auth/sign-in", "/sign-in"])
async def test_a_session_that_somebody_chose_is_not_the_one_that_signing_in_gives(house: House, path: str) -> None:
    await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    chosen = f"mutoscope_session={ids.new('ses')}"
    mallorys = await house.session(house.bob)
    for planted in (chosen, mallorys):
        body = {"data" if path == "/sign-in" else "json": {"name": "dora", "password": PASSWORD}}
        async with house.client({"Cookie": planted} | OUR_PAGE) as client:
            answer = await client.post(path, **body)
        given = answer.headers["set-cookie"].partition(";")[0]
        assert given not in (planted, "")
        async with house.client({"Cookie": given}) as client:
            assert (await client.get("/api/me")).json()["name"] == "dora"
        # Whoever planted it has nothing by it: a made-up one is none, and a real one has ended.
        async with house.client({"Cookie": planted}) as client:
            assert code(await client.get("/api/me")) == (401, "sign_in_needed")


async def test_two_cookies_of_the_name_are_no_way_around(house: House) -> None:
    bobs, alices = await house.session(house.bob), await house.session(house.alice)
    for cookies in (f"{bobs}; {alices}", f"{alices}; {bobs}"):
        async with house.client({"Cookie": cookies} | OUR_PAGE) as client:
            first = (await client.get("/api/me")).json()["name"]
            assert first == ("bob" if cookies.startswith(bobs) else "alice")
            await client.post("/api/auth/sign-out")
            assert (await client.get("/api/me")).status_code == 401


async def test_every_way_in_gives_a_new_session_and_ends_the_old_one(house: House) -> None:
    dora = await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    before = await house.session(dora)
    link = await house.studio.accounts.sign_in_secret(dora)
    async with house.client({"Cookie": before} | OUR_PAGE) as client:
        answer = await client.post("/sign-in/link", data={"secret": link})
    after = answer.headers["set-cookie"].partition(";")[0]
    assert after != before
    for cookie, status in ((before, 401), (after, 200)):
        async with house.client({"Cookie": cookie}) as client:
            assert (await client.get("/api/me")).status_code == status


AWAY = (
    EVIL, "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https:/evil.example", "///evil.example",
    "/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example", "javascript:alert(1)", "data:text/html,x", "@evil.example",
    ".evil.example", "/%0d%0aSet-Cookie: a=b", "/\r\nSet-Cookie: a=b", "/x\r\nLocation: https://evil.example", "/\x00", "/\u2028x", "",
    "http://studio.example@evil.example/", "/" + "x" * 9_000, "/\u9727", "//evil.example/%2f..", "/.//evil.example", "/..//evil.example",
)  # fmt: skip


def leads(answer: httpx2.Response) -> str:
    """The host where a browser goes next, as the URL standard reads an address."""
    location = answer.headers["location"]
    assert "\r" not in location
    assert "\n" not in location
    read = re.sub(r"[\t\r\n]", "", location.strip()).replace("\\", "/")
    return urlsplit(urljoin(f"{BASE}/sign-in", read)).netloc


@pytest.mark.parametrize("next", AWAY)
async def test_signing_in_leads_nowhere_else(house: House, next: str) -> None:
    dora = await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    secret = await house.studio.accounts.sign_in_secret(dora)
    forms = {
        "/sign-in": {"name": "dora", "password": PASSWORD},
        "/sign-in/link": {"secret": secret},
        "/register": {"name": "erin", "password": PASSWORD},
    }
    for path, form in forms.items():
        async with house.client(BROWSER | OUR_PAGE) as client:
            answer = await client.post(path, data=form | {"next": next}, follow_redirects=False)
            assert answer.status_code == 303, (path, answer.text)
            assert leads(answer) == "studio.example", path
            assert "a=b" not in str(answer.headers.get_list("set-cookie")), path


async def test_going_on_after_signing_in_stays_here(lasting: House) -> None:
    async with lasting.client(BROWSER) as client:
        for path in ("/library//evil.example", "/account?next=https://evil.example", "/create?from=//evil.example"):
            answer = await client.get(path, follow_redirects=False)
            if answer.status_code == 303:
                assert leads(answer) == "studio.example"
                assert answer.headers["location"].startswith("/sign-in?next=%2F")


FORGED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Port": "666",
    "X-Host": "evil.example",
    "X-Original-Host": "evil.example",
    "Forwarded": "host=evil.example;proto=gopher",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/api/me",
}


@pytest.mark.parametrize("host", ["studio.example", "localhost:666", "127.0.0.1"])
async def test_no_link_is_made_of_what_a_request_says_of_the_host(house: House, host: str) -> None:
    item = await house.published(house.carol)
    async with house.client(house.bearer(house.carol) | FORGED | {"Host": host}) as client:
        answers = [
            await client.post("/api/admin/reset-links", json={"name": "bob"}),
            await client.post("/api/admin/invites", json={}),
            await client.get(f"/api/media/{item.id}"),
            await client.get(f"/api/generations/{item.generation_id}"),
            await client.post("/api/generations", json={"model": "local/dream", "prompt": "x"}),
            await client.get("/api/openapi.json"),
            await client.get(f"/m/{item.id}"),
            await client.get("/library", headers=BROWSER),
        ]
    for answer in answers:
        said = answer.text + str(answer.headers)
        assert answer.status_code < 400
        for word in ("evil", "gopher", ":666"):
            assert word not in said, (answer.request.url, word)
    assert answers[0].json()["url"].startswith(f"{BASE}/reset?link=")
    assert answers[1].json()["url"].startswith(f"{BASE}/register?invite=")
    assert answers[4].headers["location"].startswith(f"{BASE}/api/generations/")


async def test_what_was_used_or_ended_cannot_be_sent_again(house: House) -> None:
    dora = await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    token, cookie = house.bearer(dora), await house.session(dora)
    link = await house.studio.accounts.sign_in_secret(dora)
    for status in (200, 401):
        async with house.client() as client:
            assert (await client.post("/api/auth/sign-in-link", json={"secret": link})).status_code == status
    async with house.client({"Cookie": cookie} | OUR_PAGE) as client:
        assert (await client.post("/api/auth/sign-out")).status_code == 204
        assert (await client.get("/api/me", headers={"Cookie": cookie})).status_code == 401
    async with house.client(token) as client:
        assert (await client.get("/api/me")).status_code == 200  # its own session ended, not the token
        assert (await client.post("/api/auth/sign-out-everywhere")).status_code == 204
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")
