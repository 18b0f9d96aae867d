"""Coming in and going out."""

import asyncio

import pytest

from mutoscope.domain.errors import Conflict
from mutoscope.domain.ids import DAY
from mutoscope.domain.people import Person, Role
from web.answers import code
from web.house import GRANTED, OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_someone_who_registers_is_signed_in_and_has_the_grant(house: House) -> None:
    async with house.client() as client:
        made = await client.post("/api/auth/register", json={"name": "dora", "password": PASSWORD})
        assert made.status_code == 201
        assert made.json()["balance"] == {"available": 100, "held": 0}
        assert (await client.get("/api/me")).json()["name"] == "dora"


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(house: House) -> None:
    await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    async with house.client() as client:
        answer = await client.post("/api/auth/sign-in", json={"name": "Dora", "password": PASSWORD})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("mutoscope_session=")
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "password" not in answer.text


@pytest.mark.parametrize("name", ["dora", "nobody-of-that-name"])
async def test_a_wrong_password_and_an_unknown_name_are_refused_alike(house: House, name: str) -> None:
    await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    async with house.client() as client:
        answer = await client.post("/api/auth/sign-in", json={"name": name, "password": "not the right one"})
    assert code(answer) == (401, "wrong_credentials")
    assert answer.json()["detail"] == "The name or the password is wrong."
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_taken_name_and_a_weak_password_are_refused(house: House) -> None:
    async with house.client() as client:
        taken = await client.post("/api/auth/register", json={"name": "ALICE", "password": PASSWORD})
        weak = await client.post("/api/auth/register", json={"name": "dora", "password": "short"})
    assert code(taken) == (409, "conflict")
    assert code(weak) == (422, "invalid")
    assert set(weak.json()["fields"]) == {"password"}


async def test_the_set_up_link_is_of_no_use_once_there_is_an_administrator(house: House) -> None:
    async with house.client() as client:
        body = {"secret": "made up", "name": "mallory", "password": PASSWORD}
        assert code(await client.post("/api/auth/set-up", json=body)) == (409, "conflict")


async def test_a_sign_in_link_works_once(house: House) -> None:
    secret = await house.studio.accounts.sign_in_secret(house.bob)
    async with house.client() as client:
        assert (await client.post("/api/auth/sign-in-link", json={"secret": secret})).json()["name"] == "bob"
    async with house.client() as client:
        assert code(await client.post("/api/auth/sign-in-link", json={"secret": secret})) == (401, "wrong_credentials")


async def test_signing_out_ends_the_session_and_not_only_the_cookie(house: House) -> None:
    headers = {"Cookie": await house.session(house.alice)}
    async with house.client(headers) as client:
        assert (await client.get("/api/me")).status_code == 200
        out = await client.post("/api/auth/sign-out", headers=OUR_PAGE)
        assert (out.status_code, out.content) == (204, b"")
        assert "max-age=0" in out.headers["set-cookie"].lower()
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")


async def test_signing_out_everywhere_ends_other_sessions_and_tokens(house: House) -> None:
    other, token = {"Cookie": await house.session(house.alice)}, house.bearer(house.alice)
    async with house.client({"Cookie": await house.session(house.alice)}) as client:
        assert (await client.post("/api/auth/sign-out-everywhere", headers=OUR_PAGE)).status_code == 204
    async with house.client() as client:
        assert code(await client.get("/api/me", headers=other)) == (401, "sign_in_needed")
        assert code(await client.get("/api/me", headers=token)) == (401, "sign_in_needed")


async def test_of_two_who_change_a_password_at_once_only_one_does(house: House) -> None:
    accounts = house.studio.accounts
    dora = await accounts.register("dora", PASSWORD)
    new = ["the new one of dora", "the new one of a thief"]
    answers = await asyncio.gather(
        *(accounts.change_password(dora, PASSWORD, each) for each in new), return_exceptions=True
    )
    refused = [isinstance(answer, Conflict) for answer in answers].index(True)
    assert isinstance(answers[1 - refused], Person)
    assert (await accounts.sign_in("dora", new[1 - refused])).id == dora.id


async def test_a_new_password_keeps_this_browser_and_ends_the_others(house: House) -> None:
    await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    async with house.client() as client, house.client() as other:
        for browser in (client, other):
            await browser.post("/api/auth/sign-in", json={"name": "dora", "password": PASSWORD})
        wrong = await client.post("/api/auth/password", json={"old": "no", "new": PASSWORD + "!"}, headers=OUR_PAGE)
        assert code(wrong) == (401, "wrong_credentials")
        done = await client.post("/api/auth/password", json={"old": PASSWORD, "new": PASSWORD + "!"}, headers=OUR_PAGE)
        assert done.status_code == 204
        assert (await client.get("/api/me")).status_code == 200
        assert code(await other.get("/api/me")) == (401, "sign_in_needed")


async def test_an_expired_session_is_a_stranger(house: House) -> None:
    headers = {"Cookie": await house.session(house.alice)}
    house.clock.tick(31 * DAY)
    async with house.client(headers) as client:
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")
        assert (await client.get("/api/media")).status_code == 200


async def test_a_token_for_programs_works_without_a_cookie(house: House) -> None:
    await house.studio.accounts.create("dora", PASSWORD, Role.USER)
    async with house.client() as client:
        answer = (await client.post("/api/auth/token", json={"name": "dora", "password": PASSWORD})).json()
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 12 * 3600)
        me = await client.get("/api/me", headers={"Authorization": f"bearer {answer['access_token']}"})
        assert me.json()["role"] == "user"


async def test_me_tells_what_one_has(house: House) -> None:
    async with house.as_(house.alice) as client:
        me = (await client.get("/api/me")).json()
    assert me["balance"] == {"available": GRANTED, "held": 0}
    assert me["created_at"] == "2026-11-22T12:00:00.000Z"
    assert set(me) == {"id", "name", "role", "balance", "created_at"}
