"""Views: who counts, who does not, once a day, and what is kept of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from mutoscope.domain.counting import Visitor, day_of
from mutoscope.domain.ids import DAY, HOUR, SECOND
from mutoscope.domain.limits import VIEWS_FROM_ADDRESS
from mutoscope.domain.media import Media, Variant, Visibility
from mutoscope.domain.people import Person
from mutoscope.domain.rights import STRANGER
from mutoscope.services.counting import Counting
from mutoscope.store.port import StoreUnavailable
from web.answers import code
from web.house import BASE, OUR_PAGE, SIGNING_KEY, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
SOMEBODY = Visitor(source="192.0.2.7", user_agent=FIREFOX)


@asynccontextmanager
async def browser(
    house: House, address: str = "192.0.2.7", agent: str = FIREFOX, person: Person | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody's browser at an address."""
    transport = httpx2.ASGITransport(house.app, raise_app_exceptions=False, client=(address, 40_000))
    headers = {"User-Agent": agent} | (house.bearer(person) if person else OUR_PAGE)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


async def look(client: httpx2.AsyncClient, item: Media, headers: Mapping[str, str] | None = None) -> None:
    assert (await client.post(f"/api/media/{item.id}/view", headers=dict(headers or {}))).status_code == 204


async def views(house: House, item: Media) -> int:
    """The count, with all that was gathered."""
    await house.studio.counting.flush()
    found = await house.store.media.get(item.id)
    assert found is not None
    return found.views


async def test_two_tabs_and_many_reloads_of_a_browser_count_once(house: House) -> None:
    item = await house.published(house.alice)
    async with browser(house) as one, browser(house) as two:
        for client in (one, two, one):
            await look(client, item)
        assert await views(house, item) == 1
        await look(two, item)
        assert await views(house, item) == 1
        assert (await one.get(f"/api/media/{item.id}")).json()["views"] == 1


async def test_another_browser_another_address_and_another_item_count_by_themselves(house: House) -> None:
    item, other = await house.published(house.alice), await house.published(house.alice)
    for address, agent in (("192.0.2.7", FIREFOX), ("192.0.2.7", CHROME), ("192.0.2.8", FIREFOX)):
        async with browser(house, address, agent) as client:
            await look(client, item)
    async with browser(house) as client:
        await look(client, other)
    assert (await views(house, item), await views(house, other)) == (3, 1)


async def test_a_customers_whole_network_is_one_address_and_the_next_ones_another(house: House) -> None:
    item = await house.published(house.alice)
    for address in ("2001:db8:1:2::3", "2001:db8:1:2:ffff::9", "2001:db8:1:3::3"):
        async with browser(house, address) as client:
            await look(client, item)
    assert await views(house, item) == 2


async def test_a_person_counts_once_wherever_they_are_signed_in(house: House) -> None:
    item = await house.published(house.alice)
    for address, agent in (("192.0.2.7", FIREFOX), ("198.51.100.9", CHROME)):
        async with browser(house, address, agent, house.bob) as client:
            await look(client, item)
    assert await views(house, item) == 1


async def test_a_new_day_begins_at_midnight_and_counts_again(house: House) -> None:
    item = await house.published(house.alice)
    async with browser(house) as client:
        await look(client, item)
        house.clock.tick(12 * HOUR - 1)
        await look(client, item)
        assert await views(house, item) == 1
        house.clock.tick()
        await look(client, item)
        assert await views(house, item) == 2


async def test_looks_before_midnight_that_are_written_after_it_belong_to_the_day_before(house: House) -> None:
    item = await house.published(house.alice)
    async with browser(house) as client:
        house.clock.tick(12 * HOUR - 1)
        await look(client, item)
        house.clock.tick()
        await look(client, item)
    assert await views(house, item) == 2


async def test_the_owners_own_looks_do_not_count_and_an_administrators_do(house: House) -> None:
    item = await house.published(house.alice)
    async with browser(house, person=house.alice) as alice, browser(house, person=house.carol) as carol:
        await look(alice, item)
        assert await views(house, item) == 0
        await look(carol, item)
        assert await views(house, item) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": ""},
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
    ],
    ids=lambda headers: "=".join(*headers.items()) or "nothing",
)
async def test_robots_and_what_is_fetched_ahead_do_not_count_and_are_not_told(
    house: House, headers: dict[str, str]
) -> None:
    item = await house.published(house.alice)
    async with browser(house) as client, browser(house, person=house.bob) as bob:
        for each in (client, bob):
            await look(each, item, headers)
    assert await views(house, item) == 0


async def test_nothing_but_saying_so_counts(house: House) -> None:
    item = await house.published(house.alice)
    files = [f"/media/{item.id}/{variant}" for variant in (Variant.MASTER, Variant.POSTER)]
    async with browser(house) as client:
        for path in (f"/m/{item.id}", f"/api/media/{item.id}", *files):
            for method in ("GET", "HEAD"):
                for headers in ({}, {"Range": "bytes=0-1"}, {"Sec-Fetch-Dest": "document"}):
                    assert (await client.request(method, path, headers=headers)).status_code < 400 or method == "HEAD"
        assert await views(house, item) == 0
        cross = await client.post(f"/api/media/{item.id}/view", headers={"Sec-Fetch-Site": "cross-site"})
        assert code(cross) == (403, "cross_site")
    assert await views(house, item) == 0


async def test_an_address_that_a_client_claims_to_forward_for_is_not_believed(house: House) -> None:
    item = await house.published(house.alice)
    async with browser(house) as client:
        for n in range(5):
            forged = dict.fromkeys(("X-Forwarded-For", "X-Real-IP"), f"203.0.113.{n}")
            await look(client, item, forged | {"Forwarded": f"for=203.0.113.{n}"})
    assert await views(house, item) == 1


@pytest.mark.parametrize("state", ["private", "trashed", "hidden", "unknown"])
async def test_what_is_not_open_to_one_answers_like_what_is_not_there_and_does_not_count(
    house: House, state: str
) -> None:
    item = await house.published(house.alice)
    changes: dict[str, dict[str, Any]] = {
        "private": {"visibility": Visibility.PRIVATE}, "trashed": {"trashed_at": 1}, "hidden": {"hidden": True}
    }  # fmt: skip
    if state in changes:
        await house.change(item, **changes[state])
    id = "med_" + "0" * 26 if state == "unknown" else item.id
    for person in (None, house.bob):
        async with browser(house, person=person) as client:
            answer = await client.post(f"/api/media/{id}/view")
            ghost = await client.post(f"/api/media/med_{'1' * 26}/view")
            assert (answer.status_code, answer.text) == (404, ghost.text)
    assert await views(house, item) == 0


async def test_an_address_adds_no_more_than_its_share_and_takes_none_of_others(house: House) -> None:
    item = await house.published(house.alice)
    for n in range(VIEWS_FROM_ADDRESS.burst + 20):
        async with browser(house, agent=f"{FIREFOX} {n}") as client:
            await look(client, item)
    assert await views(house, item) == VIEWS_FROM_ADDRESS.burst
    async with browser(house, "198.51.100.9") as client:
        await look(client, item)
    assert await views(house, item) == VIEWS_FROM_ADDRESS.burst + 1
    house.clock.tick(5 * SECOND)
    for n in range(2):
        async with browser(house, agent=f"{CHROME} {n}") as client:
            await look(client, item)
    assert await views(house, item) == VIEWS_FROM_ADDRESS.burst + 2


async def test_looks_of_many_are_written_in_one_commit(house: House) -> None:
    items = [await house.published(house.alice) for _ in range(3)]
    await house.store.views.secret(day_of(house.clock.now()), "drawn before")
    before = house.store.revision()
    for n in range(60):
        async with browser(house, f"192.0.2.{n}") as client:
            await look(client, items[n % 3])
    assert house.store.revision() == before
    assert [await views(house, item) for item in items] == [20, 20, 20]
    assert before is not None
    assert house.store.revision() == before + 2, "one commit has the numbers before, while, and after"


async def test_neither_address_nor_browser_is_in_the_store_or_in_a_log(
    house: House, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    item = await house.published(house.alice)
    async with browser(house, "203.0.113.77", "Curious/7.7 SomeBrowser") as client:
        await look(client, item, {"X-Forwarded-For": "203.0.113.77"})
    async with browser(house, person=house.bob) as bob:
        await look(bob, item)
    assert await views(house, item) == 2
    kept = b"".join(path.read_bytes() for path in house.folder.glob("studio.sqlite*"))
    said = "".join((*capfd.readouterr(), caplog.text))
    assert "/view" in said, "the request itself is logged"
    for part in ("203.0.113", "Curious", "SomeBrowser"):
        assert part.encode() not in kept
        assert part not in said
    await house.store.views.prune(day_of(house.clock.now() + 2 * DAY))
    secret = await house.store.views.secret(day_of(house.clock.now()), "another one")
    assert secret == "another one", "what the hashes were made with is gone"


async def test_looks_are_written_by_themselves_after_a_while_and_at_the_end(house: House) -> None:
    item, other = await house.published(house.alice), await house.published(house.alice)
    counting = Counting(house.store, house.clock, SIGNING_KEY, gather_s=0.01)
    await counting.viewed(STRANGER, item, SOMEBODY)
    async with asyncio.timeout(20):
        while counting.counted == 0:  # noqa: ASYNC110  # nobody is told of it
            await asyncio.sleep(0.01)
    slow = Counting(house.store, house.clock, SIGNING_KEY, gather_s=3_600)
    await slow.viewed(STRANGER, item, SOMEBODY)
    await slow.viewed(STRANGER, other, SOMEBODY)
    await slow.close()
    await counting.close()
    assert (slow.counted, await views(house, item), await views(house, other)) == (1, 1, 1)


async def test_looks_wait_while_the_database_is_away_and_count_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await house.published(house.alice)
    add = house.store.views.add

    async def half(*args: Any) -> int:
        await add(*args)
        raise StoreUnavailable("the answer was lost")

    async with browser(house) as client:
        monkeypatch.setattr(house.store.views, "add", half)
        await look(client, item)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await house.studio.counting.flush()
        monkeypatch.setattr(house.store.views, "add", add)
        assert await views(house, item) == 1


async def test_a_page_is_shown_while_the_database_cannot_say_the_secret(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await house.published(house.alice)

    async def away(*_: Any) -> str:
        raise StoreUnavailable("away")

    monkeypatch.setattr(house.store.views, "secret", away)
    async with browser(house) as client:
        await look(client, item)
    assert await views(house, item) == 0


async def test_the_operator_at_the_socket_does_not_count(house: House) -> None:
    item = await house.published(house.alice)
    await house.studio.counting.viewed(STRANGER, item, Visitor(source=None, user_agent=FIREFOX))
    assert await views(house, item) == 0


async def test_metrics_say_how_many_this_process_has_counted(house: House) -> None:
    item = await house.published(house.alice)
    async with browser(house, "127.0.0.1") as client:
        assert "mutoscope_views_total 0.0" in (await client.get("/metrics")).text
        await look(client, item)
        await house.studio.counting.flush()
        for _ in range(2):
            assert "mutoscope_views_total 1.0" in (await client.get("/metrics")).text


async def test_the_item_page_says_where_to_tell_of_a_look_but_not_to_its_owner(house: House) -> None:
    item = await house.published(house.alice)
    told = f'data-view="{item.id}"'
    for person, there in ((None, True), (house.bob, True), (house.alice, False)):
        headers = {"Cookie": await house.session(person)} if person else {}
        async with house.client(headers) as client:
            page = (await client.get(f"/m/{item.id}")).text
            assert (told in page) is there
            assert "0 views · 0 likes" in page
            assert "0 views · 0 likes" in (await client.get("/")).text
