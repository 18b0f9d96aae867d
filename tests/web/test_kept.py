"""Answers that are kept for strangers: exact at every moment, and never one person's for another."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from mutoscope.domain.media import BLURRED, Media, Visibility
from mutoscope.web import kept
from web.house import WINDOW_MS, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROMPT = "a lighthouse in fog"


async def gallery(client: httpx2.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/media", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    return answer.json()["items"]


def searches(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each search that reaches the store."""
    asked: list[str] = []
    media = house.store.media
    original: Callable[..., Any] = media.search

    async def search(scope: str, *rest: Any) -> Any:
        asked.append(scope)
        return await original(scope, *rest)

    monkeypatch.setattr(media, "search", search)
    return asked


async def test_the_same_question_of_a_stranger_reads_the_store_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await house.published(house.alice)
    asked = searches(house, monkeypatch)
    async with house.client() as stranger:
        answers = [await gallery(stranger, q="lighthouse") for _ in range(3)]
    assert [found["id"] for found in answers[0]] == [item.id]
    assert answers[0] == answers[1] == answers[2]
    assert len(asked) == 1


TAKEN_AWAY: dict[str, dict[str, Any]] = {
    "hidden": {"hidden": True},
    "in the trash": {"trashed_at": 1},
    "private": {"visibility": Visibility.PRIVATE},
    "unlisted": {"visibility": Visibility.UNLISTED},
}


@pytest.mark.parametrize("change", TAKEN_AWAY.values(), ids=TAKEN_AWAY.keys())
async def test_what_a_commit_takes_away_is_not_in_the_next_answer(house: House, change: dict[str, Any]) -> None:
    item = await house.published(house.alice)
    async with house.client() as stranger:
        for _ in range(2):
            assert [found["id"] for found in await gallery(stranger)] == [item.id]
        await house.change(item, **change)
        assert await gallery(stranger) == []


@pytest.mark.parametrize("change", [{"unlock_price": 5}, {"is_blurred": True}], ids=["priced", "blurred"])
async def test_what_a_commit_locks_is_withheld_in_the_next_answer(house: House, change: dict[str, Any]) -> None:
    item = await house.published(house.alice, prompt=PROMPT)
    async with house.client() as stranger:
        for _ in range(2):
            (found,) = await gallery(stranger)
            assert found["prompt"] == PROMPT
        await house.change(item, **change)
        (found,) = await gallery(stranger)
        assert (found["prompt"], set(found["urls"]), found["locked"]) == (None, set(BLURRED), True)
        assert await gallery(stranger, q="lighthouse") == []


async def test_a_count_that_changes_is_in_the_next_answer(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client() as stranger:
        for seen in range(3):
            (found,) = await gallery(stranger)
            assert found["views"] == seen
            looks = await stranger.post(f"/api/media/{item.id}/view", headers={"User-Agent": f"Browser {seen}"})
            assert looks.status_code == 204
            await house.studio.counting.flush()


async def test_looks_that_count_nothing_new_leave_what_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    item = await house.published(house.alice)
    async with house.client() as stranger:
        await stranger.post(f"/api/media/{item.id}/view")
        await house.studio.counting.flush()
        asked = searches(house, monkeypatch)
        for _ in range(3):
            await gallery(stranger)
            await stranger.post(f"/api/media/{item.id}/view")
            await house.studio.counting.flush()
    assert len(asked) == 1


async def test_no_answer_that_begins_after_a_change_shows_what_was_before_however_many_ask(house: House) -> None:
    item = await house.published(house.alice)
    over = asyncio.Event()

    async def keep_asking() -> None:
        async with house.client() as stranger:
            while not over.is_set():
                await gallery(stranger)
                await asyncio.sleep(0)  # an answer that is kept is given without a pause

    async def show(item: Media, visibility: Visibility) -> Media:
        changed = await house.change(item, visibility=visibility)
        async with house.client() as stranger:
            answers = await asyncio.gather(*(gallery(stranger) for _ in range(4)))
        there = [changed.id] if visibility is Visibility.PUBLIC else []
        assert [[found["id"] for found in answer] for answer in answers] == [there] * 4
        return changed

    crowd = [asyncio.create_task(keep_asking()) for _ in range(4)]
    try:
        for _ in range(25):
            item = await show(item, Visibility.PRIVATE)
            item = await show(item, Visibility.PUBLIC)
    finally:
        over.set()
        await asyncio.gather(*crowd)


async def test_what_somebody_sees_is_neither_kept_nor_given_from_what_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.published(house.alice, unlock_price=5, prompt=PROMPT)
    asked = searches(house, monkeypatch)
    async with house.client() as stranger, house.as_(house.alice) as alice, house.as_(house.carol) as carol:
        for _ in range(2):
            prompts = [(await gallery(client))[0]["prompt"] for client in (alice, stranger, carol, stranger)]
            assert prompts == [PROMPT, None, PROMPT, None]
    assert len(asked) == 5, "two for each of the two who are signed in, one for all strangers"


async def test_addresses_are_new_when_their_window_is_over(house: House) -> None:
    await house.published(house.alice)
    async with house.client() as stranger:
        before = await gallery(stranger)
        assert await gallery(stranger) == before
        house.clock.tick(WINDOW_MS)
        (after,) = await gallery(stranger)
        assert after["url"] != before[0]["url"]
        assert (await stranger.get(after["url"])).status_code == 200


async def test_a_refusal_is_not_kept_for_another_question(house: House) -> None:
    async with house.client() as stranger:
        for _ in range(2):
            assert (await stranger.get("/api/media", params={"scope": "library"})).status_code == 401
            assert (await stranger.get("/api/media", params={"limit": 0})).status_code == 422
        assert await gallery(stranger) == []


async def test_answers_stay_right_when_they_are_too_many_to_keep(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    item = await house.published(house.alice)
    monkeypatch.setattr(kept, "KEPT_BYTES", 10_000)
    async with house.client() as stranger:
        for limit in [*range(1, 20), *range(1, 20)]:
            assert [found["id"] for found in await gallery(stranger, limit=limit)] == [item.id]
