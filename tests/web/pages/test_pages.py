"""Pages as they leave the server: who sees what, what a refusal looks like, and nothing that the policy would stop."""

import html
import re

import httpx2
import pytest

import journey
from mutoscope.domain.media import BLURRED, Visibility
from mutoscope.domain.people import Person
from web.house import OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROWSER = {"Accept": "text/html", **OUR_PAGE}
INLINE = re.compile(r"<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=|javascript:|data:", re.IGNORECASE)


async def browser(house: House, person: Person) -> dict[str, str]:
    """Headers of that person's browser."""
    return {**BROWSER, "Cookie": await house.session(person)}


def fine(page: httpx2.Response, status: int = 200) -> str:
    """The text of a page that is whole, private, and holds nothing that the security policy forbids."""
    assert page.status_code == status, page.text
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "private, no-store"
    assert page.text.rstrip().endswith("</html>")
    assert INLINE.search(page.text) is None
    return page.text


async def test_every_page_is_whole_for_its_owner(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client(await browser(house, house.alice)) as client:
        for path in ("/", "/gallery", "/library", "/library/trash", "/create", f"/create?from={item.id}", "/tokens", "/activity",
                     "/account", "/collections", f"/m/{item.id}", "/sign-in", "/register", "/set-up"):  # fmt: skip
            fine(await client.get(path))


@pytest.mark.parametrize(
    "path", ["/create", "/collections", "/library", "/library/trash", "/tokens?cursor=x", "/activity", "/account"]
)
async def test_what_is_ones_own_asks_a_stranger_to_sign_in_and_goes_on_there(house: House, path: str) -> None:
    async with house.client(BROWSER) as client:
        answer = await client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=" + path.replace("/", "%2F").replace("?", "%3F").replace(
        "=", "%3D"
    )


@pytest.mark.parametrize("visibility", [Visibility.UNLISTED, Visibility.PRIVATE])
async def test_what_is_not_public_stands_in_its_owners_library_alone(house: House, visibility: Visibility) -> None:
    item = await house.published(house.alice, visibility)
    async with house.client(await browser(house, house.bob)) as client:
        assert item.id not in fine(await client.get("/"))
        assert item.id not in fine(await client.get("/library"))
        seen = await client.get(f"/m/{item.id}")
        fine(seen, 404 if visibility is Visibility.PRIVATE else 200)
        # Whoever has the address of an unlisted item may see it, and so may who it is sent on to; search engines may not.
        assert ("og:image" in seen.text) is (visibility is Visibility.UNLISTED)
        assert 'name="robots" content="noindex"' in seen.text
    async with house.client(await browser(house, house.alice)) as client:
        assert item.id in fine(await client.get("/library"))


async def test_a_locked_items_page_and_card_withhold_what_came_from_the_prompt(house: House) -> None:
    item = await house.published(house.alice, prompt="a secret garden", unlock_price=5, placeholder="c2VjcmV0aGFzaA==")
    async with house.client(await browser(house, house.bob)) as client:
        for path in ("/", f"/m/{item.id}"):
            page = fine(await client.get(path))
            assert "Locked film" in page
            assert "5 tokens" in page
            for hidden in ("secret garden", "c2VjcmV0aGFzaA", f"/create?from={item.id}"):
                assert hidden not in page, (path, hidden)
            shown = set(re.findall(rf"/media/{item.id}/([a-z0-9-]+)", page))
            assert shown
            assert shown <= BLURRED, path
        assert "secret garden" not in fine(await client.get(f"/create?from={item.id}"))


async def test_what_people_type_never_becomes_markup(house: House) -> None:
    nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    item = await house.published(house.alice, prompt=nasty, title=nasty, description=nasty)
    async with house.client(await browser(house, house.alice)) as client:
        paths = ("/", f"/m/{item.id}", f"/create?from={item.id}", f"/create?prompt={nasty}", f"/?q={nasty}", f"/sign-in?next={nasty}", f"/sign-in?link={nasty}", f"/set-up?secret={nasty}")  # fmt: skip
        for path in paths:
            page = (await client.get(path)).text
            assert "<script>alert" not in page, path
            assert "<img src=x" not in page, path


async def test_a_one_time_link_is_not_used_up_by_looking_at_it(house: House) -> None:
    secret = await house.studio.accounts.sign_in_secret(house.alice)
    async with house.client(BROWSER) as client:
        for _ in range(2):
            assert secret in fine(await client.get(f"/sign-in?link={secret}"))
        used = await client.post("/sign-in/link", data={"secret": secret, "next": "/library"})
        assert (used.status_code, used.headers["location"]) == (303, "/library")
        client.cookies.clear()
        again = fine(await client.post("/sign-in/link", data={"secret": secret}), 401)
        assert "was used or has expired" in again


async def test_a_form_that_another_site_sent_is_refused_as_a_page(house: House) -> None:
    item = await house.published(house.alice)
    foreign = {**await browser(house, house.alice), "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with house.client(foreign) as client:
        assert "by another site" in fine(await client.post(f"/m/{item.id}/trash"), 403)
    kept = await house.store.media.get(item.id)
    assert kept is not None
    assert kept.trashed_at is None


async def test_only_the_owner_edits_and_throws_away(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client(await browser(house, house.bob)) as client:
        page = fine(await client.get(f"/m/{item.id}"))
        assert "Put in the trash" not in page
        fine(await client.post(f"/m/{item.id}/trash"), 403)
        fine(await client.post(f"/m/{item.id}", data={"title": "Mine now"}), 403)
    async with house.client(await browser(house, house.alice)) as client:
        assert "Mine now" not in fine(await client.get(f"/m/{item.id}"))


async def test_an_edit_of_an_older_version_keeps_the_words_and_overwrites_nothing(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client(await browser(house, house.alice)) as client:
        first = await client.post(f"/m/{item.id}", data={"title": "First", "version": str(item.version)})
        assert first.headers["location"] == f"/m/{item.id}?done=saved"
        late = fine(await client.post(f"/m/{item.id}", data={"title": "Second", "version": str(item.version)}), 409)
        assert "Your words are still here" in late
        assert 'value="Second"' in late
        assert "<h1>First</h1>" in late


async def test_a_job_that_failed_says_why_and_that_the_tokens_are_back(house: House) -> None:
    job = await journey.failed(house.store, house.alice, house.clock.now())
    async with house.client(await browser(house, house.alice)) as client:
        card = await client.get(f"/jobs/{job.id}")
        assert journey.BROKE.message in card.text
        assert "Your tokens are back." in card.text
        assert f'action="/jobs/{job.id}/retry"' in card.text
    async with house.client(await browser(house, house.bob)) as client:
        fine(await client.get(f"/jobs/{job.id}"), 404)


async def test_the_button_pressed_twice_orders_once(house: House) -> None:
    order = {"model": "local/still", "prompt": "Once", "shown": "1", "key": "the-key-of-this-form"}
    async with house.client(await browser(house, house.alice)) as client:
        parts = {name: (None, text) for name, text in order.items()}
        answers = [await client.post("/create", files=parts) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert (await house.balance(house.alice)).held == 1


async def test_nothing_is_ordered_for_more_than_the_button_said(house: House) -> None:
    order = {"model": "local/dream", "prompt": "Dear", "shown": "1"}
    async with house.client(await browser(house, house.alice)) as client:
        asked = fine(await client.post("/create", files={name: (None, text) for name, text in order.items()}), 400)
    assert "This costs 10 tokens, not 1 as the button said" in asked
    assert "Generate <span data-price>· 10 tokens</span>" in asked
    assert ">Dear</textarea>" in asked
    assert (await house.balance(house.alice)).held == 0


async def test_an_order_that_the_balance_does_not_cover_keeps_the_form(house: House) -> None:
    dora = await house.studio.accounts.register("dora", PASSWORD)
    order = {
        "model": "local/dream",
        "prompt": "Too dear",
        "local/dream:duration_s": "10",
        "local/dream:size": "1920x1080",
    }
    async with house.client(await browser(house, dora)) as client:
        for _ in range(2):
            await client.post("/create", files={name: (None, text) for name, text in order.items()})
        assert (await house.balance(dora)).available == 20
        page = fine(await client.post("/create", files={name: (None, text) for name, text in order.items()}), 402)
    assert "This costs 40 tokens and 20 are available" in page
    assert ">Too dear</textarea>" in page


async def test_a_long_gallery_goes_on_by_a_link_and_keeps_its_filters(house: House) -> None:
    items = {(await house.published(house.alice)).id for _ in range(41)}
    async with house.client(BROWSER) as client:
        first = fine(await client.get("/?kind=video"))
        [more] = re.findall(r'class="more button" href="([^"]+)"', first)
        rest = fine(await client.get(html.unescape(more)))
        assert "kind=video" in more
        part = await client.get(html.unescape(more), headers={"X-Fragment": "1"})
    cards = [re.findall(r'<mu-card class="[^"]+" id="(\w+)"', page) for page in (first, rest, part.text)]
    assert [len(found) for found in cards] == [40, 1, 1]
    assert set(cards[0] + cards[1]) == items
    assert cards[1] == cards[2]
    assert "<html" not in part.text
    assert 'class="more' not in rest


async def test_a_filter_that_there_is_none_of_is_refused_in_words(house: House) -> None:
    async with house.client(BROWSER) as client:
        assert "There is no such filter." in fine(await client.get("/?kind=opera"), 422)
        assert "is not a date" in fine(await client.get("/?q=after:yesterday"), 422)


async def test_an_error_page_does_not_claim_to_know_who_is_there(house: House) -> None:
    async with house.client(await browser(house, house.alice)) as client:
        page = fine(await client.get("/no/such/page"), 404)
    assert 'href="/account"' in page
    assert ">Sign in<" not in page


async def test_old_addresses_of_assets_still_work_and_new_ones_are_kept_for_ever(house: House) -> None:
    async with house.client(BROWSER) as client:
        [current] = set(re.findall(r"/assets/\w+/studio\.js", (await client.get("/")).text))
        kept, old = await client.get(current), await client.get("/assets/000000000000/studio.js")
        assert "immutable" in kept.headers["cache-control"]
        assert old.headers["cache-control"] == "no-cache"
        assert kept.content == old.content
        assert (await client.get("/assets/x/..%2f..%2fapp.py")).status_code == 404


LONG = "9" * 5_000


@pytest.mark.parametrize("version", [LONG, "-" + LONG, "٣", "1.5", "x"])
async def test_a_version_that_is_no_number_saves_nothing_and_keeps_the_words(house: House, version: str) -> None:
    item = await house.published(house.alice)
    async with house.client(await browser(house, house.alice)) as client:
        page = fine(await client.post(f"/m/{item.id}", data={"title": "Mine", "version": version}), 422)
    assert "The form was damaged on its way." in page
    assert 'value="Mine"' in page
    assert f'name="version" value="{item.version}"' in page
    assert await house.store.media.get(item.id) == item


@pytest.mark.parametrize("wrong", [LONG, "-1", "²", "x"])
@pytest.mark.parametrize("field", ["seed", "local/still:results", "visibility"])
async def test_an_order_with_a_field_that_is_no_number_is_marked_and_not_taken(
    house: House, field: str, wrong: str
) -> None:
    order = {"model": "local/still", "prompt": "Kept", "shown": "1"} | {field: wrong}
    async with house.client(await browser(house, house.alice)) as client:
        answer = await client.post("/create", files={name: (None, text) for name, text in order.items()})
    page = fine(answer, 422)
    assert "Nothing was ordered. Look at what is marked." in page
    assert f'id="w-{field.removeprefix("local/still:")}"' in page
    assert ">Kept</textarea>" in page
    assert (await house.balance(house.alice)).held == 0


@pytest.mark.parametrize("shown", [LONG, "²", "x"])
async def test_an_order_whose_shown_price_is_no_number_is_not_taken(house: House, shown: str) -> None:
    order = {"model": "local/still", "prompt": "Kept", "shown": shown}
    async with house.client(await browser(house, house.alice)) as client:
        page = fine(await client.post("/create", files={name: (None, text) for name, text in order.items()}), 422)
    assert "Look at the price, and order again." in page
    assert ">Kept</textarea>" in page
    assert (await house.balance(house.alice)).held == 0


@pytest.mark.parametrize("path", ["/?cursor=", "/tokens?cursor=", "/create?cursor=", "/?q=longer:", "/?q=after:",
                                  "/api/media?limit=", "/api/media?longer=", "/media/x/master?s=x&e="])  # fmt: skip
async def test_an_endless_number_in_an_address_is_refused(house: House, path: str) -> None:
    async with house.client(await browser(house, house.alice)) as client:
        assert (await client.get(path + LONG)).status_code in (400, 404, 422)
