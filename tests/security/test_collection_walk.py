"""Collections as every kind of viewer meets them: what is shown, what is refused, and that no answer tells of the rest."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec import structs

from mutoscope.domain.collections import ITEMS_OF_ONE, Add, Collection
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.rights import Viewer
from mutoscope.services import collection_views, collections, looking
from mutoscope.store import cursors
from mutoscope.web import render
from security.test_rights_walk import (
    EVERYONE,
    INSIDERS,
    MAY_SEE_ALL,
    PAID,
    STATES,
    VIEWERS,
    Gallery,
    gallery,
    refused,
    withheld,
)
from web.answers import code, fields
from web.house import House

__all__ = ["gallery"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOWN_TO = {
    "public": EVERYONE,
    "unlisted": INSIDERS,
    "private": INSIDERS,
    "trashed": frozenset[str](),
    "hidden": INSIDERS,
    "locked": EVERYONE,
    "locked unlisted": PAID,
    "locked private": PAID,
    "locked trashed": frozenset[str](),
    "locked hidden": INSIDERS,
}
"""Which of alice's items are shown in a collection of hers, to those who may know of the collection."""
SECRETS = {visibility: (f"Title of the {visibility} one", f"Said of the {visibility} one") for visibility in Visibility}
READ = ("/api/collections/{id}", "/api/collections/{id}/items", "/collections/{id}")
ORDERS = [{"sort": by, "direction": way} for by in ("order", "created", "title", "duration") for way in ("asc", "desc")]


class Shelf:
    """Alice's collections, one of each visibility, each with all her items, a hidden one as its cover."""

    def __init__(self, gallery: Gallery, collections: dict[Visibility, Collection]) -> None:
        self.gallery, self.collections = gallery, collections

    def changes(self, visibility: Visibility) -> list[tuple[str, str, dict[str, Any]]]:
        """Every request that would change it: method, path, body."""
        id, item = self.collections[visibility].id, self.gallery.items["public"].id
        api, page = f"/api/collections/{id}", f"/collections/{id}"
        return [
            ("PATCH", api, {"json": {"title": "mine", "visibility": "public"}}),
            ("DELETE", api, {}),
            ("POST", f"{api}/items", {"json": {"ids": [item]}}),
            ("POST", f"{api}/items/remove", {"json": {"ids": [item]}}),
            ("PUT", f"{api}/order", {"json": {"ids": [item]}}),
            ("POST", f"{api}/move", {"json": {"item": item, "after": self.gallery.items["locked"].id}}),
            ("POST", page, {"data": {"title": "mine", "visibility": "public"}}),
            ("POST", f"{page}/delete", {"data": {}}),
            ("POST", f"{page}/remove", {"data": {"item": item}}),
            ("POST", f"{page}/move", {"data": {"item": item, "after": self.gallery.items["locked"].id}}),
            ("POST", f"/m/{item}/collect", {"data": {"collection": id}}),
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(gallery: Gallery) -> AsyncIterator[Shelf]:
    """Nothing here changes them."""
    house, collections = gallery.house, dict[Visibility, Collection]()
    for visibility, words in SECRETS.items():
        made = await house.studio.collections.create(house.alice, *words, visibility)
        step = Add(tuple(item.id for item in gallery.items.values()))
        made = await house.store.collections.rearrange(made.id, step, None, house.clock.now())
        cover = structs.replace(made, cover_id=gallery.items["hidden"].id)
        collections[visibility] = await house.store.collections.change(cover, made.version, house.clock.now())
    yield Shelf(gallery, collections)


def told(shelf: Shelf, answer: httpx2.Response, visibility: Visibility) -> list[bytes]:
    """What an answer tells of a collection and of all that is in it."""
    texts = [*(text.encode() for text in SECRETS[visibility])]
    for state, item in shelf.gallery.items.items():
        texts += [item.id.encode(), *withheld(state, item)]
    return [text for text in texts if text in answer.content]


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_a_private_collection_is_as_one_that_is_not_there(shelf: Shelf, viewer: str) -> None:
    private = shelf.collections[Visibility.PRIVATE]
    async with shelf.gallery.viewer(viewer) as client:
        for path in READ:
            answer = await client.get(path.format(id=private.id))
            if viewer in INSIDERS:
                assert answer.status_code == 200, path
                continue
            nothing = await client.get(path.format(id="col_" + "0" * 26))
            assert (answer.status_code, answer.content) == (nothing.status_code, nothing.content), path
            assert code(answer) == (404, "not_found"), path
            assert told(shelf, answer, Visibility.PRIVATE) == [], path


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("visibility", Visibility)
async def test_each_viewer_is_shown_and_counted_what_the_table_says_in_every_order(
    shelf: Shelf, visibility: Visibility, viewer: str
) -> None:
    if visibility is Visibility.PRIVATE and viewer not in INSIDERS:
        return  # the test above
    items, id = shelf.gallery.items, shelf.collections[visibility].id
    expected = [items[state].id for state in STATES if viewer in SHOWN_TO[state]]
    async with shelf.gallery.viewer(viewer) as client:
        answers = [await client.get(path.format(id=id)) for path in READ]
        answers += [await client.get(READ[1].format(id=id), params=order) for order in ORDERS]
        answers += [await client.get(READ[1].format(id=id), params={"limit": 1})]
        view = answers[0].json()
        assert view["count"] == len(expected)
        hidden = items["hidden"].id
        assert view["cover"]["id"] == (hidden if viewer in INSIDERS else expected[0])
        assert view["chosen_cover"] == (hidden if viewer in INSIDERS else None)
        assert [item["id"] for item in answers[1].json()["items"]] == expected
        for answer in answers[3:-1]:
            assert sorted(item["id"] for item in answer.json()["items"]) == sorted(expected)
    for answer in answers:
        assert answer.status_code == 200
        for state, item in items.items():
            if viewer not in SHOWN_TO[state]:
                assert item.id.encode() not in answer.content, f"{answer.url} {state}"
            if viewer not in SHOWN_TO[state] or viewer not in MAY_SEE_ALL[state]:
                tells = [secret for secret in withheld(state, item) if secret in answer.content]
                assert tells == [], f"{answer.url} {state}"


@pytest.mark.parametrize("viewer", sorted(EVERYONE - INSIDERS))
async def test_a_cursor_tells_of_nothing_but_what_was_shown(shelf: Shelf, viewer: str) -> None:
    id = shelf.collections[Visibility.PUBLIC].id
    shown = [shelf.gallery.items[state].id for state in STATES if viewer in SHOWN_TO[state]]
    async with shelf.gallery.viewer(viewer) as client:
        cursor, place = None, 0
        while True:
            params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(READ[1].format(id=id), params=params)).json()
            assert [item["id"] for item in page["items"]] == shown[place : place + 1]
            place, cursor = place + 1, page["next"]
            if cursor is None:
                break
            assert cursors.read(cursor, list[Any]) == ["order", "asc", shown[place - 1], place]
    assert place == len(shown)


@pytest.mark.parametrize("viewer", sorted(EVERYONE - INSIDERS))
@pytest.mark.parametrize("visibility", Visibility)
async def test_nobody_but_the_owner_and_administrators_changes_a_collection(
    shelf: Shelf, visibility: Visibility, viewer: str
) -> None:
    store, before = shelf.gallery.house.store.collections, shelf.collections[visibility]
    order = (await store.held([before.id]))[before.id]
    async with shelf.gallery.viewer(viewer) as client:
        for method, path, body in shelf.changes(visibility):
            answer = await client.request(method, path, **body)
            assert refused(answer), f"{method} {path}"
            assert answer.status_code < 500, f"{method} {path}"
            if visibility is Visibility.PRIVATE:
                assert [text for text in SECRETS[visibility] if text in answer.text] == [], f"{method} {path}"
    assert await store.get(before.id) == before
    assert (await store.held([before.id]))[before.id] == order


@pytest.mark.parametrize("visibility", Visibility)
async def test_who_has_not_signed_in_is_told_so_whatever_they_would_change(
    shelf: Shelf, visibility: Visibility
) -> None:
    there, none = shelf.collections[visibility].id, "col_" + "0" * 26
    async with shelf.gallery.house.client() as client:
        for method, path, sent in shelf.changes(visibility):
            if path.startswith("/api/"):
                answers = [await client.request(method, path.replace(there, id), **sent) for id in (there, none)]
                assert [code(answer) for answer in answers] == [(401, "sign_in_needed")] * 2, f"{method} {path}"


@pytest.mark.parametrize("viewer", sorted(EVERYONE - INSIDERS))
async def test_lists_hold_public_collections_alone(shelf: Shelf, viewer: str) -> None:
    public = shelf.collections[Visibility.PUBLIC].id
    async with shelf.gallery.viewer(viewer) as client:
        listed = await client.get("/api/collections", params={"owner": "alice"})
        assert [one["id"] for one in listed.json()["items"]] == [public]
        own, mine = await client.get("/api/collections"), await client.get("/collections")
    for answer in (listed, own, mine):
        for visibility in (Visibility.PRIVATE, Visibility.UNLISTED):
            assert [text for text in SECRETS[visibility] if text in answer.text] == []
            assert shelf.collections[visibility].id not in answer.text


@pytest.mark.parametrize("state", STATES)
async def test_only_what_is_public_of_others_is_collected_and_the_refusal_tells_nothing(
    shelf: Shelf, state: str
) -> None:
    house, item = shelf.gallery.house, shelf.gallery.items[state]
    mine = await house.studio.collections.create(house.bob, "Found")
    async with house.as_(house.bob) as client:
        path = f"/api/collections/{mine.id}/items"
        answer = await client.post(path, json={"ids": [item.id]})
        if state in ("public", "locked"):
            assert answer.status_code == 200
            assert answer.json()["count"] == 1
        else:
            nothing = "med_" + "0" * 26
            unknown = await client.post(path, json={"ids": [nothing]})
            assert (code(answer), fields(answer)) == ((422, "invalid"), {"ids"})
            assert answer.text == unknown.text.replace(nothing, item.id)
        if state != "public":
            assert [secret for secret in withheld(state, item) if secret in answer.content] == []
    await house.studio.collections.delete(Viewer(person_id=house.bob.id), mine.id)


LONG = "9" * 5_000
BAD: list[tuple[str, str, Any, int, set[str]]] = [
    ("POST", "", {}, 422, {"title"}),
    ("POST", "", {"title": ""}, 422, {"title"}),
    ("POST", "", {"title": "\u200b"}, 422, {"title"}),
    ("POST", "", {"title": "x" * 81}, 422, {"title"}),
    ("POST", "", {"title": "a\u202eb"}, 422, {"title"}),
    ("POST", "", {"title": "a\r\nSet-Cookie: x"}, 422, {"title"}),
    ("POST", "", {"title": "x", "description": "x" * 2_001}, 422, {"description"}),
    ("POST", "", {"title": "x", "description": "\x00"}, 422, {"description"}),
    ("POST", "", {"title": ["x"]}, 422, {"title"}),
    ("POST", "", {"title": "x", "visibility": "everyone"}, 422, {"visibility"}),
    ("PATCH", "/{id}", {"title": {"$ne": ""}}, 422, {"title"}),
    ("PATCH", "/{id}", {"cover": "med_nothing"}, 422, {"cover"}),
    ("PATCH", "/{id}", {"cover": "../../etc/passwd"}, 422, {"cover"}),
    ("PATCH", "/{id}", {"version": "1"}, 422, {"version"}),
    ("PATCH", "/{id}", {"title": "x", "version": 99}, 409, set()),
    ("POST", "/{id}/items", {"ids": []}, 422, {"ids"}),
    ("POST", "/{id}/items", {"ids": "med_x"}, 422, {"ids"}),
    ("POST", "/{id}/items", {"ids": [{"$gt": ""}]}, 422, {"ids[0]"}),
    ("POST", "/{id}/items", {"ids": ["col_" + "0" * 26]}, 422, {"ids"}),
    ("POST", "/{id}/items", {"ids": [LONG]}, 422, {"ids"}),
    ("POST", "/{id}/items", {"ids": [f"med_{n}" for n in range(ITEMS_OF_ONE + 1)]}, 422, {"ids"}),
    ("POST", "/{id}/items/remove", {"ids": []}, 422, {"ids"}),
    ("PUT", "/{id}/order", {"ids": ["med_x"]}, 422, {"ids"}),
    ("PUT", "/{id}/order", {"ids": ["{item}", "{item}"]}, 422, {"ids"}),
    ("PUT", "/{id}/order", {"ids": ["{item}"], "version": 1}, 409, set()),
    ("POST", "/{id}/move", {"item": "{item}"}, 422, {"before"}),
    ("POST", "/{id}/move", {"item": "{item}", "before": "a", "after": "b"}, 422, {"before"}),
    ("POST", "/{id}/move", {"item": "{item}", "after": "med_x"}, 422, {"after"}),
    ("POST", "/{id}/move", {"item": "{item}", "before": "med_x"}, 422, {"before"}),
    ("POST", "/{id}/move", {"item": "med_x", "after": "{item}"}, 404, set()),
    ("PATCH", "/col_" + "0" * 26, {"title": "x"}, 404, set()),
    ("PATCH", "/med_" + "0" * 26, {"title": "x"}, 404, set()),
    ("PATCH", "/col_%00", {"title": "x"}, 404, set()),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "named"), BAD)
async def test_what_makes_no_sense_is_refused_by_name_and_changes_nothing(
    lasting: House, method: str, path: str, body: Any, status: int, named: set[str]
) -> None:
    item = await lasting.published(lasting.alice)
    made = await lasting.studio.collections.create(lasting.alice, "Harbours")
    made = await lasting.store.collections.rearrange(made.id, Add((item.id,)), None, lasting.clock.now())
    before = await lasting.store.collections.of_person(lasting.alice.id)
    if isinstance(body, dict) and "{item}" in str(body):
        body = {name: _filled(value, item) for name, value in body.items()}
    async with lasting.as_(lasting.alice) as client:
        answer = await client.request(method, "/api/collections" + path.replace("{id}", made.id), json=body)
    assert (answer.status_code, fields(answer)) == (status, named), answer.text
    assert len(answer.content) < 1_000, "what was sent is not sent back"
    assert await lasting.store.collections.of_person(lasting.alice.id) == before


def _filled(value: Any, item: Media) -> Any:
    if isinstance(value, list):
        return [_filled(one, item) for one in value]
    return item.id if value == "{item}" else value


async def test_a_collection_of_one_cannot_be_named_by_another_on_an_items_page(house: House) -> None:
    item = await house.published(house.bob)
    hers = await house.studio.collections.create(house.alice, "Hers")
    async with house.as_(house.bob) as client:
        assert "Hers" not in (await client.get(f"/m/{item.id}")).text
        answer = await client.post(f"/m/{item.id}/collect", data={"collection": hers.id})
        assert answer.status_code == 404
    assert (await house.store.collections.held([hers.id]))[hers.id] == []


async def test_pages_of_a_collection_take_no_form_from_another_site(house: House) -> None:
    made = await house.studio.collections.create(house.alice, "Hers")
    cookie = await house.session(house.alice)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        async with house.client({"Cookie": cookie, **headers}) as client:
            for method, path in (("POST", f"/collections/{made.id}/delete"), ("DELETE", f"/api/collections/{made.id}")):
                assert code(await client.request(method, path)) == (403, "cross_site")
    assert await house.store.collections.get(made.id) == made


def the_looks_show_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "shows", lambda viewer, item, lender_id: True)


def the_count_counts_what_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    real = render.collection_view

    def view(*given: Any) -> Any:
        return structs.replace(real(*given), count=len(STATES))

    monkeypatch.setattr(render, "collection_view", view)


def others_are_told_what_the_owner_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_views, "may_change", lambda viewer, collection: True)


def whoever_asks_is_lent_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = looking.shows
    monkeypatch.setattr(looking, "shows", lambda viewer, item, lender_id: real(viewer, item, item.owner_id))


@pytest.mark.parametrize(
    "plant",
    [
        the_looks_show_everything,
        the_count_counts_what_is_not_shown,
        others_are_told_what_the_owner_is,
        whoever_asks_is_lent_it,
    ],
)
async def test_a_planted_leak_is_found(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        await test_each_viewer_is_shown_and_counted_what_the_table_says_in_every_order(shelf, Visibility.PUBLIC, "bob")


async def test_a_private_collection_that_is_told_of_is_found(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collections, "may_know", lambda viewer, collection: True)
    with pytest.raises(AssertionError):
        await test_a_private_collection_is_as_one_that_is_not_there(shelf, "bob")
