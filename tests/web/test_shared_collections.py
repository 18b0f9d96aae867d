"""Share links of collections: what their owner shows with them, and what stays closed."""

import re
from typing import Any

import pytest

from mutoscope.domain.collections import Collection
from mutoscope.domain.media import Media, Variant, Visibility
from mutoscope.domain.rights import Viewer
from mutoscope.services.collections import Revision
from mutoscope.services.sharing import Wish
from web.answers import code
from web.house import BASE, OUR_PAGE, House, content

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "open sesame"


async def collected(house: House, *items: Media) -> Collection:
    """A private collection of alice's that holds the items."""
    made = await house.studio.collections.create(house.alice, "Harbours")
    return await house.studio.collections.add(Viewer(person_id=house.alice.id), made.id, [item.id for item in items])


async def shared(house: House, collection: Collection, password: str | None = None) -> tuple[str, str]:
    """The path of a link to it, and the link's id."""
    link, secret = await house.studio.sharing.create(house.alice, collection.id, Wish(password=password))
    return f"/s/{secret}", link.id


async def opened(house: House, path: str, **headers: str) -> Any:
    async with house.client(headers) as client:
        return await client.get(path)


def file_of(page: str, item: Media, variant: Variant) -> str:
    """The address of a file of that item that a page hands out."""
    found = re.search(rf'"((?:{BASE})?/media/{item.id}/{variant}\?[^"]*)"', page)
    assert found, page
    return found[1].replace("&amp;", "&")


async def test_a_link_shows_what_is_the_owners_and_what_is_public_of_others(house: House) -> None:
    private = await house.published(house.alice, Visibility.PRIVATE, title="Private one")
    theirs = await house.published(house.bob, title="Public one")
    once_public = await house.published(house.bob, title="Once public")
    hidden, trashed = [await house.published(house.alice, title=f"Gone {n}") for n in range(2)]
    collection = await collected(house, private, theirs, once_public, hidden, trashed)
    await house.change(once_public, visibility=Visibility.UNLISTED)
    await house.change(hidden, hidden=True)
    await house.change(trashed, trashed_at=1)
    path, link_id = await shared(house, collection)
    seen = await opened(house, path)
    assert seen.status_code == 200
    assert "2 items" in seen.text
    assert [title for title in ("Private one", "Public one", "Once public", "Gone") if title in seen.text] == [
        "Private one",
        "Public one",
    ]
    for item in (private, theirs):
        page = await opened(house, f"{path}/{item.id}")
        assert item.title in page.text
        film = await opened(house, file_of(page.text, item, Variant.MASTER))
        assert film.content == content(item.id, Variant.MASTER)
        assert (await opened(house, file_of(seen.text, item, Variant.THUMB_MEDIUM))).status_code == 200
    for item in (once_public, hidden, trashed):
        assert (await opened(house, f"{path}/{item.id}")).status_code == 404
        now = await house.store.media.get(item.id)
        assert now is not None
        address = house.studio.addresses.path(now, Variant.MASTER, link_id)
        # What is unlisted opens to whoever has its own address, signed or not.
        assert (await opened(house, address)).status_code == (200 if item is once_public else 404)


async def test_what_is_not_in_the_collection_is_not_opened_by_its_link(house: House) -> None:
    inside, outside = [await house.published(house.alice, Visibility.PRIVATE) for _ in range(2)]
    path, link_id = await shared(house, await collected(house, inside))
    assert (await opened(house, f"{path}/{outside.id}")).status_code == 404
    address = house.studio.addresses.path(outside, Variant.MASTER, link_id)
    assert code(await opened(house, address)) == (404, "not_found")
    assert (await opened(house, house.studio.addresses.path(inside, Variant.MASTER, link_id))).status_code == 200


async def test_what_is_taken_out_is_closed_at_once(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    collection = await collected(house, item)
    path, _ = await shared(house, collection)
    address = file_of((await opened(house, path)).text, item, Variant.THUMB_MEDIUM)
    assert (await opened(house, address)).status_code == 200
    await house.studio.collections.remove(Viewer(person_id=house.alice.id), collection.id, [item.id])
    assert (await opened(house, address)).status_code == 404
    assert (await opened(house, f"{path}/{item.id}")).status_code == 404
    assert "0 items" in (await opened(house, path)).text


async def test_a_link_and_what_it_handed_out_end_with_the_collection_and_when_it_is_revoked(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    for ends in ("deleted", "revoked"):
        collection = await collected(house, item)
        path, link_id = await shared(house, collection)
        address = file_of((await opened(house, path)).text, item, Variant.THUMB_MEDIUM)
        if ends == "deleted":
            await house.studio.collections.delete(Viewer(person_id=house.alice.id), collection.id)
        else:
            await house.studio.sharing.revoke(house.alice, link_id)
        answers = [await opened(house, each) for each in (path, f"{path}/{item.id}", "/s/" + "A" * 43)]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert (await opened(house, address)).status_code == 404


async def test_a_locked_item_in_a_collection_stays_locked(house: House) -> None:
    item = await house.published(
        house.alice, Visibility.PRIVATE, title="Xylophone", prompt="xylophone", blurred=80, tags=("secretly",)
    )
    item = await house.change(item, unlock_price=5)
    path, link_id = await shared(house, await collected(house, item))
    for address in (path, f"{path}/{item.id}"):
        seen = await opened(house, address)
        assert "Locked film" in seen.text
        assert not [word for word in ("xylophone", "secretly", item.facts.sha256) if word in seen.text.lower()]
        assert set(re.findall(rf"/media/{item.id}/([a-z0-9-]+)", seen.text)) == {"blurred"}
    sharp = house.studio.addresses.path(item, Variant.MASTER, link_id)
    assert (await opened(house, sharp)).status_code == 404


async def test_the_cover_is_the_picture_of_the_card(house: House) -> None:
    first, chosen = [await house.published(house.alice, Visibility.PRIVATE) for _ in range(2)]
    collection = await collected(house, first, chosen)
    await house.studio.collections.change(Viewer(person_id=house.alice.id), collection.id, Revision(cover=chosen.id))
    path, _ = await shared(house, collection)
    seen = (await opened(house, path)).text
    assert '<meta property="og:title" content="Harbours">' in seen
    [picture] = re.findall(r'<meta property="og:image" content="([^"]+)">', seen)
    assert picture.startswith(f"{BASE}/media/{chosen.id}/poster?")
    assert (await opened(house, picture.replace("&amp;", "&"))).content == content(chosen.id, Variant.POSTER)


async def test_the_password_of_a_collections_link_is_asked_for_at_each_of_its_pages(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE, title="Quokkas")
    path, _ = await shared(house, await collected(house, item), PASSWORD)
    async with house.as_(None) as client:
        for address in (path, f"{path}/{item.id}"):
            asked = await client.get(address)
            assert 'type="password"' in asked.text
            assert not [told for told in ("Quokkas", "Harbours", item.id, "og:") if told in asked.text]
        assert (await client.post(path, data={"password": PASSWORD})).status_code == 303
        assert "Harbours" in (await client.get(path)).text
        assert "Quokkas" in (await client.get(f"{path}/{item.id}")).text


async def test_a_long_collection_comes_in_pages(house: House) -> None:
    items = [await house.published(house.alice, Visibility.PRIVATE, title=f"Boat {n}.") for n in range(52)]
    path, _ = await shared(house, await collected(house, *items))
    first = await opened(house, path)
    [more] = re.findall(r'href="(/s/[^"]+\?cursor=[^"]+)"', first.text)
    rest = await opened(house, more)
    assert [f"Boat {n}." in first.text for n in range(52)] == [True] * 50 + [False] * 2
    assert [f"Boat {n}." in rest.text for n in range(52)] == [False] * 50 + [True] * 2
    assert (await opened(house, f"{path}?cursor=nonsense")).status_code == 422


async def test_only_the_owner_and_administrators_share_a_collection(house: House) -> None:
    collection = await collected(house)
    await house.studio.collections.change(
        Viewer(person_id=house.alice.id), collection.id, Revision(visibility=Visibility.PUBLIC)
    )
    path = f"/api/collections/{collection.id}/share-links"
    async with house.as_(house.bob) as client:
        assert code(await client.post(path, json={})) == code(await client.get(path)) == (403, "forbidden")
    async with house.as_(None) as client:
        assert code(await client.post(path, json={})) == (401, "sign_in_needed")
    for person in (house.alice, house.carol):
        async with house.as_(person) as client:
            made = await client.post(path, json={"expires_in_hours": 1})
            assert made.status_code == 201
            assert (await opened(house, made.json()["url"])).status_code == 200
            assert made.json()["link"]["target"] == collection.id
            assert made.json()["link"]["id"] in (await client.get(path)).text


async def test_links_to_a_collection_are_made_and_revoked_on_its_page_without_scripts(house: House) -> None:
    collection = await collected(house, await house.published(house.alice, Visibility.PRIVATE, title="Quokkas"))
    page = f"/collections/{collection.id}"
    async with house.client({"Cookie": await house.session(house.alice), **OUR_PAGE}) as client:
        made = await client.post(f"{page}/links", data={"hours": "1", "link_password": ""})
        [address] = set(re.findall(rf"{BASE}/s/[A-Za-z0-9_-]{{43}}", made.text))
        assert address not in (await client.get(page)).text, "it is shown once"
        assert "Quokkas" in (await opened(house, address)).text
        assert f'<a href="{page}">{collection.title}</a>' in (await client.get("/account")).text
        [link] = await house.store.shares.of_target(collection.id)
        revoked = await client.post(f"{page}/links/{link.id}/revoke")
        assert revoked.headers["location"] == f"{page}?done=link-revoked"
    assert (await opened(house, address)).status_code == 404
    async with house.client({"Cookie": await house.session(house.bob), **OUR_PAGE}) as client:
        assert (await client.post(f"{page}/links", data={})).status_code == 404


async def test_the_card_of_a_public_collection_has_what_strangers_see_of_it_whoever_asks(house: House) -> None:
    private = await house.published(house.alice, Visibility.PRIVATE)
    locked = await house.change(await house.published(house.alice, blurred=80), unlock_price=5)
    collection = await collected(house, private, locked)
    alice = Viewer(person_id=house.alice.id)
    await house.studio.collections.change(alice, collection.id, Revision(cover=private.id))
    async with house.as_(house.alice) as client:
        assert "og:" not in (await client.get(f"/collections/{collection.id}")).text
    await house.studio.collections.change(alice, collection.id, Revision(visibility=Visibility.PUBLIC))
    for headers in ({}, house.bearer(house.alice)):
        seen = (await opened(house, f"/collections/{collection.id}", **headers)).text
        assert '<meta property="og:title" content="Harbours">' in seen
        assert f'<meta property="og:image" content="{BASE}/media/{locked.id}/blurred">' in seen
        assert "noindex" not in seen
