"""Behind a CDN: what shared caches may keep and for how long, and what is never for them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec import structs

from mutoscope.blobs.port import BlobMissing
from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import DAY, HOUR
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility
from mutoscope.settings import Settings, SettingsError, load_settings
from mutoscope.web.app import create_app
from mutoscope.web.front import guards_for
from mutoscope.wiring import open_studio
from web.answers import code
from web.house import BASE, POLICY, House, content, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")
CDN = "https://cdn.example.org"
TO_THE_END = "public, max-age=7200, must-revalidate, stale-if-error=0"
"""Of an address that was made just now: two windows."""


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, darkroom: Darkroom) -> AsyncIterator[House]:
    """A studio behind a CDN."""
    async with open_house(tmp_path, darkroom, structs.replace(POLICY, cdn_url=CDN)) as house:
        yield house


def signed(house: House, item: Media, variant: Variant = Variant.MASTER) -> str:
    return house.studio.addresses.path(item, variant)


def is_shared(answer: httpx2.Response) -> bool:
    """Whether it says that shared caches may keep it; then it must say so in every respect."""
    headers = answer.headers
    if "public" not in headers["cache-control"]:
        assert headers["cache-control"].startswith("private")
        return False
    assert "vary" not in headers
    assert "set-cookie" not in headers
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    return True


async def test_items_and_jobs_carry_signed_addresses_at_the_cdn_that_stay_as_they_are(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        shown = (await client.get(f"/api/media/{item.id}")).json()
        job = (await client.get(f"/api/generations/{item.generation_id}")).json()
        house.clock.tick(HOUR - 1)
        again = (await client.get(f"/api/media/{item.id}")).json()
        house.clock.tick(1)
        later = (await client.get(f"/api/media/{item.id}")).json()
    assert shown["urls"].keys() == {variant.value for variant in item.files if variant not in BLURRED}
    assert all(url.startswith(f"{CDN}/media/{item.id}/") for url in shown["urls"].values())
    assert shown["url"] == job["url"] == again["url"] != later["url"]


async def test_a_signed_address_is_answered_by_the_studio_itself_for_shared_caches_until_it_ends(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    address = signed(house, item)
    async with house.client() as client:
        answer = await client.get(address)
        assert (answer.status_code, answer.content) == (200, content(item.id, Variant.MASTER))
        assert is_shared(answer)
        assert answer.headers["cache-control"] == TO_THE_END
        house.clock.tick(2 * HOUR - 1500)
        assert "max-age=1," in (await client.get(address)).headers["cache-control"]
        house.clock.tick(1500)
        assert code(await client.get(address)) == (404, "not_found")


async def test_a_range_a_head_and_an_unchanged_file_are_for_shared_caches_too(house: House) -> None:
    item = await house.published(house.alice)
    address = signed(house, item)
    async with house.client() as client:
        part = await client.get(address, headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, content(item.id, Variant.MASTER)[5:10])
        head = await client.head(address)
        assert (head.status_code, head.headers["content-length"]) == (200, "3200")
        same = await client.get(address, headers={"If-None-Match": head.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        for answer in (part, head, same):
            assert is_shared(answer)
            assert answer.headers["cache-control"] == TO_THE_END
            assert answer.headers["etag"] == head.headers["etag"]


async def test_what_goes_wrong_at_a_signed_address_is_never_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    address = signed(house, item)
    async with house.client() as client:
        outside = await client.get(address, headers={"Range": "bytes=99999-"})
        assert (outside.status_code, outside.headers["cache-control"]) == (416, "no-store")
        # `code` looks at the header field: private, no-store.
        for forged in (address[:-1] + "~", address.replace("?e=", "?e=9"), address.replace("master", "poster")):
            assert code(await client.get(forged)) == (404, "not_found"), forged
        assert code(await client.get(address.replace("master", "nothing"))) == (404, "not_found")
        assert code(await client.get(address, headers={"Authorization": "Bearer no"})) == (401, "sign_in_needed")
        assert code(await client.get(address, headers={"Host": "cdn.example.org"})) == (421, "wrong_host")

        async def missing(key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            raise BlobMissing(key)
            yield b""

        monkeypatch.setattr(house.blobs, "read", missing)
        assert code(await client.get(address)) == (503, "unavailable")


async def test_a_shared_answer_is_the_same_whoever_asks_first(house: House) -> None:
    item = await house.published(house.alice, unlock_price=5, title="Secret words of the prompt")
    address = signed(house, item) + "&download=1"
    async with house.client() as stranger, house.as_(house.alice) as owner, house.as_(house.carol) as carol:
        by_cookie = {"Cookie": await house.session(house.alice)}
        ended = {"Cookie": "mutoscope_session=long-gone"}
        answers = [
            await stranger.get(address),
            await owner.get(address),
            await carol.get(address),
            await stranger.get(address, headers=by_cookie),
            await stranger.get(address, headers=ended),
        ]
    for answer in answers:
        assert is_shared(answer)
        assert answer.headers == answers[0].headers
        assert "Secret" not in answer.headers["content-disposition"]
        assert answer.content == content(item.id, Variant.MASTER)


async def test_without_a_signature_everything_stays_private_whoever_asks(house: House) -> None:
    public, private = await house.published(house.alice), await house.published(house.alice, Visibility.PRIVATE)
    async with house.client() as stranger, house.as_(house.alice) as owner:
        assert code(await stranger.get(f"/media/{private.id}/master")) == (404, "not_found")
        for client, headers in ((owner, {}), (stranger, {"Cookie": await house.session(house.alice)})):
            for query in ("", "?download=1", "?e=&s=", "?e=1&s=x"):
                answer = await client.get(f"/media/{private.id}/master{query}", headers=headers)
                assert answer.status_code in (200, 302), query
                assert not is_shared(answer)
                assert answer.headers["vary"] == "Cookie, Authorization"
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not is_shared(await stranger.get(f"/media/{public.id}/master"))


async def test_the_studios_own_pages_are_sent_on_to_the_cdn_by_an_answer_that_nobody_keeps(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        answer = await client.get(f"/media/{item.id}/poster", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, CDN + signed(house, item, Variant.POSTER))
        assert answer.headers["cache-control"] == "private, no-store"
        closed = await house.change(item, visibility=Visibility.PRIVATE)
        again = await client.get(f"/media/{item.id}/poster", follow_redirects=False)
        assert again.headers["location"] == CDN + signed(house, closed, Variant.POSTER) != answer.headers["location"]
        saved = await client.get(f"/media/{item.id}/master?download=1", follow_redirects=False)
        assert saved.status_code == 200
        assert saved.headers["content-disposition"].startswith("attachment; ")
        assert not is_shared(saved)


@pytest.mark.parametrize("closing", [{"trashed_at": DAY}, {"hidden": True}])
async def test_who_still_sees_what_is_in_the_trash_or_hidden_gets_it_from_the_studio_alone(
    house: House, closing: dict[str, Any]
) -> None:
    item = await house.published(house.alice)
    await house.change(item, **closing)
    async with house.as_(house.carol) as carol, house.client() as stranger:
        url = (await carol.get(f"/api/media/{item.id}")).json()["url"]
        assert url.startswith(f"{BASE}/media/{item.id}/master?")
        assert code(await stranger.get(url)) == (404, "not_found")
        for address in (url, f"/media/{item.id}/master"):
            answer = await carol.get(address, follow_redirects=False)
            assert answer.status_code == 200
            assert not is_shared(answer)


@pytest.mark.parametrize(
    "closing",
    [
        {"visibility": Visibility.PRIVATE},
        {"is_blurred": True},
        {"unlock_price": 5},
        {"hidden": True},
        {"trashed_at": DAY},
    ],
)
async def test_the_studio_opens_an_address_no_more_once_the_item_is_closed(
    house: House, closing: dict[str, Any]
) -> None:
    item = await house.published(house.alice)
    address = signed(house, item)
    async with house.client() as client:
        etag = (await client.get(address)).headers["etag"]
        await house.change(item, **closing)
        assert code(await client.get(address)) == (404, "not_found")
        assert code(await client.get(address, headers={"If-None-Match": etag})) == (404, "not_found")


@pytest.mark.parametrize(
    "spelling",
    ["{path}?{query}&x=1", "{path}?s={s}&e={e}", "{path}?{query}&", "{path}?{query}&{query}", "{escaped}?{query}"],
)
async def test_an_address_that_is_spelled_otherwise_makes_no_copies_in_shared_caches(
    house: House, spelling: str
) -> None:
    item = await house.published(house.alice)
    path, _, query = signed(house, item).partition("?")
    e, s = query.removeprefix("e=").split("&s=")
    asked = spelling.format(path=path, query=query, e=e, s=s, escaped=path.replace("master", "%6Daster"))
    async with house.client() as client:
        answer = await client.get(asked)
        assert answer.status_code == 200
        assert not is_shared(answer)
        zeros = await client.get(f"{path}?e=0{e}&s={s}", follow_redirects=False)
        assert (zeros.status_code, is_shared(zeros)) == (302, False)


async def test_without_the_setting_a_signed_address_stays_private(lasting: House) -> None:
    item = await lasting.published(lasting.alice)
    async with lasting.client() as client:
        answer = await client.get(lasting.studio.addresses.path(item, Variant.MASTER))
    assert not is_shared(answer)
    assert answer.headers["vary"] == "Cookie, Authorization"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers


async def test_pages_may_show_and_read_what_comes_from_the_cdn(house: House) -> None:
    policy = dict(guards_for(CDN))[b"content-security-policy"].decode()
    for source in ("img-src", "media-src", "connect-src"):
        assert f"{source} 'self' {CDN}" in policy
    assert f"script-src 'self' {CDN}" not in policy
    house.app = create_app(house.studio, media_address=CDN)
    async with house.client() as client:
        assert (await client.get("/")).headers["content-security-policy"] == policy


def behind(**more: str) -> dict[str, str]:
    return {"MUTOSCOPE_DELIVERY": "cdn", "MUTOSCOPE_CDN_URL": f"{CDN}/", **more}


async def test_the_settings_make_a_studio_behind_the_cdn_also_when_there_is_a_bucket(tmp_path: Path) -> None:
    more = {"AWS_S3_BUCKET": "films", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "a secret of the tests"}
    for environ in (behind(), behind(**more)):
        running = await open_studio(load_settings(tmp_path / str(len(environ)), environ), providers={})
        try:
            policy = running.studio.policy
            assert (policy.cdn_url, policy.from_bucket) == (CDN, False)
            transport = httpx2.ASGITransport(running.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                assert f"media-src 'self' {CDN}" in (await client.get("/")).headers["content-security-policy"]
        finally:
            await running.close()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MUTOSCOPE_DELIVERY": "cdn"}, "MUTOSCOPE_CDN_URL is missing: MUTOSCOPE_DELIVERY is cdn. "),
        ({"MUTOSCOPE_CDN_URL": CDN}, "MUTOSCOPE_CDN_URL is set, and MUTOSCOPE_DELIVERY is not cdn. "),
        (behind(MUTOSCOPE_DELIVERY="studio"), "MUTOSCOPE_CDN_URL is set, and MUTOSCOPE_DELIVERY is not cdn. "),
        (behind(MUTOSCOPE_CDN_URL="cdn.example.org"), "MUTOSCOPE_CDN_URL must be an address without a path"),
        (behind(MUTOSCOPE_CDN_URL=f"{CDN}/films"), "MUTOSCOPE_CDN_URL must be an address without a path"),
        (
            behind(MUTOSCOPE_CDN_URL="http://cdn.example.org", MUTOSCOPE_BASE_URL="https://studio.example.org"),
            "MUTOSCOPE_CDN_URL must be https as MUTOSCOPE_BASE_URL is",
        ),
        (behind(MUTOSCOPE_DELIVERY="edge"), "MUTOSCOPE_DELIVERY must be 'studio', 'bucket' or 'cdn'."),
    ],
)
async def test_settings_that_would_not_work_are_refused_in_a_sentence(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(environ=environ)
    assert said in str(refusal.value)


async def test_the_address_of_the_cdn_may_end_in_a_slash() -> None:
    settings: Settings = load_settings(environ=behind())
    assert settings.cdn_url == CDN
