"""The pages of collections, without a script: made, filled, ordered, edited, deleted."""

import re

import httpx2
import pytest

from mutoscope.domain.collections import Add
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.people import Person
from mutoscope.web.pages import collections
from web.house import House
from web.pages.test_pages import BROWSER, browser, fine

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = '<script>alert(1)</script>" onload="x'


async def made(house: House, owner: Person, *items: Media, **words: str) -> str:
    """The id of a collection of that owner's."""
    collection = await house.studio.collections.create(owner, words.get("title", "Harbours"))
    if items:
        step = Add(tuple(item.id for item in items))
        await house.store.collections.rearrange(collection.id, step, None, house.clock.now())
    return collection.id


def cards(text: str) -> list[str]:
    """The items whose cards are on a page, in order."""
    return re.findall(r'<mu-card [^>]*id="(med_\w+)"', text)


async def sent(client: httpx2.AsyncClient, path: str, **fields: str) -> str:
    """Where a form that did its work leads to."""
    answer = await client.post(path, data=fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_a_collection_is_made_filled_from_an_items_page_and_shows_its_cards(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client(await browser(house, house.alice)) as client:
        assert "not made a collection yet" in fine(await client.get("/collections"))
        assert "Make a collection to add it to" in fine(await client.get(f"/m/{item.id}"))
        leads = await sent(client, "/collections", title="Harbours", visibility="public")
        id = leads.split("/")[2].partition("?")[0]
        assert leads == f"/collections/{id}?done=collection-made"
        assert "Fill it from the page" in fine(await client.get(leads))
        assert f'<option value="{id}">Harbours' in fine(await client.get(f"/m/{item.id}"))
        leads = await sent(client, f"/m/{item.id}/collect", collection=id)
        assert leads == f"/collections/{id}?done=collected"
        page = fine(await client.get(leads))
        assert cards(page) == [item.id]
        assert "by alice · 1 item · public" in page
        listed = fine(await client.get("/collections"))
        assert f'href="/collections/{id}"' in listed
        assert f"/media/{item.id}/thumb-640" in listed


async def test_items_are_moved_up_and_down_across_pages_and_taken_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "PAGE_ITEMS", 2)
    a, b, c = [await house.published(house.alice) for _ in range(3)]
    id = await made(house, house.alice, a, b, c)
    async with house.client(await browser(house, house.alice)) as client:
        first = fine(await client.get(f"/collections/{id}"))
        assert cards(first) == [a.id, b.id]
        more = re.search(r'class="more button" href="([^"]+)"', first)
        assert more is not None
        second = fine(await client.get(more[1]))
        assert cards(second) == [c.id]
        up = re.search(rf'name="item" value="{c.id}"><input type="hidden" name="before" value="({b.id})">', second)
        assert up is not None
        cursor = re.search(r'name="cursor" value="([^"]+)"', second)
        assert cursor is not None
        leads = await sent(client, f"/collections/{id}/move", item=c.id, before=b.id, cursor=cursor[1])
        assert leads.startswith(f"/collections/{id}?done=moved&cursor=")
        assert cards(fine(await client.get(f"/collections/{id}"))) == [a.id, c.id]
        await sent(client, f"/collections/{id}/move", item=a.id, after=c.id)
        assert cards(fine(await client.get(f"/collections/{id}"))) == [c.id, a.id]
        await sent(client, f"/collections/{id}/remove", item=c.id)
        assert cards(fine(await client.get(f"/collections/{id}"))) == [a.id, b.id]
        gone = await client.post(f"/collections/{id}/move", data={"item": a.id, "after": c.id})
        assert "Look at the order as it is now" in fine(gone, 422)


async def test_words_and_cover_are_edited_and_what_was_typed_stays_when_it_is_refused(house: House) -> None:
    a, b = await house.published(house.alice), await house.published(house.alice)
    id = await made(house, house.alice, a, b)
    path = f"/collections/{id}"
    async with house.client(await browser(house, house.alice)) as client:
        assert await sent(client, path, cover=b.id) == f"{path}?done=saved"
        assert f'src="/media/{b.id}/thumb-640"' in fine(await client.get(path)).partition("</h1>")[0]
        change = {"title": "Docks", "description": "cranes\r\nand ships", "visibility": "unlisted"}
        await sent(client, path, **change, version="3")
        page = fine(await client.get(path))
        assert "<h1>Docks</h1>" in page
        assert "cranes\nand ships" in page
        wrong = fine(await client.post(path, data=change | {"title": " "}), 422)
        assert "1 to 80 characters" in wrong
        stale = fine(await client.post(path, data=change | {"title": "Typed", "version": "1"}), 409)
        assert "Your words are still here." in stale
        assert 'value="Typed"' in stale
        for field in ({"visibility": "secret"}, {"version": "x"}, {"cover": "med_nothing"}):
            fine(await client.post(path, data=change | field), 422)


async def test_a_form_that_makes_no_collection_says_why_and_keeps_what_was_typed(house: House) -> None:
    async with house.client(await browser(house, house.alice)) as client:
        page = fine(await client.post("/collections", data={"title": "x" * 81, "visibility": "public"}), 422)
        assert "1 to 80 characters" in page
        assert "x" * 81 in page
        fine(await client.post("/collections", data={"title": "x", "visibility": "all"}), 422)
        assert "not made a collection yet" in fine(await client.get("/collections"))


async def test_a_collection_is_deleted_and_its_items_stay(house: House) -> None:
    item = await house.published(house.alice)
    id = await made(house, house.alice, item)
    async with house.client(await browser(house, house.alice)) as client:
        assert await sent(client, f"/collections/{id}/delete") == "/collections?done=collection-deleted"
        fine(await client.get(f"/collections/{id}"), 404)
        fine(await client.get(f"/m/{item.id}"))


async def test_cards_are_sorted_by_the_links_on_the_page(house: House) -> None:
    beta = await house.published(house.alice, title="beta")
    alpha = await house.published(house.alice, title="alpha")
    id = await made(house, house.alice, beta, alpha)
    async with house.client(await browser(house, house.alice)) as client:
        page = fine(await client.get(f"/collections/{id}"))
        assert f'href="/collections/{id}?sort=title"' in page
        sorted_page = fine(await client.get(f"/collections/{id}?sort=title"))
        assert cards(sorted_page) == [alpha.id, beta.id]
        assert f'action="/collections/{id}/move"' not in sorted_page, "there is no up and down where it is sorted"
        for no_order in ("price", "updated"):
            fine(await client.get(f"/collections/{id}?sort={no_order}"), 422)


async def test_others_see_no_forms_and_no_more_than_is_public(house: House) -> None:
    opened, closed = await house.published(house.alice), await house.published(house.alice, Visibility.PRIVATE)
    id = await made(house, house.alice, closed, opened)
    async with house.as_(house.alice) as client:
        await client.patch(f"/api/collections/{id}", json={"visibility": "public"})
    for headers in (BROWSER, await browser(house, house.bob)):
        async with house.client(headers) as client:
            page = fine(await client.get(f"/collections/{id}"))
            assert cards(page) == [opened.id]
            assert "1 item ·" in page
            assert closed.id not in page
            assert f'action="/collections/{id}' not in page


async def test_script_in_title_and_description_is_shown_as_text(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        made_ = await client.post("/api/collections", json={"title": SCRIPT, "description": SCRIPT})
        id = made_.json()["id"]
        assert made_.json()["title"] == SCRIPT
    async with house.client(await browser(house, house.alice)) as client:
        for path in ("/collections", f"/collections/{id}", f"/m/{item.id}"):
            page = (await client.get(path)).text
            assert page.rstrip().endswith("</html>")
            assert "&lt;script&gt;alert(1)" in page
            assert "<script>alert" not in page
            assert '" onload="' not in page
        refused = await client.post(f"/collections/{id}", data={"title": SCRIPT * 3, "visibility": SCRIPT})
        assert refused.status_code == 422
        assert "<script>alert" not in refused.text
        assert '" onload="' not in refused.text


async def test_a_stranger_is_asked_to_sign_in(house: House) -> None:
    async with house.client(BROWSER) as client:
        for answer in (await client.get("/collections"), await client.post("/collections", data={"title": "x"})):
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in?next=")
