"""Guessing the password of a share link: it is slow, costs others nothing, and shuts nobody out."""

import asyncio

import httpx2
import pytest

from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Visibility
from mutoscope.services.sharing import Wish
from web.answers import code
from web.house import BASE, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

RIGHT = "open sesame"


async def shared(house: House) -> str:
    """The path of a link with a password."""
    item = await house.published(house.alice, Visibility.PRIVATE)
    _, secret = await house.studio.sharing.create(house.alice, item.id, Wish(password=RIGHT))
    return f"/s/{secret}"


async def typed(house: House, path: str, password: str, address: str) -> httpx2.Response:
    """The answer to a password from that address."""
    transport = httpx2.ASGITransport(house.app, raise_app_exceptions=False, client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.post(path, data={"password": password})


async def test_an_address_that_guesses_has_to_wait_and_others_do_not(house: House) -> None:
    path = await shared(house)
    tries = [(await typed(house, path, f"guess {n}", "192.0.2.1")).status_code for n in range(7)]
    assert tries == [401] * 5 + [429] * 2
    refused = await typed(house, path, RIGHT, "192.0.2.1")
    assert code(refused) == (429, "too_often")
    assert int(refused.headers["retry-after"]) > 0
    assert (await typed(house, path, RIGHT, "192.0.2.2")).status_code == 303
    house.clock.tick(2 * MINUTE)
    assert (await typed(house, path, RIGHT, "192.0.2.1")).status_code == 303


async def test_guessing_at_many_links_from_one_address_is_counted_together(house: House) -> None:
    paths = [await shared(house) for _ in range(5)]
    answers = [(await typed(house, path, f"{n}", "192.0.2.1")).status_code for path in paths for n in range(5)]
    assert answers.count(401) == 20
    assert answers.count(429) == 5


async def test_guesses_at_a_link_do_not_keep_its_owner_from_signing_in(house: House) -> None:
    path = await shared(house)
    await house.studio.accounts.create("erin", RIGHT + "!", house.alice.role)
    for n in range(6):
        await typed(house, path, f"guess {n}", "192.0.2.1")
    async with house.as_(None) as client:
        signed = await client.post("/api/auth/token", json={"name": "erin", "password": RIGHT + "!"})
    assert signed.status_code == 200


async def test_a_crowd_that_guesses_leaves_turns_for_others(house: House) -> None:
    path = await shared(house)
    crowd = [typed(house, path, f"guess {n}", "192.0.2.1") for n in range(40)]
    *guesses, right = await asyncio.gather(*crowd, typed(house, path, RIGHT, "192.0.2.2"))
    assert right.status_code == 303
    assert {answer.status_code for answer in guesses} == {401, 429}


async def test_a_password_that_is_too_long_to_be_one_is_wrong_and_no_more(house: House) -> None:
    path = await shared(house)
    assert (await typed(house, path, "x" * 50_000, "192.0.2.1")).status_code == 401
    assert (await typed(house, path, "\0\ud7ff\r\nSet-Cookie: a=b", "192.0.2.1")).status_code == 401
    assert (await typed(house, path, "", "192.0.2.1")).status_code == 401


async def test_another_site_cannot_type_it(house: House) -> None:
    path = await shared(house)
    async with house.client({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}) as client:
        assert code(await client.post(path, data={"password": RIGHT})) == (403, "cross_site")
