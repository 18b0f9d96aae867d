"""Guessing is slowed down where it comes from, whatever it is guessed at, and nobody is locked out by it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import HOUR, MINUTE, SECOND
from web.answers import code
from web.house import BASE, OUR_PAGE, PASSWORD, POLICY, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG = "not the right password"


@asynccontextmanager
async def at(house: House, address: str | None, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody at that address; None is the operator's socket."""
    client = (address, 1) if address is not None else None
    transport = httpx2.ASGITransport(house.app, raise_app_exceptions=False, client=client)  # pyright: ignore[reportArgumentType]
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as browser:
        yield browser


async def sign_in(client: httpx2.AsyncClient, name: str, password: str) -> httpx2.Response:
    return await client.post("/api/auth/sign-in", json={"name": name, "password": password})


async def guess(client: httpx2.AsyncClient, names: list[str]) -> list[int]:
    """The answers to wrong passwords for those names."""
    return [(await sign_in(client, name, WRONG)).status_code for name in names]


async def test_guessing_for_a_name_is_slowed_down_and_says_when_to_come_back(house: House) -> None:
    await house.studio.accounts.register("dora", PASSWORD)
    async with at(house, "192.0.2.1") as client:
        assert await guess(client, ["dora"] * 7) == [401] * 5 + [429] * 2
        refused = await sign_in(client, "dora", PASSWORD)
        assert code(refused) == (429, "too_often")
        assert refused.headers["retry-after"] == "120"
        assert refused.json()["retry_after"] == 120
        house.clock.tick(2 * MINUTE)
        assert (await sign_in(client, "dora", PASSWORD)).status_code == 200


async def test_a_right_password_from_another_address_always_works(house: House) -> None:
    await house.studio.accounts.register("dora", PASSWORD)
    for n in range(12):
        async with at(house, f"192.0.2.{n}") as client:
            await guess(client, ["dora"] * 6)
    async with at(house, "198.51.100.1", **OUR_PAGE) as client:
        for _ in range(30):
            assert (await sign_in(client, "dora", PASSWORD)).status_code == 200


async def test_guessing_for_many_names_is_slowed_down_by_the_address(house: House) -> None:
    async with at(house, "192.0.2.1") as client:
        answers = await guess(client, [f"name{n}" for n in range(22)])
    assert answers == [401] * 20 + [429] * 2


async def test_the_addresses_of_one_ipv6_network_are_one_and_of_another_not(house: House) -> None:
    answers: list[int] = []
    for n in range(7):
        async with at(house, f"2001:db8:0:1::{n:x}") as client:
            answers += await guess(client, ["dora"])
    assert answers == [401] * 5 + [429] * 2
    async with at(house, "2001:db8:0:2::1") as client:
        assert await guess(client, ["dora"]) == [401]


async def test_writing_the_name_otherwise_gives_no_more_tries(house: House) -> None:
    async with at(house, "192.0.2.1") as client:
        assert await guess(client, ["dora", "DORA", "Dora", "dOra", "doRa", "dorA"]) == [401] * 5 + [429]


async def test_every_door_of_passwords_has_the_same_lock(house: House) -> None:
    dora = await house.studio.accounts.register("dora", PASSWORD)
    async with at(house, "192.0.2.1", **OUR_PAGE) as client:
        body = {"name": "dora", "password": WRONG}
        await client.post("/api/auth/sign-in", json=body)
        await client.post("/api/auth/token", json=body)
        await client.post("/sign-in", data=body)
        cookie = {"Cookie": await house.session(dora), **OUR_PAGE}
        change = {"old": WRONG, "new": PASSWORD + "!"}
        assert (await client.post("/api/auth/password", json=change, headers=cookie)).status_code == 401
        assert (await client.post("/account/password", data=change, headers=cookie)).status_code == 401
        right = {"name": "dora", "password": PASSWORD}
        tried = [
            await client.post("/api/auth/sign-in", json=right),
            await client.post("/api/auth/token", json=right),
            await client.post("/api/auth/password", json=change | {"old": PASSWORD}, headers=cookie),
            await client.post("/sign-in", data=right),
            await client.post("/account/password", data=change | {"old": PASSWORD}, headers=cookie),
        ]
    assert [answer.status_code for answer in tried] == [429] * 5
    assert all(int(answer.headers["retry-after"]) > 100 for answer in tried)


async def test_secrets_of_links_are_guessed_as_slowly(house: House) -> None:
    async with at(house, "192.0.2.1", **OUR_PAGE) as client:
        for n in range(10):
            assert (await client.post("/api/auth/sign-in-link", json={"secret": f"no {n}"})).status_code == 401
            assert (await client.post("/sign-in/link", data={"secret": f"no {n}"})).status_code == 401
        good = await house.studio.accounts.sign_in_secret(house.alice)
        assert code(await client.post("/api/auth/sign-in-link", json={"secret": good})) == (429, "too_often")
        assert (await client.post("/sign-in/link", data={"secret": good})).status_code == 429
    async with at(house, "192.0.2.2") as client:
        assert (await client.post("/api/auth/sign-in-link", json={"secret": good})).status_code == 200


async def test_the_set_up_link_is_guessed_as_slowly(house: House) -> None:
    carol = house.carol
    await house.store.people.change(msgspec.structs.replace(carol, role="user"), carol.token_version)
    async with at(house, "192.0.2.1", **OUR_PAGE) as client:
        body = {"secret": "no", "name": "mallory", "password": PASSWORD}
        answers = [(await client.post("/api/auth/set-up", json=body)).status_code for _ in range(19)]
        answers += [(await client.post("/set-up", data=body)).status_code for _ in range(2)]
    assert answers == [401] * 20 + [429]


async def test_accounts_are_made_ten_an_hour_from_one_address(house: House) -> None:
    async with at(house, "192.0.2.1", **OUR_PAGE) as client:
        made = [
            (await client.post("/api/auth/register", json={"name": f"dora{n}", "password": PASSWORD})).status_code
            for n in range(10)
        ]
        assert made == [201] * 10
        more = {"name": "erin", "password": PASSWORD}
        assert code(await client.post("/api/auth/register", json=more)) == (429, "too_often")
        assert (await client.post("/register", data=more)).status_code == 429
        house.clock.tick(HOUR // 10)
        assert (await client.post("/api/auth/register", json=more)).status_code == 201
    async with at(house, "192.0.2.2") as client:
        answer = await client.post("/api/auth/register", json={"name": "fred", "password": PASSWORD})
        assert answer.status_code == 201


async def test_orders_are_limited_by_person_and_by_address(tmp_path: Path, darkroom: Darkroom) -> None:
    policy = msgspec.structs.replace(POLICY, orders_per_minute=3)
    async with open_house(tmp_path, darkroom, policy) as house:
        order = {"model": "local/still", "prompt": "x"}

        async def ordered(name: str, address: str, times: int) -> list[int]:
            person = getattr(house, name)
            async with at(house, address, **house.bearer(person)) as client:
                return [(await client.post("/api/generations", json=order)).status_code for _ in range(times)]

        assert await ordered("alice", "192.0.2.1", 4) == [202] * 3 + [429]
        assert await ordered("alice", "192.0.2.2", 1) == [429], "another address is no other person"
        assert await ordered("bob", "192.0.2.1", 3) == [202] * 3
        house.clock.tick(20 * SECOND)
        assert await ordered("alice", "192.0.2.1", 2) == [202, 429]
        async with at(house, "192.0.2.1", Cookie=await house.session(house.alice), **OUR_PAGE) as client:
            form = await client.post("/create", files={"model": (None, "local/still"), "prompt": (None, "kept words")})
            assert form.status_code == 429
            assert int(form.headers["retry-after"]) >= 1
            assert "kept words" in form.text
        assert (await house.balance(house.alice)).held == 4 * (await house.balance(house.bob)).held // 3


async def test_the_operators_socket_knows_no_addresses(house: House) -> None:
    async with at(house, None) as client:
        assert await guess(client, ["dora"] * 25) == [401] * 25


async def test_a_header_that_nobody_trusted_wrote_does_not_change_the_address(house: House) -> None:
    answers: list[int] = []
    for n in range(7):
        async with at(house, "192.0.2.1", **{"X-Forwarded-For": f"198.51.100.{n}"}) as client:
            answers += await guess(client, ["dora"])
    assert answers == [401] * 5 + [429] * 2


async def test_many_guesses_at_once_are_not_free(house: House) -> None:
    async with at(house, "192.0.2.1") as client:
        answers = await asyncio.gather(*(sign_in(client, "dora", WRONG) for _ in range(40)))
        tried = sum(answer.status_code == 401 for answer in answers)
        assert 5 <= tried <= 18, "two at work and sixteen that wait"
        # All that were tried are counted: the next one is as far away as if they had come one by one.
        house.clock.tick((tried - 5) * 2 * MINUTE)
        assert await guess(client, ["dora"]) == [429]
        house.clock.tick(2 * MINUTE)
        assert await guess(client, ["dora"]) == [401]


async def test_a_flood_of_passwords_keeps_nobody_else_waiting_long(house: House) -> None:
    await house.studio.accounts.register("dora", PASSWORD)

    async def flood(n: int) -> None:
        async with at(house, f"192.0.2.{n}") as client:
            await asyncio.gather(*(sign_in(client, f"name{m}", WRONG) for m in range(18)))

    flooding = [asyncio.create_task(flood(n)) for n in range(8)]
    await asyncio.sleep(0.05)
    async with at(house, "198.51.100.1") as client:
        began = time.perf_counter()
        assert (await client.get("/api/models")).status_code == 200
        looked_s = time.perf_counter() - began
        assert (await sign_in(client, "dora", PASSWORD)).status_code == 200
        signed_in_s = time.perf_counter() - began
        assert not all(task.done() for task in flooding), "the flood was still on"
    await asyncio.gather(*flooding)
    whole_s = time.perf_counter() - began
    assert signed_in_s < whole_s / 2, (looked_s, signed_in_s, whole_s)


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(house: House) -> None:
    await house.studio.accounts.register("dora", PASSWORD)

    async def took_s(name: str) -> float:
        began = time.perf_counter()
        async with at(house, None) as client:
            assert (await sign_in(client, name, WRONG)).status_code == 401
        return time.perf_counter() - began

    # In turns, and the fastest of each: whatever else this machine does only ever adds to one.
    times = {"dora": [await took_s("dora")], "nobody-here": [await took_s("nobody-here")]}
    for _ in range(12):
        for name, so_far in times.items():
            so_far.append(await took_s(name))
    known_s, unknown_s = (min(each) for each in times.values())
    assert 0.5 < known_s / unknown_s < 2
    assert unknown_s > 0.005, "a hash was computed for nobody too"
