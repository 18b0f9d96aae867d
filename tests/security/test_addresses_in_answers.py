"""Every answer that holds a signed address is for nobody's cache, and tells the next site nothing of where it was read."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.media import Media, Variant, Visibility
from mutoscope.domain.rights import Viewer
from mutoscope.services.policy import Policy
from mutoscope.services.sharing import Wish
from web.house import BASE, OUR_PAGE, POLICY, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

AND = r"(&|&amp;|\\u0026)"
ADDRESS = re.compile(rf"/media/med_\w+/[\w-]+\?(l=\w+{AND})?e=\d+{AND}s=[\w-]+|{re.escape('https://bucket.example')}")
POLICIES = {
    "studio": POLICY,
    "bucket": msgspec.structs.replace(POLICY, from_bucket=True),
    "cdn": msgspec.structs.replace(POLICY, cdn_url="https://cdn.example"),
}
BODIES: tuple[dict[str, Any], ...] = (
    {"json": {}},
    {"json": {"price": 4}},
    {"json": {"ids": [], "title": "mine", "unlock_price": 4}},
)
ENDS = (
    "/sign-out",
    "/api/auth/sign-out",
    "/api/auth/sign-out-everywhere",
    "/account/sign-out-everywhere",
    "/api/events",
)
"""What ends the session that asks, or has no end; none of it shows an item."""


@pytest_asyncio.fixture(params=POLICIES.values(), ids=POLICIES, loop_scope="session")
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """A studio whose media come from there."""
    policy: Policy = request.param
    async with open_house(tmp_path, darkroom, policy) as house:

        async def presign(key: str, seconds: int) -> str:
            return f"https://bucket.example/{key}?for={seconds}"

        if policy.from_bucket:
            monkeypatch.setattr(house.blobs, "presign", presign)
        yield house


def paths(item: Media, shared: Mapping[str, str], path: str) -> Iterator[str]:
    """The addresses of a route, for the item and its job, the collection and the links."""
    ids = {"media_id": item.id, "generation_id": item.generation_id, "variant": "poster"} | dict.fromkeys(
        (
            "unlock_id",
            "key_id",
            "invite_id",
            "session_id",
            "provider",
            "reference",
            "digest",
            "name",
            "link_id",
        ),
        "x",
    )
    for id in (item.id, item.generation_id, shared["collection_id"]) if "{id}" in path else ("",):
        for secret in (shared["item"], shared["collection"]) if "{secret}" in path else ("",):
            yield path.format_map({**ids, **shared, "id": id, "secret": secret})


async def collected_and_shared(house: House, items: Sequence[Media]) -> dict[str, str]:
    """A collection of alice's with the items in it, a like of hers, and the secrets of links to the first of them and to the collection."""
    viewer, sharing = Viewer(person_id=house.alice.id), house.studio.sharing
    made = await house.studio.collections.create(house.alice, "A collection", visibility=Visibility.PUBLIC)
    await house.studio.collections.add(viewer, made.id, [item.id for item in items])
    await house.studio.liking.like(house.alice, viewer, items[0].id)
    named = {"item": items[0].id, "collection": made.id}
    secrets = {name: (await sharing.create(house.alice, id, Wish()))[1] for name, id in named.items()}
    return {"collection_id": made.id} | secrets


async def test_no_cache_keeps_an_answer_that_holds_an_address(house: House) -> None:
    item = await house.published(house.alice)
    others = [
        await house.published(house.alice, Visibility.PRIVATE),
        await house.published(house.alice, unlock_price=4),
    ]
    shared = await collected_and_shared(house, [item, *others])
    routes = [
        (method, route.path_format)
        for method in ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
        for route in house.app.routes
        if method in (getattr(route, "methods", None) or set())
    ]
    held = set[str]()
    for headers in ({}, {"Cookie": await house.session(house.alice)} | OUR_PAGE, house.bearer(house.bob)):
        async with house.client(headers) as client:
            for method, path in routes:
                for address in paths(item, shared, path) if path not in ENDS else ():
                    for body in BODIES if method in ("POST", "PUT", "PATCH") else ({},):
                        answer = await client.request(method, address, follow_redirects=False, **body)
                        if ADDRESS.search(answer.text + answer.headers.get("location", "")):
                            held.add(f"{method} {path}")
                            what = f"{method} {address}: {answer.status_code}"
                            assert answer.headers["cache-control"] == "private, no-store", what
                            assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer"), what
    assert held >= {
        "GET /api/media",
        "GET /api/media/{media_id}",
        "GET /api/generations",
        "PATCH /api/media/{media_id}",
        "PUT /api/media/{media_id}/like",
        "GET /api/likes",
        "GET /api/collections",
        "GET /api/collections/{collection_id}",
        "GET /api/collections/{collection_id}/items",
        "GET /s/{secret}",
        "GET /s/{secret}/{id}",
    }
    if house.studio.policy != POLICY:
        assert "GET /media/{media_id}/{variant}" in held


async def test_a_file_tells_the_next_site_nothing_and_is_never_a_page(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        for variant in item.files:
            answer = await client.get(f"/media/{item.id}/{variant}?download=1", follow_redirects=False)
            assert answer.headers["referrer-policy"] == "same-origin", variant
            assert answer.headers["x-content-type-options"] == "nosniff", variant
            assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'"), variant
            assert answer.headers["content-disposition"].startswith("attachment; filename="), variant
            shown = await client.get(f"{BASE}/media/{item.id}/{variant}", follow_redirects=False)
            assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'"), variant
            assert shown.status_code == 302 or shown.headers["content-disposition"].startswith("inline; ")
            assert answer.headers["content-type"] in {"video/mp4", "image/jpeg", "image/webp", "text/vtt"}, variant
    assert Variant.STORYBOARD_VTT in item.files
