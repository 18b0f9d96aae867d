"""A new password by a one-time link: once, in time, for whom it was made, and with everything else ended."""

import asyncio

import pytest

from mutoscope.domain.ids import HOUR
from mutoscope.domain.keys import Scope
from mutoscope.domain.people import Person
from web.answers import code
from web.house import BASE, OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = PASSWORD + " and another"


async def link_for(house: House, name: str = "dora") -> str:
    """The secret of a link that carol made."""
    async with house.as_(house.carol) as client:
        answer = await client.post("/api/admin/reset-links", json={"name": name})
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["url"]
    assert url.startswith(f"{BASE}/reset?link=")
    return url.partition("=")[2]


async def dora(house: House) -> Person:
    """Somebody with a password."""
    return await house.studio.accounts.register("dora", PASSWORD)


async def test_a_link_sets_the_password_signs_in_and_ends_everything_else(house: House) -> None:
    person = await dora(house)
    _, key = await house.studio.keys.create(person, "hers", [Scope.READ])
    before = [
        {"Cookie": await house.session(person)},
        house.bearer(person),
        {"Authorization": f"Bearer {key}"},
    ]
    sign_in_link, other = await house.studio.accounts.sign_in_secret(person), await link_for(house)
    async with house.client() as client:
        done = await client.post("/api/auth/reset", json={"secret": await link_for(house), "password": NEW})
        assert (done.status_code, done.json()["name"]) == (200, "dora")
        assert (await client.get("/api/me")).status_code == 200
    async with house.client() as client:
        for headers in before:
            assert code(await client.get("/api/me", headers=headers)) == (401, "sign_in_needed")
        assert code(await client.post("/api/auth/sign-in-link", json={"secret": sign_in_link}))[0] == 401
        assert code(await client.post("/api/auth/reset", json={"secret": other, "password": PASSWORD}))[0] == 401
        old = await client.post("/api/auth/sign-in", json={"name": "dora", "password": PASSWORD})
        assert code(old) == (401, "wrong_credentials")
        assert (await client.post("/api/auth/sign-in", json={"name": "dora", "password": NEW})).status_code == 200


async def test_a_link_is_used_once_also_by_many_at_once(house: House) -> None:
    await dora(house)
    secret = await link_for(house)

    async def use(n: int) -> int:
        async with house.client() as client:
            return (await client.post("/api/auth/reset", json={"secret": secret, "password": f"{NEW} {n}"})).status_code

    answers = await asyncio.gather(*(use(n) for n in range(6)))
    assert answers.count(200) == 1
    assert set(answers) <= {200, 401, 409}
    assert await use(9) == 401


async def test_a_link_ends_after_an_hour_and_with_a_suspension(house: House) -> None:
    await dora(house)
    late, suspended = await link_for(house), await link_for(house)
    await house.studio.accounts.suspend(house.carol, "dora")
    async with house.client() as client:
        body = {"secret": suspended, "password": NEW}
        assert code(await client.post("/api/auth/reset", json=body)) == (401, "wrong_credentials")
        await house.studio.accounts.suspend(house.carol, "dora", suspended=False)
        late = await link_for(house)
        house.clock.tick(HOUR)
        assert code(await client.post("/api/auth/reset", json={"secret": late, "password": NEW}))[0] == 401


async def test_a_link_for_something_else_sets_no_password_and_this_one_signs_nobody_in(house: House) -> None:
    person = await dora(house)
    sign_in, reset = await house.studio.accounts.sign_in_secret(person), await link_for(house)
    async with house.client() as client:
        assert code(await client.post("/api/auth/reset", json={"secret": sign_in, "password": NEW}))[0] == 401
        assert code(await client.post("/api/auth/sign-in-link", json={"secret": reset}))[0] == 401
        assert (await client.post("/api/auth/reset", json={"secret": reset, "password": NEW})).status_code == 200


async def test_a_weak_password_is_refused_and_the_link_stays_good(house: House) -> None:
    await dora(house)
    secret = await link_for(house)
    async with house.client(OUR_PAGE) as client:
        assert code(await client.post("/api/auth/reset", json={"secret": secret, "password": "short"}))[0] == 422
        assert f'value="{secret}"' in (await client.get(f"/reset?link={secret}")).text
        weak = await client.post("/reset", data={"secret": secret, "password": "short"})
        assert (weak.status_code, f'value="{secret}"' in weak.text) == (422, True)
        done = await client.post("/reset", data={"secret": secret, "password": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/account?done=password")
        assert (await client.get("/api/me")).json()["name"] == "dora"
        assert (await client.post("/reset", data={"secret": secret, "password": NEW})).status_code == 401


async def test_only_administrators_make_links_and_no_key_does(house: House) -> None:
    async with house.as_(house.alice) as client:
        assert code(await client.post("/api/admin/reset-links", json={"name": "carol"})) == (403, "forbidden")
        assert code(await client.post("/api/admin/reset-links", json={"name": "nobody"})) == (403, "forbidden")
    _, key = await house.studio.keys.create(house.carol, "all", list(Scope))
    async with house.client({"Authorization": f"Bearer {key}"}) as client:
        assert code(await client.post("/api/admin/reset-links", json={"name": "alice"})) == (403, "scope_needed")
    async with house.as_(house.carol) as client:
        assert code(await client.post("/api/admin/reset-links", json={"name": "nobody"})) == (404, "not_found")


async def test_guessing_links_is_slowed_down(house: House) -> None:
    async with house.client(OUR_PAGE) as client:
        answers = [
            (await client.post("/api/auth/reset", json={"secret": f"{n}", "password": NEW})).status_code
            for n in range(21)
        ]
        assert answers == [401] * 20 + [429]
        assert (await client.post("/reset", data={"secret": "x", "password": NEW})).status_code == 429
