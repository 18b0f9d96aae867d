"""With a bucket: rights first, then its signed address, in answers, by redirect, and allowed by the pages' policy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import structs

from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility
from mutoscope.web.app import create_app
from mutoscope.web.front import guards_for
from web.answers import code
from web.house import BASE, POLICY, WINDOW_MS, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")
BUCKET = "https://films.s3.example.org"


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A studio whose blobs have addresses of their own."""
    async with open_house(tmp_path, darkroom, structs.replace(POLICY, from_bucket=True)) as house:

        async def presign(key: str, seconds: int) -> str:
            return f"{BUCKET}/{key}?for={seconds}"

        monkeypatch.setattr(house.blobs, "presign", presign)
        yield house


def address(item: Media, variant: Variant) -> str:
    return f"{BUCKET}/{item.files[variant].key}?for={WINDOW_MS // 1000}"


async def test_items_and_jobs_carry_addresses_of_the_bucket(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client() as client:
        shown = (await client.get(f"/api/media/{item.id}")).json()
    assert shown["url"] == address(item, Variant.MASTER)
    assert shown["urls"] == {variant.value: address(item, variant) for variant in item.files if variant not in BLURRED}
    async with house.as_(house.alice) as client:
        job = (await client.get(f"/api/generations/{item.generation_id}")).json()
    assert job["url"] == shown["url"]


async def test_the_media_route_looks_at_the_right_and_then_sends_the_browser_to_the_bucket(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    path = f"/media/{item.id}/master"
    async with house.client() as client:
        assert code(await client.get(path)) == (404, "not_found")
    async with house.as_(house.alice) as client:
        answer = await client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, address(item, Variant.MASTER))
        assert answer.headers["cache-control"] == "private, no-store"
        assert (await client.get(f"{path}?download=1")).status_code == 200


async def test_the_studio_sends_the_bytes_itself_while_the_bucket_signs_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(key: str, seconds: int) -> str:
        raise BlobsUnavailable("no key just now")

    monkeypatch.setattr(house.blobs, "presign", refuse)
    item = await house.published(house.alice)
    async with house.client() as client:
        shown = (await client.get(f"/api/media/{item.id}")).json()
        assert shown["url"].startswith(f"{BASE}/media/{item.id}/master?")
        assert (await client.get(f"/media/{item.id}/master")).status_code == 200


async def test_pages_may_show_what_comes_from_the_bucket_and_from_nowhere_else(house: House) -> None:
    policy = dict(guards_for(f"{BUCKET}/films"))[b"content-security-policy"].decode()
    assert f"img-src 'self' {BUCKET} data: blob:; media-src 'self' {BUCKET} blob:;" in policy
    assert BUCKET not in dict(guards_for(None))[b"content-security-policy"].decode()
    house.app = create_app(house.studio, media_address=BUCKET)
    async with house.client() as client:
        assert (await client.get("/")).headers["content-security-policy"] == policy
