"""Items over HTTP: lists, filters, changes, the trash."""

from typing import Any

import httpx2
import pytest

from cast import facts
from mutoscope.domain.ids import DAY
from mutoscope.domain.media import Kind, Media, Visibility
from web.answers import code, fields
from web.house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def found(client: httpx2.AsyncClient, **params: Any) -> list[str]:
    """The ids of a list."""
    answer = await client.get("/api/media", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_the_gallery_holds_what_is_public_newest_first(house: House) -> None:
    items: list[Media] = []
    for visibility in (Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE, Visibility.PUBLIC):
        items.append(await house.published(house.alice, visibility))
        house.clock.tick()
    async with house.client() as client:
        assert await found(client) == [items[3].id, items[0].id]
    async with house.as_(house.alice) as client:
        assert await found(client, scope="library") == [item.id for item in reversed(items)]
    async with house.as_(house.bob) as client:
        assert await found(client, scope="library") == []


async def test_a_stranger_has_no_library_and_no_trash(house: House) -> None:
    async with house.client() as client:
        for scope in ("library", "trash"):
            assert code(await client.get("/api/media", params={"scope": scope})) == (401, "sign_in_needed")
        answer = await client.get("/api/media", params={"scope": "everything"})
        assert (code(answer), fields(answer)) == ((422, "invalid"), {"scope"})


async def test_each_filter_narrows_the_list(house: House) -> None:
    picture = await house.published(
        house.bob,
        facts=facts(Kind.IMAGE, width=720, height=1280),
        prompt="a blue harbour",
        title="Harbour",
        category="sea",
        tags=("film-noir",),
        model="other/model",
    )
    house.clock.tick(3 * DAY)
    film = await house.published(house.alice)
    async with house.client() as client:
        for filters in (
            {"kind": "image"},
            {"owner": "bob"},
            {"category": "Sea"},
            {"tag": "film noir"},
            {"model": "other/model"},
            {"orientation": "portrait"},
            {"before": "2026-11-23"},
            {"q": "harbour"},
            {"q": "-lighthouse"},
        ):
            assert await found(client, **filters) == [picture.id], filters
        for filters in ({"longer": "3"}, {"shorter": "4.5"}, {"after": "2026-11-24"}, {"kind": "video", "q": "light*"}):
            assert await found(client, **filters) == [film.id], filters
        assert await found(client, sort="oldest") == [picture.id, film.id]
        assert await found(client, q="longer:3", longer="9") == []


async def test_pages_follow_each_other_without_gap_or_repeat(house: House) -> None:
    items = [await house.published(house.alice) for _ in range(5)]
    seen: list[str] = []
    async with house.client() as client:
        params: dict[str, Any] = {"limit": 2}
        while True:
            page = (await client.get("/api/media", params=params)).json()
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
        assert sorted(seen) == sorted(item.id for item in items)
        wrong = await client.get("/api/media", params=params | {"sort": "popular"})
        assert code(wrong) == (422, "invalid")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"after": "yesterday"}, "after"),
        ({"longer": "nan"}, "longer"),
        ({"q": "x" * 501}, "q"),
        ({"q": "before:soon"}, "q"),
        ({"kind": "audio"}, "kind"),
        ({"sort": "price"}, "sort"),
        ({"limit": "many"}, "limit"),
        ({"tag": "x" * 81}, "tag"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_named(lasting: House, params: dict[str, str], field: str) -> None:
    async with lasting.client() as client:
        answer = await client.get("/api/media", params=params)
    assert (code(answer), fields(answer)) == ((422, "invalid"), {field})


async def test_an_owner_changes_words_and_visibility(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        change = {"title": "Fog", "tags": ["Film Noir"], "visibility": "unlisted", "category": "The Sea"}
        changed = await client.patch(f"/api/media/{item.id}", json=change)
        assert changed.status_code == 200
        view = changed.json()
        assert (view["title"], view["tags"], view["visibility"]) == ("Fog", ["film-noir"], "unlisted")
        assert view["category"] == "the-sea"
        assert changed.headers["etag"] == f'"{view["version"]}"'
        assert view == (await client.get(f"/api/media/{item.id}")).json()


async def test_a_change_on_top_of_an_older_version_is_refused(house: House) -> None:
    item = await house.published(house.alice)
    path, tag = f"/api/media/{item.id}", f'"{item.version}"'
    async with house.as_(house.alice) as client:
        first = await client.patch(path, json={"title": "One"}, headers={"If-Match": tag})
        assert first.status_code == 200
        late = await client.patch(path, json={"title": "Two"}, headers={"If-Match": tag})
        assert code(late) == (409, "conflict")
        assert late.json()["version"] == first.json()["version"]
        assert code(await client.patch(path, json={"title": "Two", "version": item.version})) == (409, "conflict")
        assert code(await client.patch(path, json={"title": "x"}, headers={"If-Match": "rubbish"})) == (422, "invalid")
        anyway = await client.patch(path, json={"title": "Two"}, headers={"If-Match": "*"})
        assert anyway.json()["title"] == "Two"


async def test_a_change_is_checked_and_is_the_owners_alone(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        wrong = await client.patch(f"/api/media/{item.id}", json={"title": " ", "tags": [f"t{n}" for n in range(31)]})
        assert (code(wrong), fields(wrong)) == ((422, "invalid"), {"title", "tags"})
        kind = await client.patch(f"/api/media/{item.id}", json={"visibility": "secret"})
        assert (code(kind), fields(kind)) == ((422, "invalid"), {"visibility"})
    async with house.as_(house.bob) as client:
        assert code(await client.patch(f"/api/media/{item.id}", json={"title": "Mine"})) == (403, "forbidden")
        assert code(await client.delete(f"/api/media/{item.id}")) == (403, "forbidden")
    async with house.client() as client:
        assert code(await client.patch(f"/api/media/{item.id}", json={"title": "Mine"})) == (401, "sign_in_needed")
        assert code(await client.delete(f"/api/media/{item.id}")) == (401, "sign_in_needed")
        assert code(await client.post(f"/api/media/{item.id}/restore")) == (401, "sign_in_needed")


async def test_the_trash_hides_and_gives_back(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client, house.client() as stranger:
        gone = await client.delete(f"/api/media/{item.id}")
        assert gone.status_code == 200
        assert gone.json()["trashed_at"] is not None
        assert (await client.delete(f"/api/media/{item.id}")).status_code == 200
        assert await found(client, scope="trash") == [item.id]
        assert await found(stranger) == []
        assert code(await stranger.get(f"/api/media/{item.id}")) == (404, "not_found")
        assert code(await client.patch(f"/api/media/{item.id}", json={"title": "x"})) == (409, "conflict")
        assert (await client.post(f"/api/media/{item.id}/restore")).json()["trashed_at"] is None
        assert await found(stranger) == [item.id]


async def test_lists_carry_addresses_that_open_without_another_question(house: House) -> None:
    await house.published(house.alice)
    async with house.client() as client:
        item = (await client.get("/api/media")).json()["items"][0]
        for variant, address in item["urls"].items():
            assert (await client.get(address)).status_code == 200, variant
        assert item["url"] == item["urls"]["master"]
