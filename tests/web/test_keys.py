"""API keys and sessions over REST and on the account page."""

import re

import pytest

from mutoscope.domain.ids import DAY, MINUTE
from mutoscope.domain.people import Person, Session
from mutoscope.services.accounts import hash_secret
from web.answers import code, fields
from web.house import OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = re.compile(r"mto_[A-Za-z0-9_-]{43}")
ALL = ["generate", "read", "manage", "admin"]


async def made(house: House, person: Person, *scopes: str, days: int | None = None) -> dict[str, str]:
    """The answer to somebody who makes a key."""
    async with house.as_(person) as client:
        body = {"name": "uploader", "scopes": list(scopes), "expires_in_days": days}
        answer = await client.post("/api/keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["key"] | {"secret": answer.json()["secret"]}


def bearer(key: dict[str, str]) -> dict[str, str]:
    """The header of a program that has the key."""
    return {"Authorization": f"Bearer {key['secret']}"}


async def browser(house: House, person: Person, secret: str, agent: str = "Lynx") -> dict[str, str]:
    """Headers of a browser that signed in."""
    now = house.clock.now()
    await house.store.people.open_session(
        Session(
            secret_hash=hash_secret(secret), person_id=person.id, created_at=now, expires_at=now + DAY, user_agent=agent
        )
    )
    return {"Cookie": f"mutoscope_session={secret}", **OUR_PAGE}


async def test_a_key_is_shown_once_and_stored_as_a_hash(house: House) -> None:
    key = await made(house, house.alice, "read")
    assert SECRET.fullmatch(key["secret"])
    async with house.as_(house.alice) as client:
        listed = await client.get("/api/keys")
    assert [item["id"] for item in listed.json()["items"]] == [key["id"]]
    assert key["secret"] not in listed.text
    await house.store.backup(house.folder / "copy.db")
    for file in [house.folder / "copy.db", *house.folder.glob("studio.sqlite*")]:
        assert key["secret"].encode() not in file.read_bytes(), file
        assert key["secret"].removeprefix("mto_").encode() not in file.read_bytes(), file


async def test_a_key_lets_its_person_in_until_it_is_revoked(house: House) -> None:
    key = await made(house, house.alice, "read")
    async with house.client(bearer(key)) as client:
        assert (await client.get("/api/me")).json()["name"] == "alice"
        async with house.as_(house.alice) as owner:
            assert (await owner.delete(f"/api/keys/{key['id']}")).status_code == 204
            assert code(await owner.delete(f"/api/keys/{key['id']}")) == (404, "not_found")
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")


async def test_a_key_ends_when_its_days_are_over(house: House) -> None:
    key = await made(house, house.alice, "read", days=2)
    async with house.client(bearer(key)) as client:
        house.clock.tick(2 * DAY - 1)
        assert (await client.get("/api/me")).status_code == 200
        house.clock.tick(1)
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")
    async with house.as_(house.alice) as owner:
        assert [item["expired"] for item in (await owner.get("/api/keys")).json()["items"]] == [True]


async def test_the_last_use_is_written_once_a_minute(house: House) -> None:
    key = await made(house, house.alice, "read")

    async def used_after(ms: int) -> int | None:
        house.clock.tick(ms)
        async with house.client(bearer(key)) as client:
            await client.get("/api/me")
        return (await house.store.keys.of_person(house.alice.id))[0].used_at

    first = await used_after(5)
    assert first == house.clock.now()
    assert await used_after(MINUTE - 1) == first
    assert await used_after(1) == house.clock.now()


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"name": "", "scopes": ["read"]}, {"name"}),
        ({"name": "x\ny", "scopes": ["read"]}, {"name"}),
        ({"name": "x" * 61, "scopes": ["read"]}, {"name"}),
        ({"name": "x", "scopes": []}, {"scopes"}),
        ({"name": "x", "scopes": ["everything"]}, {"scopes[0]"}),
        ({"name": "x", "scopes": ["read"], "expires_in_days": 0}, {"expires_in_days"}),
        ({"name": "x", "scopes": ["read"], "expires_in_days": 99_999}, {"expires_in_days"}),
    ],
)
async def test_a_key_that_cannot_be_made_is_refused_at_the_field(
    lasting: House, body: dict[str, object], wrong: set[str]
) -> None:
    async with lasting.as_(lasting.alice) as client:
        answer = await client.post("/api/keys", json=body)
    assert code(answer) == (422, "invalid")
    assert fields(answer) == wrong


async def test_a_person_has_twenty_keys_and_no_more(house: House) -> None:
    for _ in range(20):
        await made(house, house.alice, "read")
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/keys", json={"name": "x", "scopes": ["read"]})
    assert code(answer) == (409, "conflict")
    assert (await made(house, house.bob, "read"))["secret"]


async def test_the_sessions_are_listed_and_ended_one_by_one(house: House) -> None:
    here, there = await browser(house, house.alice, "here"), await browser(house, house.alice, "there", "Mosaic")
    async with house.client(here) as client:
        listed = (await client.get("/api/sessions")).json()["items"]
        assert {item["user_agent"]: item["current"] for item in listed} == {"Lynx": True, "Mosaic": False}
        other = next(item["id"] for item in listed if not item["current"])
        assert (await client.delete(f"/api/sessions/{other}")).status_code == 204
        assert code(await client.delete(f"/api/sessions/{other}")) == (404, "not_found")
        assert (await client.get("/api/me")).status_code == 200
        assert code(await client.get("/api/me", headers=there)) == (401, "sign_in_needed")


async def test_ending_all_others_keeps_this_session_and_the_keys(house: House) -> None:
    here, there = await browser(house, house.alice, "here"), await browser(house, house.alice, "there")
    key = await made(house, house.alice, "read")
    async with house.client() as client:
        assert (await client.delete("/api/sessions", headers=here)).status_code == 204
        assert (await client.get("/api/me", headers=here)).status_code == 200
        assert (await client.get("/api/me", headers=bearer(key))).status_code == 200
        assert code(await client.get("/api/me", headers=there)) == (401, "sign_in_needed")


async def test_the_last_use_of_a_session_is_written_every_ten_minutes(house: House) -> None:
    headers = await browser(house, house.alice, "here")

    async def used_after(ms: int) -> int | None:
        house.clock.tick(ms)
        async with house.client(headers) as client:
            await client.get("/api/me")
        return (await house.store.people.sessions_of(house.alice.id, house.clock.now()))[0].used_at

    assert await used_after(10 * MINUTE - 1) is None
    first = await used_after(1)
    assert first == house.clock.now()
    assert await used_after(10 * MINUTE - 1) == first


async def test_the_account_page_makes_a_key_shows_it_once_and_revokes_it(house: House) -> None:
    async with house.client(await browser(house, house.alice, "here")) as client:
        form = {"name": "my <b>script</b>", "scope-read": "on", "scope-generate": "on", "expires_in_days": "30"}
        page = await client.post("/account/keys", data=form)
        assert page.status_code == 200
        assert page.headers["cache-control"] == "private, no-store"
        found = SECRET.search(page.text)
        assert found is not None
        assert "my &lt;b&gt;script" in page.text
        async with house.client({"Authorization": f"Bearer {found[0]}"}) as program:
            assert (await program.get("/api/me")).status_code == 200
        again = await client.get("/account")
        assert "generate, read" in again.text
        assert found[0] not in again.text
        [key] = await house.store.keys.of_person(house.alice.id)
        done = await client.post(f"/account/keys/{key.id}/revoke")
        assert done.headers["location"] == "/account?done=revoked"
        assert await house.store.keys.of_person(house.alice.id) == []
        assert (await client.post(f"/account/keys/{key.id}/revoke")).headers["location"] == "/account"


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"name": "", "scope-read": "on"}, 'id="w-name"'),
        ({"name": "kept"}, 'id="w-scopes"'),
        ({"name": "kept", "scope-admin": "on"}, 'id="w-scopes"'),
        ({"name": "kept", "scope-read": "on", "expires_in_days": "soon"}, 'id="w-expires_in_days"'),
    ],
)
async def test_the_account_page_says_what_is_wrong_with_a_key_and_keeps_what_was_typed(
    lasting: House, form: dict[str, str], complaint: str
) -> None:
    async with lasting.client(await browser(lasting, lasting.alice, f"typing {form}")) as client:
        page = await client.post("/account/keys", data=form)
    assert page.status_code in (403, 422)
    assert complaint in page.text
    assert SECRET.search(page.text) is None
    assert form["name"] in page.text


async def test_the_account_page_lists_and_ends_sessions(house: House) -> None:
    headers = await browser(house, house.alice, "here")
    for n in range(3):
        await browser(house, house.alice, f"other {n}", f"Mosaic {n}")
    async with house.client(headers) as client:
        page = (await client.get("/account")).text
        assert [name in page for name in ("Lynx", "this one", "Mosaic 0", "Mosaic 2")] == [True] * 4
        other = next(
            each for each in await house.store.people.sessions_of(house.alice.id, 0) if each.user_agent == "Mosaic 1"
        )
        done = await client.post(f"/account/sessions/{other.id}/end")
        assert done.headers["location"] == "/account?done=session-ended"
        assert "Mosaic 1" not in (await client.get("/account")).text
        await client.post("/account/sessions/end-others")
        assert [each.user_agent for each in await house.store.people.sessions_of(house.alice.id, 0)] == ["Lynx"]
        assert (await client.get("/account")).status_code == 200


async def test_every_sign_in_gives_a_new_secret_and_ends_the_session_that_the_browser_had(house: House) -> None:
    await house.studio.accounts.register("dora", PASSWORD)
    planted = await browser(house, house.bob, "planted-by-somebody")
    async with house.client(planted) as client:
        answer = await client.post("/api/auth/sign-in", json={"name": "dora", "password": PASSWORD})
        fresh = answer.headers["set-cookie"].partition(";")[0]
        assert "planted" not in fresh
        assert code(await client.get("/api/me", headers=planted)) == (401, "sign_in_needed")
        me = await client.get("/api/me", headers={"Cookie": fresh})
        assert me.json()["name"] == "dora"
