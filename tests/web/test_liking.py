"""Likes, over REST and on the pages."""

import asyncio
from typing import Any

import httpx2
import pytest

from cast import wish
from mutoscope.domain.limits import LIKES_OF_PERSON
from mutoscope.domain.media import Media, Visibility
from mutoscope.services import liking
from web.answers import code
from web.house import OUR_PAGE, House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def counted(house: House, item: Media) -> int:
    found = await house.store.media.get(item.id)
    assert found is not None
    return found.likes


async def liked(client: httpx2.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/api/likes", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_like_is_given_and_taken_back_and_asking_twice_changes_nothing(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.bob) as bob, house.as_(house.alice) as alice, house.client() as stranger:
        for _ in range(2):
            answer = (await bob.put(f"/api/media/{item.id}/like")).json()
            assert (answer["id"], answer["likes"], answer["liked"]) == (item.id, 1, True)
        for client, is_liked in ((bob, True), (alice, False), (stranger, False)):
            one = (await client.get(f"/api/media/{item.id}")).json()
            (card,) = (await client.get("/api/media")).json()["items"]
            assert [(view["likes"], view["liked"]) for view in (one, card)] == [(1, is_liked)] * 2
        for _ in range(2):
            answer = (await bob.delete(f"/api/media/{item.id}/like")).json()
            assert (answer["likes"], answer["liked"]) == (0, False)
        assert await liked(bob) == []


async def test_thirty_two_likes_of_one_person_at_once_are_one(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.bob) as bob:
        answers = await asyncio.gather(*(bob.put(f"/api/media/{item.id}/like") for _ in range(32)))
    assert {(answer.status_code, answer.json()["likes"]) for answer in answers} == {(200, 1)}
    assert await counted(house, item) == 1


async def test_likes_are_for_those_who_have_signed_in(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client() as stranger:
        assert code(await stranger.put(f"/api/media/{item.id}/like")) == (401, "sign_in_needed")
        assert code(await stranger.delete(f"/api/media/{item.id}/like")) == (401, "sign_in_needed")
        assert code(await stranger.get("/api/likes")) == (401, "sign_in_needed")
    assert await counted(house, item) == 0


GONE: dict[str, dict[str, Any]] = {
    "private": {"visibility": Visibility.PRIVATE},
    "hidden": {"hidden": True},
    "in the trash": {"trashed_at": 1},
}


@pytest.mark.parametrize("change", GONE.values(), ids=GONE.keys())
async def test_what_is_gone_leaves_the_list_of_others_and_can_be_liked_no_more(
    house: House, change: dict[str, Any]
) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.bob) as bob, house.as_(house.carol) as carol:
        await bob.put(f"/api/media/{item.id}/like")
        assert await liked(bob) == [item.id]
        gone = await house.change(item, **change)
        assert await liked(bob) == []
        for method in ("PUT", "DELETE"):
            answer = await bob.request(method, f"/api/media/{item.id}/like")
            ghost = await bob.request(method, f"/api/media/med_{'0' * 26}/like")
            assert (answer.status_code, answer.text) == (404, ghost.text)
        assert item.id not in (await bob.get("/api/likes")).text
        assert (await carol.get(f"/api/media/{item.id}")).json()["likes"] == 1
        await house.change(gone, visibility=Visibility.PUBLIC, hidden=False, trashed_at=None)
        assert await liked(bob) == [item.id]


async def test_what_one_has_unlocked_stays_in_the_list_when_it_becomes_private(house: House) -> None:
    item = await house.change(await house.published(house.alice), unlock_price=5)
    await house.store.unlocks.buy(wish(house.bob, item), 20, house.clock.now())
    async with house.as_(house.bob) as bob:
        await bob.put(f"/api/media/{item.id}/like")
        current = await house.store.media.get(item.id)
        assert current is not None
        await house.change(current, visibility=Visibility.PRIVATE)
        assert await liked(bob) == [item.id]


async def test_a_locked_item_can_be_liked_and_stays_withheld(house: House) -> None:
    item = await house.change(await house.published(house.alice, prompt="secret words"), unlock_price=5)
    async with house.as_(house.bob) as bob:
        answer = (await bob.put(f"/api/media/{item.id}/like")).json()
        assert (answer["likes"], answer["locked"], answer["prompt"]) == (1, True, None)
        assert "secret words" not in (await bob.get("/api/likes")).text


async def test_the_list_is_newest_like_first_in_pages_that_are_full_while_there_is_more(house: House) -> None:
    items = [await house.published(house.alice) for _ in range(6)]
    async with house.as_(house.bob) as bob:
        for item in items:
            house.clock.tick()
            await bob.put(f"/api/media/{item.id}/like")
        for item in items[2:5]:
            await house.change(item, hidden=True)
        first = (await bob.get("/api/likes", params={"limit": 2})).json()
        assert [item["id"] for item in first["items"]] == [items[5].id, items[1].id]
        assert await liked(bob, limit=2, cursor=first["next"]) == [items[0].id]
        assert code(await bob.get("/api/likes", params={"cursor": "nonsense"})) == (422, "invalid")


async def test_of_very_much_that_is_gone_a_page_is_short_and_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liking, "LOOKS", 2)
    items = [await house.published(house.alice) for _ in range(4)]
    async with house.as_(house.bob) as bob:
        for item in items:
            house.clock.tick()
            await bob.put(f"/api/media/{item.id}/like")
        for item in items[1:]:
            await house.change(item, hidden=True)
        page = (await bob.get("/api/likes", params={"limit": 1})).json()
        assert page["items"] == []
        assert await liked(bob, limit=1, cursor=page["next"]) == [items[0].id]


async def test_the_gallery_is_sorted_by_likes_and_by_views(house: House) -> None:
    one, two = await house.published(house.alice), await house.published(house.alice)
    async with house.as_(house.bob) as bob, house.client({"User-Agent": "Browser"}) as stranger:
        await bob.put(f"/api/media/{one.id}/like")
        await stranger.post(f"/api/media/{one.id}/view")
        await house.studio.counting.flush()
        for sort in ("liked", "popular"):
            for path in ("/api/media", "/"):
                shown = (await stranger.get(path, params={"sort": sort})).text
                assert shown.index(f'"{one.id}"') < shown.index(f'"{two.id}"'), path


async def test_likes_have_a_rate(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.bob) as bob, house.as_(house.alice) as alice:
        for _ in range(LIKES_OF_PERSON.burst):
            assert (await bob.put(f"/api/media/{item.id}/like")).status_code == 200
        assert code(await bob.delete(f"/api/media/{item.id}/like")) == (429, "too_often")
        assert (await alice.put(f"/api/media/{item.id}/like")).json()["likes"] == 2
        house.clock.tick(LIKES_OF_PERSON.refill_ms)
        assert (await bob.delete(f"/api/media/{item.id}/like")).json()["likes"] == 1


async def test_the_button_works_without_a_script_and_not_from_elsewhere(house: House) -> None:
    item = await house.published(house.alice)
    cookie = {"Cookie": await house.session(house.bob)}
    async with house.client(cookie | OUR_PAGE) as bob, house.client(cookie) as foreign, house.client() as stranger:
        assert f'action="/m/{item.id}/like" method="post"' in (await bob.get(f"/m/{item.id}")).text
        assert f"/m/{item.id}/like" not in (await stranger.get(f"/m/{item.id}")).text
        for headers in ({}, {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}):
            assert (await foreign.post(f"/m/{item.id}/like", headers=headers)).status_code == 403
        assert await counted(house, item) == 0
        answer = await bob.post(f"/m/{item.id}/like")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/m/{item.id}")
        page = (await bob.get(f"/m/{item.id}")).text
        assert f'action="/m/{item.id}/unlike"' in page
        assert "0 views · 1 like<" in page
        assert item.id in (await bob.get("/library/likes")).text
        assert (await bob.post(f"/m/{item.id}/unlike")).status_code == 303
        assert "You have not liked anything yet." in (await bob.get("/library/likes")).text
    assert await counted(house, item) == 0
