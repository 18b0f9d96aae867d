"""What a key opens, route by route, and what it never does."""

import pytest

from mutoscope.domain.keys import Scope
from mutoscope.domain.media import Variant, Visibility
from mutoscope.domain.people import Person
from mutoscope.web.openapi import describe
from mutoscope.web.scopes import OPENED_BY
from web.answers import code
from web.house import BASE, OUR_PAGE, PASSWORD, House, content

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOR_KEYS: dict[str, set[str]] = {
    "GET /api/me": {"generate", "read", "manage", "admin"},
    "GET /api/openapi.json": {"generate", "read", "manage", "admin"},
    "GET /api/models": {"generate", "read", "manage", "admin"},
    "GET /api/categories": {"generate", "read", "manage", "admin"},
    "POST /api/quotes": {"generate", "read", "manage", "admin"},
    "GET /api/tokens": {"generate", "read"},
    "GET /api/generations": {"generate", "read"},
    "GET /api/generations/{generation_id}": {"generate", "read"},
    "GET /api/events": {"generate", "read"},
    "POST /api/generations": {"generate"},
    "POST /api/generations/{generation_id}/cancel": {"generate"},
    "POST /api/generations/{generation_id}/retry": {"generate"},
    "GET /api/tokens/entries": {"read"},
    "GET /api/media": {"read"},
    "GET /api/media/{media_id}": {"read"},
    "POST /api/media/{media_id}/view": {"read"},
    "GET /api/likes": {"read"},
    "PUT /api/media/{media_id}/like": {"manage"},
    "DELETE /api/media/{media_id}/like": {"manage"},
    "GET /api/media/{media_id}/share-links": {"read"},
    "GET /api/collections/{collection_id}/share-links": {"read"},
    "GET /api/share-links": {"read"},
    "PATCH /api/media/{media_id}": {"manage"},
    "DELETE /api/media/{media_id}": {"manage"},
    "POST /api/media/{media_id}/restore": {"manage"},
    "PATCH /api/media": {"manage"},
    "POST /api/media/{media_id}/unlock": {"manage"},
    "POST /api/media/{media_id}/share-links": {"manage"},
    "POST /api/collections/{collection_id}/share-links": {"manage"},
    "DELETE /api/share-links/{link_id}": {"manage"},
    "GET /api/collections": {"read"},
    "GET /api/collections/{collection_id}": {"read"},
    "GET /api/collections/{collection_id}/items": {"read"},
    "POST /api/collections": {"manage"},
    "PATCH /api/collections/{collection_id}": {"manage"},
    "DELETE /api/collections/{collection_id}": {"manage"},
    "POST /api/collections/{collection_id}/items": {"manage"},
    "POST /api/collections/{collection_id}/items/remove": {"manage"},
    "PUT /api/collections/{collection_id}/order": {"manage"},
    "POST /api/collections/{collection_id}/move": {"manage"},
    "POST /api/tokens/grants": {"admin"},
    "GET /api/admin/invites": {"admin"},
    "POST /api/admin/invites": {"admin"},
    "DELETE /api/admin/invites/{invite_id}": {"admin"},
    "GET /api/admin/outcomes": {"admin"},
    "POST /api/admin/outcomes/{generation_id}": {"admin"},
    "GET /api/admin/unlocks": {"admin"},
    "POST /api/admin/unlocks/{unlock_id}/refund": {"admin"},
}
"""Spelled out once more: every other route is closed to every key."""
APART = {"/healthz", "/readyz", "/metrics", "/media/{media_id}/{variant}", "/hooks/{provider}/{reference}"}
"""Routes that know no keys, and files, which are tried below."""


async def headers(house: House, person: Person, *scopes: Scope) -> dict[str, str]:
    """Of a program that has such a key."""
    _, secret = await house.studio.keys.create(person, "tried", scopes)
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_opens_the_routes_of_its_scope_and_no_other(lasting: House, scope: Scope) -> None:
    tried = 0
    async with lasting.client(await headers(lasting, lasting.carol, scope)) as client:
        for route in lasting.app.routes:
            for method in (getattr(route, "methods", None) or set()) - {"OPTIONS", "HEAD"}:
                path = route.path_format
                if path in APART or (path == "/api/events" and scope in FOR_KEYS[f"{method} {path}"]):
                    continue  # the stream that opens has no end: tests/web/test_events.py
                names = {
                    "media_id": "med_x",
                    "generation_id": "gen_x",
                    "key_id": "key_x",
                    "invite_id": "inv_x",
                    "session_id": "ses_x",
                    "unlock_id": "unl_x",
                    "link_id": "shr_x",
                    "secret": "x",
                    "collection_id": "col_x",
                }
                answer = await client.request(
                    method, path.format(**names, id="x", digest="x", name="x", variant="x", provider="x", reference="x")
                )
                shut = answer.status_code == 403 and answer.json()["code"] == "scope_needed"
                assert shut is (scope not in FOR_KEYS.get(f"{method} {path}", set())), f"{method} {path}"
                tried += 1
    assert tried > len(FOR_KEYS)


async def test_the_description_names_the_scopes() -> None:
    described = {
        f"{method.upper()} {path}": {scope for way in operation["security"] for scope in way.get("key", ())}
        for path, operations in describe(BASE)["paths"].items()
        for method, operation in operations.items()
    }
    for route, scopes in FOR_KEYS.items():
        if route not in ("GET /api/openapi.json", "GET /api/models", "GET /api/categories", "POST /api/quotes"):
            assert described[route] == scopes, route
    assert described["GET /media/{media_id}/{variant}"] == {"read"}
    assert described["POST /api/keys"] == described["POST /api/auth/password"] == set()


async def test_every_name_in_the_table_of_scopes_is_a_route(lasting: House) -> None:
    names = {
        str(handler.handler_name).rpartition(".")[2]
        for route in lasting.app.routes
        for handler in getattr(route, "route_handlers", ())
    }
    assert set(OPENED_BY) <= names


async def test_no_key_makes_a_key_or_changes_the_password(house: House) -> None:
    async with house.client(await headers(house, house.carol, *Scope)) as client:
        tried = [
            await client.post("/api/keys", json={"name": "more", "scopes": ["admin"]}),
            await client.get("/api/keys"),
            await client.post("/api/auth/password", json={"old": PASSWORD, "new": PASSWORD + "!"}),
            await client.post("/api/auth/token", json={"name": "carol", "password": PASSWORD}),
            await client.post("/api/auth/sign-out-everywhere"),
            await client.delete("/api/sessions"),
            await client.get("/account"),
        ]
    assert [code(answer) for answer in tried] == [(403, "scope_needed")] * len(tried)
    assert len(await house.store.keys.of_person(house.carol.id)) == 1


async def test_a_key_never_has_more_than_its_person(house: House) -> None:
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/keys", json={"name": "x", "scopes": ["read", "admin"]})
    assert code(answer) == (403, "forbidden")
    assert await house.store.keys.of_person(house.alice.id) == []


async def test_an_administrators_key_without_admin_sees_and_changes_what_is_the_administrators_own(
    house: House,
) -> None:
    hers = await house.published(house.alice, Visibility.PRIVATE)
    for scopes, sees in (((Scope.READ, Scope.MANAGE), False), ((Scope.READ, Scope.MANAGE, Scope.ADMIN), True)):
        async with house.client(await headers(house, house.carol, *scopes)) as client:
            for path in (f"/api/media/{hers.id}", f"/media/{hers.id}/{Variant.MASTER}"):
                assert (await client.get(path)).status_code == (200 if sees else 404)
            changed = await client.patch(f"/api/media/{hers.id}", json={"title": "mine", "version": hers.version})
            assert (changed.status_code != 404) is sees
            assert (await client.get("/api/me")).json()["role"] == ("admin" if sees else "user")


async def test_an_admin_key_loses_that_when_its_person_administers_no_more(house: House) -> None:
    key = await headers(house, house.carol, Scope.ADMIN)
    demoted = await house.store.people.get(house.carol.id)
    assert demoted is not None
    await house.store.people.change(type(demoted)(**{**as_fields(demoted), "role": "user"}), demoted.token_version)
    async with house.client(key) as client:
        assert code(await client.get("/api/admin/outcomes")) == (403, "forbidden")


def as_fields(person: Person) -> dict[str, object]:
    """The fields of a person."""
    return {name: getattr(person, name) for name in person.__struct_fields__}


async def test_a_key_without_read_is_nobody_to_files_but_opens_the_addresses_in_its_own_answers(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    async with house.client(await headers(house, house.alice, Scope.GENERATE)) as client:
        assert code(await client.get(f"/media/{item.id}/master")) == (404, "not_found")
        signed = (await client.get(f"/api/generations/{item.generation_id}")).json()["url"]
        assert (await client.get(signed)).content == content(item.id, Variant.MASTER)
        assert code(await client.get(signed.replace("/master?", "/poster?"))) == (404, "not_found")
    async with house.client(await headers(house, house.bob, Scope.GENERATE)) as client:
        assert code(await client.get(signed)) == (404, "not_found")
    async with house.client(await headers(house, house.alice, Scope.READ)) as client:
        assert (await client.get(f"/media/{item.id}/master")).status_code == 200


async def test_whatever_ends_everything_ends_keys_for_good(house: House) -> None:
    accounts = house.studio.accounts
    dora = await accounts.register("dora", PASSWORD)

    async def suspend() -> None:
        await accounts.suspend(house.carol, "dora")
        await accounts.suspend(house.carol, "dora", suspended=False)

    async def change_password() -> None:
        await accounts.change_password(dora, PASSWORD, PASSWORD + "!")

    for end in (suspend, change_password, lambda: accounts.sign_out_everywhere(dora)):
        current = await house.store.people.get(dora.id)
        assert current is not None
        key = await headers(house, current, Scope.READ)
        async with house.client(key) as client:
            assert (await client.get("/api/me")).status_code == 200
            await end()
            assert code(await client.get("/api/me")) == (401, "sign_in_needed"), end
        assert await house.store.keys.of_person(dora.id) == []


async def test_a_key_of_somebody_suspended_is_refused_at_once(house: House) -> None:
    key = await headers(house, house.alice, Scope.READ)
    await house.studio.accounts.suspend(house.carol, "alice")
    async with house.client(key) as client:
        assert code(await client.get("/api/me")) == (401, "sign_in_needed")


async def test_what_looks_like_a_key_and_is_none_is_refused(lasting: House) -> None:
    good = (await headers(lasting, lasting.alice, Scope.READ))["Authorization"]
    last = "A" if good[-1] != "A" else "B"
    for bad in (
        good[:-1] + last,
        good[:-1],
        good + "x",
        good.replace("mto_", "MTO_"),
        "Bearer mto_",
        "Bearer mto_\u00e9",
    ):
        async with lasting.client([(b"authorization", bad.encode())]) as client:  # pyright: ignore[reportArgumentType]
            assert code(await client.get("/api/media")) == (401, "sign_in_needed"), bad


async def test_nobody_lists_or_ends_what_is_somebody_elses(house: House) -> None:
    key, _ = await house.studio.keys.create(house.alice, "hers", [Scope.READ])
    await house.session(house.alice)
    [session] = await house.store.people.sessions_of(house.alice.id, 0)
    async with house.as_(house.carol) as client:
        assert code(await client.delete(f"/api/keys/{key.id}")) == (404, "not_found")
        assert code(await client.delete(f"/api/sessions/{session.id}")) == (404, "not_found")
        assert (await client.get("/api/keys")).json()["items"] == []
    async with house.client({"Cookie": await house.session(house.bob), **OUR_PAGE}) as client:
        await client.post(f"/account/keys/{key.id}/revoke")
        await client.post(f"/account/sessions/{session.id}/end")
        await client.post("/account/sessions/end-others")
    assert len(await house.store.keys.of_person(house.alice.id)) == 1
    assert await house.store.people.sessions_of(house.alice.id, 0) == [session]
