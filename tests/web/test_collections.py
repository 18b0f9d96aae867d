"""Collections over HTTP: made, filled, ordered, sorted, and seen by others."""

import asyncio
from typing import Any

import httpx2
import msgspec
import pytest

from cast import facts
from mutoscope.domain.collections import COLLECTIONS_OF_ONE, ITEMS_OF_ONE
from mutoscope.domain.media import Kind, Media, Visibility
from mutoscope.services.sorting import Sorting
from web.answers import code, fields
from web.house import POLICY, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def made(client: httpx2.AsyncClient, *items: Media, **words: Any) -> dict[str, Any]:
    """A new collection with those items."""
    answer = await client.post("/api/collections", json={"title": "Harbours"} | words)
    assert answer.status_code == 201, answer.text
    if not items:
        return answer.json()
    return await added(client, answer.json()["id"], *items)


async def added(client: httpx2.AsyncClient, id: str, *items: Media) -> dict[str, Any]:
    answer = await client.post(f"/api/collections/{id}/items", json={"ids": [item.id for item in items]})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def shown(client: httpx2.AsyncClient, id: str, **params: Any) -> list[str]:
    """The ids of the items that are shown."""
    answer = await client.get(f"/api/collections/{id}/items", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def walked(client: httpx2.AsyncClient, path: str, **params: Any) -> list[str]:
    """The ids of all pages."""
    seen: list[str] = []
    while True:
        page = (await client.get(path, params=params)).json()
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            return seen
        params["cursor"] = page["next"]


async def test_a_collection_is_made_private_and_found_in_ones_own(house: House) -> None:
    async with house.as_(house.alice) as client:
        view = await made(client, title=" Häfen 🏮 ", description="a\nb")
        assert view == {
            "id": view["id"],
            "object": "collection",
            "page": f"http://studio.example/collections/{view['id']}",
            "title": "Häfen 🏮",
            "description": "a\nb",
            "visibility": "private",
            "owner": "alice",
            "mine": True,
            "count": 0,
            "cover": None,
            "chosen_cover": None,
            "created_at": view["created_at"],
            "updated_at": view["created_at"],
            "version": 1,
        }
        answer = await client.get(f"/api/collections/{view['id']}")
        assert (answer.json(), answer.headers["etag"]) == (view, '"1"')
        assert (await client.get("/api/collections")).json() == {"items": [view], "next": None}
    async with house.as_(house.bob) as client:
        assert (await client.get("/api/collections")).json()["items"] == []
    async with house.client() as client:
        assert code(await client.get("/api/collections")) == (401, "sign_in_needed")
        assert code(await client.post("/api/collections", json={"title": "x"})) == (401, "sign_in_needed")


async def test_items_keep_the_order_they_were_given_in_and_come_once(house: House) -> None:
    a, b, c = [await house.published(house.alice) for _ in range(3)]
    async with house.as_(house.alice) as client:
        view = await made(client, c, a)
        assert (view["count"], view["cover"]["id"], view["version"]) == (2, c.id, 2)
        again = await added(client, view["id"], a, b, c)
        assert await shown(client, view["id"]) == [c.id, a.id, b.id]
        assert (await added(client, view["id"], b))["version"] == again["version"] == 3


async def test_a_cover_is_chosen_and_left_to_the_first_again(house: House) -> None:
    a, b, other = [await house.published(house.alice) for _ in range(3)]
    async with house.as_(house.alice) as client:
        path = f"/api/collections/{(await made(client, a, b))['id']}"
        view = (await client.patch(path, json={"cover": b.id})).json()
        assert (view["cover"]["id"], view["chosen_cover"]) == (b.id, b.id)
        assert fields(await client.patch(path, json={"cover": other.id})) == {"cover"}
        await client.post(f"{path}/items/remove", json={"ids": [b.id]})
        view = (await client.get(path)).json()
        assert (view["cover"]["id"], view["chosen_cover"]) == (a.id, None)
        await client.patch(path, json={"cover": a.id})
        view = (await client.patch(path, json={"cover": ""})).json()
        assert (view["cover"]["id"], view["chosen_cover"]) == (a.id, None)


async def test_words_and_visibility_are_changed_at_the_version_that_was_seen(house: House) -> None:
    async with house.as_(house.alice) as client:
        path = f"/api/collections/{(await made(client))['id']}"
        change = {"title": "Docks", "description": "cranes", "visibility": "public"}
        first = await client.patch(path, json=change, headers={"If-Match": '"1"'})
        assert {name: first.json()[name] for name in change} == change
        assert first.headers["etag"] == '"2"'
        for late in (
            await client.patch(path, json={"title": "x"}, headers={"If-Match": '"1"'}),
            await client.patch(path, json={"title": "x", "version": 1}),
            await client.delete(path, headers={"If-Match": '"1"'}),
        ):
            assert (code(late), late.json()["version"]) == ((409, "conflict"), 2)
        assert code(await client.patch(path, json={"title": "x"}, headers={"If-Match": "x"})) == (422, "invalid")
        assert (await client.patch(path, json=change)).json()["version"] == 2, "nothing was changed"
        assert (await client.patch(path, json={"title": "Quays"})).json()["description"] == "cranes"


async def test_a_move_and_a_whole_new_order_are_one_step_each_at_the_version_that_was_seen(house: House) -> None:
    a, b, c = [await house.published(house.alice) for _ in range(3)]
    async with house.as_(house.alice) as client:
        path = f"/api/collections/{(await made(client, a, b, c))['id']}"
        id = path.rpartition("/")[2]
        moved = await client.post(f"{path}/move", json={"item": c.id, "before": a.id}, headers={"If-Match": '"2"'})
        assert (moved.status_code, moved.headers["etag"]) == (200, '"3"')
        assert await shown(client, id) == [c.id, a.id, b.id]
        assert await shown(client, id, direction="desc") == [b.id, a.id, c.id]
        late = {"If-Match": '"2"'}
        for answer in (
            await client.post(f"{path}/move", json={"item": a.id, "after": b.id}, headers=late),
            await client.put(f"{path}/order", json={"ids": [a.id, b.id, c.id]}, headers=late),
            await client.post(f"{path}/items", json={"ids": [a.id]}, headers=late),
            await client.post(f"{path}/items/remove", json={"ids": [a.id], "version": 2}),
        ):
            assert (code(answer), answer.json()["version"]) == ((409, "conflict"), 3)
        assert (await client.post(f"{path}/move", json={"item": c.id, "after": b.id})).status_code == 200
        assert await shown(client, id) == [a.id, b.id, c.id]
        assert (await client.put(f"{path}/order", json={"ids": [b.id, c.id, a.id], "version": 4})).status_code == 200
        assert await shown(client, id) == [b.id, c.id, a.id]


async def test_of_many_new_orders_over_one_version_one_wins_whole(house: House) -> None:
    items = [await house.published(house.alice) for _ in range(4)]
    ids = [item.id for item in items]
    async with house.as_(house.alice) as client:
        path = f"/api/collections/{(await made(client, *items))['id']}"
        wishes = [ids[n:] + ids[:n] for n in (1, 2, 3)] * 2
        answers = await asyncio.gather(
            *(client.put(f"{path}/order", json={"ids": wish, "version": 2}) for wish in wishes)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
        won = wishes[[answer.status_code for answer in answers].index(200)]
        assert await shown(client, path.rpartition("/")[2]) == won


async def test_items_are_sorted_by_hand_age_title_or_length_either_way_in_pages(house: House) -> None:
    items: list[Media] = []
    for title, length in (("beta", 9.0), ("Alpha", 2.0), ("gamma", None), ("Delta", 4.0)):
        picture = facts(Kind.IMAGE) if length is None else facts(duration_s=length)
        items.append(await house.published(house.alice, title=title, facts=picture))
        house.clock.tick()
    beta, alpha, gamma, delta = items
    expected = {
        ("order", "asc"): [gamma, beta, delta, alpha],
        ("created", "asc"): [beta, alpha, gamma, delta],
        ("title", "asc"): [alpha, beta, delta, gamma],
        ("duration", "asc"): [gamma, alpha, delta, beta],
    }
    expected |= {(by, "desc"): found[::-1] for (by, _), found in expected.items()}
    async with house.as_(house.alice) as client:
        id = (await made(client, gamma, beta, delta, alpha))["id"]
        path = f"/api/collections/{id}/items"
        for (by, direction), found in expected.items():
            params = {"sort": by, "direction": direction}
            assert await shown(client, id, **params) == [item.id for item in found], params
            assert await walked(client, path, **params, limit=1) == [item.id for item in found], params
        for by, usual in (("order", "asc"), ("created", "desc"), ("title", "asc"), ("duration", "desc")):
            assert await shown(client, id, sort=by) == [item.id for item in expected[by, usual]]
        cursor = (await client.get(path, params={"sort": "title", "limit": 1})).json()["next"]
        for other in ({"sort": "order"}, {"sort": "title", "direction": "desc"}):
            assert code(await client.get(path, params=other | {"cursor": cursor})) == (422, "invalid")
        assert fields(await client.get(path, params={"sort": "price"})) == {"sort"}


async def test_pages_go_on_where_they_ended_when_what_ended_them_is_taken_out(house: House) -> None:
    items = [await house.published(house.alice) for _ in range(5)]
    async with house.as_(house.alice) as client:
        id = (await made(client, *items))["id"]
        path = f"/api/collections/{id}"
        cursor = (await client.get(f"{path}/items", params={"limit": 2})).json()["next"]
        await client.post(f"{path}/items/remove", json={"ids": [items[1].id]})
        rest = await shown(client, id, cursor=cursor)
    assert rest == [item.id for item in items[2:]]


async def test_ones_own_collections_are_sorted_by_change_age_or_title_either_way(house: House) -> None:
    async with house.as_(house.alice) as client:
        ids: dict[str, str] = {}
        for title in ("beta", "Alpha", "gamma"):
            ids[title] = (await made(client, title=title))["id"]
            house.clock.tick()
        await client.patch(f"/api/collections/{ids['beta']}", json={"description": "touched"})
        expected = {
            "updated": ["Alpha", "gamma", "beta"],
            "created": ["beta", "Alpha", "gamma"],
            "title": ["Alpha", "beta", "gamma"],
        }
        for by, up in expected.items():
            for direction, titles in (("asc", up), ("desc", up[::-1])):
                params: dict[str, Any] = {"sort": by, "direction": direction, "limit": 2}
                assert await walked(client, "/api/collections", **params) == [ids[title] for title in titles], params
        assert await walked(client, "/api/collections") == [ids[title] for title in expected["updated"][::-1]]


async def test_the_public_collections_of_a_person_are_listed_for_everyone(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        opened = (await made(client, item, visibility="public"))["id"]
        for visibility in ("private", "unlisted"):
            await made(client, item, visibility=visibility)
    for viewer in (None, house.bob, house.alice):
        async with house.as_(viewer) as client:
            assert await walked(client, "/api/collections", owner="Alice") == [opened]
            assert await walked(client, "/api/collections", owner="nobody") == []
            refused = await client.get("/api/collections", params={"owner": "alice", "sort": "updated"})
            assert (code(refused), fields(refused)) == ((422, "invalid"), {"sort"})


async def test_others_see_a_collection_without_what_tells_of_its_changes(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        view = await made(client, item, visibility="unlisted")
    for viewer, may_change in ((None, False), (house.bob, False), (house.carol, True)):
        async with house.as_(viewer) as client:
            answer = await client.get(f"/api/collections/{view['id']}")
            seen = answer.json()
            assert (seen["count"], seen["cover"]["id"], seen["owner"], seen["mine"]) == (1, item.id, "alice", False)
            told = [seen["version"] is not None, seen["updated_at"] is not None, "etag" in answer.headers]
            assert told == [may_change] * 3


async def test_a_trashed_item_is_gone_for_everyone_and_comes_back_to_its_place(house: House) -> None:
    a, b, c = [await house.published(house.alice) for _ in range(3)]
    async with house.as_(house.alice) as alice, house.client() as stranger:
        id = (await made(alice, a, b, c, visibility="public"))["id"]
        await alice.patch(f"/api/collections/{id}", json={"cover": b.id})
        await alice.delete(f"/api/media/{b.id}")
        for client in (alice, stranger):
            view = (await client.get(f"/api/collections/{id}")).json()
            assert (view["count"], view["cover"]["id"]) == (2, a.id)
            for by in ("order", "created", "title", "duration"):
                assert set(await shown(client, id, sort=by)) == {a.id, c.id}
        assert (await alice.put(f"/api/collections/{id}/order", json={"ids": [c.id, a.id]})).status_code == 200
        await alice.post(f"/api/media/{b.id}/restore")
        for client in (alice, stranger):
            view = (await client.get(f"/api/collections/{id}")).json()
            assert (view["count"], view["cover"]["id"]) == (3, b.id)
            assert await shown(client, id) == [c.id, a.id, b.id]


async def test_what_others_make_private_is_left_out_for_whoever_collected_it(house: House) -> None:
    hers, his = await house.published(house.alice), await house.published(house.bob)
    async with house.as_(house.bob) as bob:
        id = (await made(bob, hers, his))["id"]
        for visibility in (Visibility.PRIVATE, Visibility.UNLISTED):
            hers = await house.change(hers, visibility=visibility)
            view = (await bob.get(f"/api/collections/{id}")).json()
            assert (view["count"], view["cover"]["id"]) == (1, his.id)
            assert await shown(bob, id) == [his.id]
        hers = await house.change(hers, visibility=Visibility.PUBLIC)
        assert await shown(bob, id) == [hers.id, his.id]
        await house.change(hers, hidden=True)
        assert await shown(bob, id) == [his.id]


async def test_a_locked_item_is_shown_as_locked_and_sorted_by_the_title_that_is_shown(house: House) -> None:
    locked = await house.published(house.alice, title="Zebra", prompt="a zebra at night", unlock_price=5, blurred=80)
    opened = await house.published(house.alice, title="Meadow")
    async with house.as_(house.alice) as alice:
        id = (await made(alice, opened, locked, visibility="public"))["id"]
        assert await shown(alice, id, sort="title") == [opened.id, locked.id]
    async with house.client() as client:
        answer = await client.get(f"/api/collections/{id}/items", params={"sort": "title"})
        first = answer.json()["items"][0]
        assert (first["id"], first["locked"], first["title"], first["prompt"]) == (locked.id, True, "Locked film", None)
        assert "zebra" not in answer.text.lower()


async def test_who_paid_for_an_item_sees_it_in_a_collection_also_when_it_is_private_by_now(house: House) -> None:
    item = await house.change(await house.published(house.alice), unlock_price=5)
    async with house.as_(house.alice) as alice, house.as_(house.bob) as bob, house.client() as stranger:
        id = (await made(alice, item, visibility="public"))["id"]
        assert (await bob.post(f"/api/media/{item.id}/unlock", json={"price": 5})).status_code == 201
        await alice.patch(f"/api/media/{item.id}", json={"visibility": "private"})
        counts = [(await client.get(f"/api/collections/{id}")).json()["count"] for client in (alice, bob, stranger)]
        assert counts == [1, 1, 0]
        [card] = (await bob.get(f"/api/collections/{id}/items")).json()["items"]
        assert (card["id"], card["locked"], card["url"] is not None) == (item.id, False, True)


async def test_an_administrator_closes_or_deletes_what_others_made_and_puts_nothing_in_that_they_could_not(
    house: House,
) -> None:
    private = await house.published(house.bob, Visibility.PRIVATE)
    async with house.as_(house.alice) as alice, house.as_(house.carol) as carol:
        path = f"/api/collections/{(await made(alice, visibility='public'))['id']}"
        assert code(await carol.post(f"{path}/items", json={"ids": [private.id]})) == (422, "invalid")
        assert (await carol.patch(path, json={"visibility": "private"})).json()["visibility"] == "private"
        assert (await carol.delete(path)).status_code == 204
        assert code(await alice.get(path)) == (404, "not_found")


async def test_a_deleted_collection_leaves_its_items(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        path = f"/api/collections/{(await made(client, item))['id']}"
        assert (await client.delete(path, headers={"If-Match": '"2"'})).status_code == 204
        assert code(await client.get(path)) == code(await client.delete(path)) == (404, "not_found")
        assert (await client.get(f"/api/media/{item.id}")).status_code == 200


async def test_a_person_has_so_many_collections_and_a_deleted_one_makes_room(house: House) -> None:
    async with house.as_(house.alice) as client:
        for _ in range(COLLECTIONS_OF_ONE - 1):
            await house.studio.collections.create(house.alice, "x")
        last = await made(client)
        assert code(await client.post("/api/collections", json={"title": "x"})) == (409, "conflict")
        await client.delete(f"/api/collections/{last['id']}")
        await made(client)
    async with house.as_(house.bob) as client:
        await made(client)


async def test_its_owner_is_told_of_a_change_by_id_and_version(house: House) -> None:
    head = await house.store.events.head()
    async with house.as_(house.alice) as client:
        id = (await made(client, visibility="public"))["id"]
    heard = await house.store.events.after(head, [f"person:{house.alice.id}"], 10)
    assert heard is not None
    assert [(event.kind, event.id, event.version) for event in heard[0]] == [("collection", id, 1)]
    others = await house.store.events.after(head, ["public", f"person:{house.bob.id}"], 10)
    assert others is not None
    assert others[0] == []


async def test_where_the_gallery_is_closed_strangers_see_unlisted_collections_alone(
    house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    closed = msgspec.structs.replace(POLICY, gallery_open=False)
    async with open_house(tmp_path_factory.mktemp("closed"), house.studio.darkroom, closed) as other:
        async with other.as_(other.alice) as client:
            ids = {name: (await made(client, visibility=name))["id"] for name in ("public", "unlisted", "private")}
        async with other.client() as stranger:
            told = {name: (await stranger.get(f"/api/collections/{id}")).status_code for name, id in ids.items()}
            assert told == {"public": 401, "unlisted": 200, "private": 401}
            nothing = "col_00000000000000000000000000"
            assert code(await stranger.get(f"/api/collections/{nothing}")) == (401, "sign_in_needed")
            listed = await stranger.get("/api/collections", params={"owner": "alice"})
            assert code(listed) == (401, "sign_in_needed")


async def test_whoever_holds_a_link_is_shown_what_the_owner_owns_and_what_is_public(house: House) -> None:
    own = {name: await house.published(house.alice) for name in ("private", "unlisted", "hidden", "trashed", "locked")}
    others = {name: await house.published(house.bob) for name in ("public", "private", "hidden", "unlisted")}
    async with house.as_(house.alice) as client:
        id = (await made(client, *own.values(), *others.values()))["id"]
        await client.patch(f"/api/collections/{id}", json={"cover": others["private"].id})
    changes: dict[str, dict[str, Any]] = {
        "private": {"visibility": Visibility.PRIVATE},
        "unlisted": {"visibility": Visibility.UNLISTED},
        "hidden": {"hidden": True},
        "trashed": {"trashed_at": 1},
        "locked": {"unlock_price": 5, "visibility": Visibility.PRIVATE},
        "public": {},
    }
    for name, item in (*own.items(), *others.items()):
        if changes[name]:
            await house.change(item, **changes[name])
    collections = house.studio.collections
    shared = await collections.shared(id)
    seen = [own["private"].id, own["unlisted"].id, own["locked"].id, others["public"].id]
    assert [item.id for item in shared.items.items] == seen
    assert shared.glance.count == 4
    assert shared.glance.cover is not None
    assert shared.glance.cover.id == own["private"].id
    walk, cursor = [], None
    for _ in range(4):
        page = (await collections.shared(id, Sorting(by="created", direction="asc"), cursor, 1)).items
        walk, cursor = [*walk, *(item.id for item in page.items)], page.next
    assert (sorted(walk), cursor) == (sorted(seen), None)


async def test_more_items_at_once_than_a_collection_may_have_are_refused(house: House) -> None:
    async with house.as_(house.alice) as client:
        view = await made(client)
        answer = await client.post(
            f"/api/collections/{view['id']}/items", json={"ids": [f"med_{n}" for n in range(ITEMS_OF_ONE + 1)]}
        )
        assert (code(answer), fields(answer)) == ((422, "invalid"), {"ids"})
