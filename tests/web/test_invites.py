"""Invitations over REST and on the pages, and what registration is where it is not open."""

import re
from pathlib import Path

import msgspec
import pytest

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import DAY
from web.answers import code, fields
from web.house import BASE, OUR_PAGE, PASSWORD, POLICY, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

BY_INVITE = msgspec.structs.replace(POLICY, registration_open=False)
CLOSED = msgspec.structs.replace(POLICY, registration_open=False, invites_open=False)
LINK = re.compile(re.escape(BASE) + r"/register\?invite=([A-Za-z0-9_-]{43})")


async def invited(house: House, **wish: object) -> str:
    """The secret of a new invitation's link."""
    async with house.as_(house.carol) as client:
        answer = await client.post("/api/admin/invites", json=wish)
    assert answer.status_code == 201, answer.text
    found = LINK.fullmatch(answer.json()["url"])
    assert found is not None
    return found[1]


async def test_with_an_invitation_an_account_is_made_and_gets_its_tokens(tmp_path: Path, darkroom: Darkroom) -> None:
    async with open_house(tmp_path, darkroom, BY_INVITE) as house:
        secret = await invited(house, uses=1, tokens=25)
        body = {"name": "dora", "password": PASSWORD}
        async with house.client(OUR_PAGE) as client:
            assert code(await client.post("/api/auth/register", json=body)) == (403, "forbidden")
            wrong = await client.post("/api/auth/register", json=body | {"invite": secret[:-1]})
            assert code(wrong) == (401, "wrong_credentials")
            made = await client.post("/api/auth/register", json=body | {"invite": secret})
            assert made.status_code == 201
            assert made.json()["balance"]["available"] == 125
        async with house.client() as client:
            again = await client.post("/api/auth/register", json=body | {"name": "erin", "invite": secret})
            assert code(again) == (401, "wrong_credentials")
        async with house.as_(house.carol) as client:
            [listed] = (await client.get("/api/admin/invites")).json()["items"]
        assert (listed["used"], listed["uses"], listed["good"]) == (1, 1, False)


async def test_an_invitation_ends_and_can_be_taken_back(tmp_path: Path, darkroom: Darkroom) -> None:
    async with open_house(tmp_path, darkroom, BY_INVITE) as house:
        ended, revoked = await invited(house, expires_in_days=1), await invited(house, expires_in_days=9)
        house.clock.tick(DAY)
        async with house.as_(house.carol) as client:
            listed = (await client.get("/api/admin/invites")).json()["items"]
            assert sorted(item["good"] for item in listed) == [False, True]
            id = next(item["id"] for item in listed if item["good"])
            assert (await client.delete(f"/api/admin/invites/{id}")).status_code == 204
            assert code(await client.delete(f"/api/admin/invites/{id}")) == (404, "not_found")
        async with house.client() as client:
            for secret in (ended, revoked):
                body = {"name": "dora", "password": PASSWORD, "invite": secret}
                assert code(await client.post("/api/auth/register", json=body)) == (401, "wrong_credentials")


async def test_where_registration_is_closed_no_invitation_opens_it(tmp_path: Path, darkroom: Darkroom) -> None:
    async with open_house(tmp_path, darkroom, CLOSED) as house:
        secret = await invited(house)
        async with house.client(OUR_PAGE) as client:
            body = {"name": "dora", "password": PASSWORD, "invite": secret}
            assert code(await client.post("/api/auth/register", json=body)) == (403, "forbidden")
            page = await client.get(f"/register?invite={secret}")
            assert "Registration is closed here" in page.text
            assert 'name="password"' not in page.text


async def test_only_administrators_invite(lasting: House) -> None:
    async with lasting.as_(lasting.alice) as client:
        answers = [
            await client.get("/api/admin/invites"),
            await client.post("/api/admin/invites", json={}),
            await client.delete("/api/admin/invites/inv_x"),
        ]
    assert [code(answer) for answer in answers] == [(403, "forbidden")] * 3
    async with lasting.client({"Cookie": await lasting.session(lasting.alice), **OUR_PAGE}) as client:
        assert (await client.post("/account/invites", data={})).status_code == 403
        assert "Invitations" not in (await client.get("/account")).text


@pytest.mark.parametrize(
    ("wish", "wrong"),
    [
        ({"uses": 0}, "uses"),
        ({"expires_in_days": 366}, "expires_in_days"),
        ({"tokens": -1}, "tokens"),
        ({"note": "a\nb"}, "note"),
    ],
)
async def test_an_invitation_that_cannot_be_made_is_refused_at_the_field(
    lasting: House, wish: dict[str, object], wrong: str
) -> None:
    async with lasting.as_(lasting.carol) as client:
        answer = await client.post("/api/admin/invites", json=wish)
    assert code(answer) == (422, "invalid")
    assert fields(answer) == {wrong}


async def test_an_invitation_goes_from_the_administrators_page_to_the_guests_account(
    tmp_path: Path, darkroom: Darkroom
) -> None:
    async with open_house(tmp_path, darkroom, BY_INVITE) as house:
        async with house.client({"Cookie": await house.session(house.carol), **OUR_PAGE}) as carol:
            refused = await carol.post("/account/invites", data={"uses": "many"})
            assert refused.status_code == 422
            assert 'id="w-invite"' in refused.text
            page = await carol.post("/account/invites", data={"note": "<i>dora</i>", "uses": "2", "tokens": "5"})
            found = LINK.search(page.text)
            assert found is not None
            assert "&lt;i&gt;dora" in page.text
            assert LINK.search((await carol.get("/account")).text) is None
        async with house.client(OUR_PAGE) as guest:
            shut = await guest.get("/register")
            assert 'name="password"' not in shut.text
            form = await guest.get(f"/register?invite={found[1]}")
            assert f'value="{found[1]}"' in form.text
            weak = await guest.post("/register", data={"name": "dora", "password": "short", "invite": found[1]})
            assert (weak.status_code, f'value="{found[1]}"' in weak.text) == (422, True)
            made = await guest.post("/register", data={"name": "dora", "password": PASSWORD, "invite": found[1]})
            assert made.status_code == 303
            assert (await guest.get("/api/me")).json()["balance"]["available"] == 105
        async with house.client(OUR_PAGE) as guest:
            bad = await guest.post("/register", data={"name": "erin", "password": PASSWORD, "invite": "guess"})
            assert bad.status_code == 401
            assert "invitation" in bad.text
        async with house.client({"Cookie": await house.session(house.carol), **OUR_PAGE}) as carol:
            [kept] = await house.store.invites.all()
            assert "1 of 2" in (await carol.get("/account")).text
            done = await carol.post(f"/account/invites/{kept.id}/revoke")
            assert done.headers["location"] == "/account?done=invite-revoked"
        assert await house.store.invites.all() == []


async def test_guessing_invitations_is_slowed_down(lasting: House) -> None:
    async with lasting.client() as client:
        answers = [
            (
                await client.post("/api/auth/register", json={"name": "dora", "password": PASSWORD, "invite": f"{n}"})
            ).status_code
            for n in range(11)
        ]
    assert answers[:5] == [401] * 5
    assert answers[-1] == 429
