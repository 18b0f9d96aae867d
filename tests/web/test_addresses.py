"""Signed addresses: what they open, for whom, and for how long; and the keys that sign them."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from cast import HandClock, facts, grant, media, person, wish
from cast import generation as job
from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import HOUR
from mutoscope.domain.media import Media, Variant, Visibility
from mutoscope.domain.people import Person
from mutoscope.secrets import load_secrets
from mutoscope.services.addresses import Addresses
from mutoscope.settings import load_settings
from web.answers import code
from web.house import OUR_PAGE, POLICY, WINDOW_MS, House, content, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

GONE = (404, "not_found")
PLAIN = load_settings(environ={})
CLOSED = msgspec.structs.replace(POLICY, gallery_open=False)


@pytest_asyncio.fixture(loop_scope="session")
async def closed(tmp_path: Path, darkroom: Darkroom) -> AsyncIterator[House]:
    """A studio whose visitors have to sign in: what opens a public item for nobody in particular is its address alone."""
    async with open_house(tmp_path, darkroom, CLOSED) as house:
        yield house


async def urls_of(house: House, person: Person, item: Media) -> dict[str, str]:
    """The addresses that an answer hands to that person."""
    async with house.as_(person) as client:
        urls: dict[str, str] = (await client.get(f"/api/media/{item.id}")).json()["urls"]
    return urls


async def test_an_expired_or_forged_address_is_only_as_good_as_whoever_sends_it(closed: House) -> None:
    item = await closed.published(closed.alice)
    address = closed.studio.addresses.path(item, Variant.MASTER)
    async with closed.client() as client:
        assert (await client.get(address)).status_code == 200
        for forged in (address[:-1] + "~", address.replace("?e=", "?e=9"), address.replace("master", "poster")):
            assert code(await client.get(forged)) == (401, "sign_in_needed"), forged
        closed.clock.tick(2 * HOUR)
        assert code(await client.get(address)) == (401, "sign_in_needed")
    async with closed.as_(closed.alice) as owner:
        assert (await owner.get(address)).status_code == 200


@pytest.mark.parametrize("closing", [{"visibility": Visibility.PRIVATE}, {"unlock_price": 5}])
async def test_an_address_of_what_strangers_may_not_have_opens_for_whom_it_was_made(
    house: House, closing: dict[str, object]
) -> None:
    item = await house.change(await house.published(house.alice), **closing)
    urls = await urls_of(house, house.alice, item)
    assert set(urls) >= {"master", "poster", "preview", "thumb-640"}
    ways = {
        "alice's browser": ({"Cookie": await house.session(house.alice)}, 200),
        "alice's program": (house.bearer(house.alice), 200),
        "nobody": ({}, 404),
        "bob's browser": ({"Cookie": await house.session(house.bob)}, 404),
        "bob's browser on our page": ({"Cookie": await house.session(house.bob)} | OUR_PAGE, 404),
        "bob's program": (house.bearer(house.bob), 404),
        "a cookie of nobody": ({"Cookie": "mutoscope_session=made-up"}, 404),
    }
    for who, (headers, status) in ways.items():
        async with house.client(headers) as client:
            for name in ("master", "poster", "preview", "thumb-640"):
                for more in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}):
                    answer = await client.get(urls[name], headers=more)
                    expected = (
                        status if status == 404 else {"Range": 206, "If-None-Match": 304}.get(*more or ("",), 200)
                    )
                    assert answer.status_code == expected, (who, name, more)


async def test_an_address_ends_with_the_session_of_whom_it_was_made_for(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    url = (await urls_of(house, house.alice, item))["master"]
    async with house.client({"Cookie": await house.session(house.alice)}) as client:
        assert (await client.get(url)).content == content(item.id, Variant.MASTER)
        await house.studio.accounts.sign_out_everywhere(house.alice)
        assert code(await client.get(url)) == GONE


async def test_an_address_of_what_was_bought_ends_with_the_refund(house: House) -> None:
    buyer = person("erin")
    await house.store.people.add(buyer, grant(buyer, 100))
    item = await house.published(house.alice, unlock_price=5)
    unlock, _ = await house.store.unlocks.buy(wish(buyer, item), 20, house.clock.now())
    url = (await urls_of(house, buyer, item))["master"]
    async with house.as_(buyer) as client:
        assert (await client.get(url)).status_code == 200
        await house.store.unlocks.refund(unlock.id, house.clock.now())
        assert code(await client.get(url)) == GONE


async def test_an_address_does_not_say_for_whom_it_was_made_and_stays_for_a_window(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    hers, carols = [(await urls_of(house, who, item))["master"] for who in (house.alice, house.carol)]
    assert hers != carols
    assert hers.partition("&s=")[0] == carols.partition("&s=")[0]
    assert house.alice.id not in hers
    house.clock.tick(WINDOW_MS - 1)
    assert (await urls_of(house, house.alice, item))["master"] == hers
    house.clock.tick(1)
    assert (await urls_of(house, house.alice, item))["master"] != hers


async def test_what_anybody_may_have_has_one_address_for_everyone(house: House) -> None:
    item = await house.published(house.alice)
    async with house.client() as client:
        theirs = (await client.get(f"/api/media/{item.id}")).json()["urls"]
    assert theirs == await urls_of(house, house.alice, item) == await urls_of(house, house.bob, item)
    locked = await house.change(item, unlock_price=5)
    async with house.client() as client:
        theirs = (await client.get(f"/api/media/{item.id}")).json()["urls"]
    hers = await urls_of(house, house.alice, locked)
    assert theirs == {name: hers[name] for name in ("blurred", "blurred-320", "blurred-preview")}


def an_item() -> Media:
    """One that no store has."""
    return media(job(person("dora")), facts=facts())


@pytest.mark.parametrize("viewer_id", [None, "usr_somebody"])
async def test_keys_are_turned_while_addresses_live(tmp_path: Path, viewer_id: str | None) -> None:
    clock, item, file = HandClock(), an_item(), tmp_path / "secrets" / "signing"

    def studio() -> Addresses:
        """As it starts with the file as it is."""
        return Addresses(load_secrets(PLAIN, tmp_path).signing, clock, WINDOW_MS)

    def opens(studio: Addresses, address: str) -> bool:
        expires, _, signature = address.partition("?e=")[2].partition("&s=")
        return studio.verify(item, Variant.MASTER, expires, signature, viewer_id)

    before = studio()
    old, new = file.read_text(), f"{secrets.token_hex(32)}\n"
    file.write_text(new + old)
    both = studio()
    file.write_text(new)
    after = studio()
    handed_out, fresh = [each.path(item, Variant.MASTER, viewer_id) for each in (before, both)]
    assert fresh != handed_out
    assert fresh == after.path(item, Variant.MASTER, viewer_id)
    assert [opens(each, handed_out) for each in (before, both, after)] == [True, True, False]
    assert [opens(each, fresh) for each in (before, both, after)] == [False, True, True]
    clock.tick(2 * WINDOW_MS)
    assert [opens(both, address) for address in (handed_out, fresh)] == [False, False]
