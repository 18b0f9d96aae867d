"""Share links: made, listed and revoked over REST and on the item's page, and what stands at their addresses."""

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import DAY, HOUR, MINUTE
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility
from mutoscope.domain.people import Person
from web.answers import code, fields
from web.house import BASE, OUR_PAGE, POLICY, House, content, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESS = re.compile(rf"{BASE}/s/[A-Za-z0-9_-]{{43}}")
PASSWORD = "open sesame"


async def made(house: House, item: Media, by: Person | None = None, **wish: Any) -> dict[str, Any]:
    """The answer to somebody who makes a link: the link, and the path of its address."""
    async with house.as_(by or house.alice) as client:
        answer = await client.post(f"/api/media/{item.id}/share-links", json=wish)
    assert answer.status_code == 201, answer.text
    assert ADDRESS.fullmatch(answer.json()["url"])
    return answer.json()["link"] | {"path": answer.json()["url"].removeprefix(BASE)}


async def revoke(house: House, link: dict[str, Any]) -> None:
    async with house.as_(house.alice) as client:
        assert (await client.delete(f"/api/share-links/{link['id']}")).status_code == 204


def file_in(page: str, variant: Variant) -> str:
    """The address of a file that a page hands out."""
    found = re.search(rf'"(/media/[^"]*/{variant}\?[^"]*)"', page)
    assert found, page
    return found[1].replace("&amp;", "&")


async def opened(house: House, path: str, **headers: str) -> Any:
    async with house.as_(None) as client:
        return await client.get(path, headers=headers)


async def test_whoever_has_the_link_sees_a_private_item_and_nobody_else_does(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    link = await made(house, item)
    seen = await opened(house, link["path"])
    assert seen.status_code == 200
    assert item.title in seen.text
    film = await opened(house, file_in(seen.text, Variant.MASTER))
    assert film.content == content(item.id, Variant.MASTER)
    assert film.headers["cache-control"] == "private, no-cache"
    for path in (f"/m/{item.id}", f"/api/media/{item.id}", f"/media/{item.id}/master", f"/embed/{item.id}"):
        assert (await opened(house, path)).status_code == 404


async def test_the_page_of_a_link_is_in_no_index_no_cache_and_no_referrer(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    seen = await opened(house, (await made(house, item))["path"])
    assert seen.headers["referrer-policy"] == "no-referrer"
    assert seen.headers["x-robots-tag"] == "noindex, nofollow"
    assert seen.headers["cache-control"] == "private, no-store"
    assert '<meta name="robots" content="noindex, nofollow">' in seen.text
    assert "oembed" not in seen.text


async def test_the_address_of_a_link_stands_in_no_log_and_not_in_the_database(
    house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    link = await made(house, item, password=PASSWORD)
    secret = link["path"].removeprefix("/s/")
    async with house.as_(None) as client:
        await client.get(link["path"])
        await client.post(link["path"], data={"password": "wrong"})
        await client.put(link["path"])
        await client.get(f"{link['path']}/more")
    logged = "".join(capfd.readouterr())
    assert "path=/s/" in logged
    assert secret not in logged
    for file in house.folder.glob("studio.sqlite*"):
        assert secret.encode() not in file.read_bytes()
    async with house.as_(house.alice) as client:
        for path in ("/api/share-links", f"/api/media/{item.id}/share-links", f"/m/{item.id}"):
            assert secret not in (await client.get(path)).text


async def test_addresses_of_files_end_at_once_with_their_link(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    link, other = await made(house, item), await made(house, item)
    first, second = [await opened(house, each["path"]) for each in (link, other)]
    address, etag = file_in(first.text, Variant.MASTER), (await opened(house, file_in(first.text, Variant.MASTER)))
    await revoke(house, link)
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": etag.headers["etag"]}):
        assert code(await opened(house, address, **headers)) == (404, "not_found")
    assert (await opened(house, file_in(second.text, Variant.MASTER))).status_code == 200


async def test_addresses_of_files_end_at_once_when_the_item_is_locked_hidden_or_thrown_away(house: House) -> None:
    for change in ({"unlock_price": 5}, {"is_blurred": True}, {"hidden": True}, {"trashed_at": 1}):
        item = await house.published(house.alice, Visibility.PRIVATE)
        link = await made(house, item)
        address = file_in((await opened(house, link["path"])).text, Variant.MASTER)
        assert (await opened(house, address)).status_code == 200
        await house.change(item, **change)
        assert code(await opened(house, address)) == (404, "not_found")
        gone = change.keys() & {"hidden", "trashed_at"}
        assert (await opened(house, link["path"])).status_code == (404 if gone else 200)


async def test_a_link_to_something_locked_shows_it_blurred(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE, prompt="xylophone", title="Xylophone", blurred=80)
    link = await made(house, await house.change(item, unlock_price=5))
    seen = await opened(house, link["path"])
    assert "Locked film" in seen.text
    assert "xylophone" not in seen.text.lower()
    handed_out = set(re.findall(rf"/media/{item.id}/([a-z0-9-]+)", seen.text))
    assert handed_out <= {variant.value for variant in BLURRED}
    blurred = await opened(house, file_in(seen.text, Variant.BLURRED))
    assert blurred.content == content(item.id, Variant.BLURRED)


async def test_unknown_expired_and_revoked_links_and_those_to_what_is_gone_have_one_answer(house: House) -> None:
    items = [await house.published(house.alice, Visibility.PRIVATE) for _ in range(4)]
    expired = await made(house, items[0], expires_in_hours=1)
    links = [expired, *[await made(house, item, password=PASSWORD) for item in items[1:]]]
    await revoke(house, links[1])
    await house.change(items[2], trashed_at=1)
    await house.change(items[3], hidden=True)
    house.clock.tick(HOUR)
    paths = [*[link["path"] for link in links], "/s/" + "A" * 43, "/s/short", "/s/" + "A" * 300, "/s/%0d%0aX:%20y"]
    for accept in ("text/html", "application/json"):
        answers = [await opened(house, path, Accept=accept) for path in paths]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1
    async with house.as_(None) as client:
        typed = [await client.post(path, data={"password": PASSWORD}) for path in paths]
    assert len({answer.content for answer in typed}) == 1
    assert {code(answer) for answer in typed} == {(404, "not_found")}


async def test_a_link_of_somebody_suspended_opens_nothing(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    link = await made(house, item)
    address = file_in((await opened(house, link["path"])).text, Variant.MASTER)
    await house.studio.accounts.suspend(house.carol, "alice")
    assert (await opened(house, link["path"])).status_code == 404
    assert (await opened(house, address)).status_code == 404


async def test_a_session_changes_nothing_of_what_a_link_shows(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE, prompt="xylophone", title="Xylophone", blurred=80)
    link = await made(house, await house.change(item, unlock_price=5))
    seen = await opened(house, link["path"], Cookie=await house.session(house.alice))
    assert "xylophone" not in seen.text.lower()


async def test_the_password_is_asked_for_before_anything_is_told(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE, title="Quokkas")
    link = await made(house, item, password=PASSWORD)
    assert link["has_password"]
    asked = await opened(house, link["path"])
    assert asked.status_code == 200
    assert 'type="password"' in asked.text
    for told in ("Quokkas", item.id, "og:", "alice", "film"):
        assert told not in asked.text, told
    async with house.client(OUR_PAGE) as client:
        wrong = await client.post(link["path"], data={"password": "open says me"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        assert "Quokkas" not in wrong.text
        right = await client.post(link["path"], data={"password": PASSWORD})
        assert (right.status_code, right.headers["location"]) == (303, link["path"])
        cookie = right.headers["set-cookie"].lower()
        for part in ("httponly", "samesite=lax", f"path={link['path'].lower()}", "max-age=43200"):
            assert part in cookie
        seen = await client.get(link["path"])
    assert "Quokkas" in seen.text
    assert "og:" not in seen.text
    assert (await opened(house, file_in(seen.text, Variant.MASTER))).status_code == 200


async def test_the_proof_of_a_password_ends_and_is_for_one_link_alone(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE, title="Quokkas")
    link, other = await made(house, item, password=PASSWORD), await made(house, item, password=PASSWORD)
    async with house.as_(None) as client:
        proof = (await client.post(link["path"], data={"password": PASSWORD})).headers["set-cookie"].split(";")[0]
    bad = [proof + "0", proof[:-2], proof.replace("=1", "=9", 1), proof.split("=")[0] + "=", "mutoscope_shared=\xff.x"]
    assert "Quokkas" in (await opened(house, link["path"], Cookie=proof)).text
    for path, cookie in [(other["path"], proof), *[(link["path"], each) for each in bad]]:
        async with house.client([(b"cookie", cookie.encode("latin-1"))]) as client:  # pyright: ignore[reportArgumentType]
            assert "Quokkas" not in (await client.get(path)).text, cookie
    house.clock.tick(DAY)
    assert "Quokkas" not in (await opened(house, link["path"], Cookie=proof)).text


async def test_what_is_made_is_checked(house: House) -> None:
    item = await house.published(house.alice)
    bad = [{"expires_in_hours": 0}, {"expires_in_hours": 10**9}, {"password": "short"}, {"password": "x" * 201}]
    async with house.as_(house.alice) as client:
        for wish in bad:
            answer = await client.post(f"/api/media/{item.id}/share-links", json=wish)
            assert (code(answer), fields(answer)) == ((422, "invalid"), set(wish)), wish
        for id in ("med_nothing", "col_01h00000000000000000000000", item.id[:-1] + "!"):
            assert code(await client.post(f"/api/media/{id}/share-links", json={})) == (404, "not_found")


async def test_nobody_makes_links_to_what_is_in_the_trash_or_hidden(house: House) -> None:
    for change in ({"trashed_at": 1}, {"hidden": True}):
        item = await house.change(await house.published(house.alice), **change)
        async with house.as_(house.alice) as client:
            assert code(await client.post(f"/api/media/{item.id}/share-links", json={})) == (409, "conflict")


async def test_only_the_owner_and_administrators_make_list_and_revoke_links(house: House) -> None:
    open_to_all = await house.published(house.alice)
    private = await house.published(house.alice, Visibility.PRIVATE)
    link = await made(house, private)
    async with house.as_(house.bob) as client:
        for item, refused in ((open_to_all, (403, "forbidden")), (private, (404, "not_found"))):
            assert code(await client.post(f"/api/media/{item.id}/share-links", json={})) == refused
            assert code(await client.get(f"/api/media/{item.id}/share-links")) == refused
        assert code(await client.delete(f"/api/share-links/{link['id']}")) == (404, "not_found")
        assert (await client.get("/api/share-links")).json()["items"] == []
    async with house.as_(None) as client:
        assert code(await client.get("/api/share-links")) == (401, "sign_in_needed")
        assert code(await client.delete(f"/api/share-links/{link['id']}")) == (401, "sign_in_needed")
    theirs = await made(house, private, by=house.carol)
    async with house.as_(house.alice) as client:
        listed = (await client.get(f"/api/media/{private.id}/share-links")).json()["items"]
        assert [each["id"] for each in listed] == [theirs["id"], link["id"]]
        assert (await client.get("/api/share-links")).json()["items"] == listed
    async with house.as_(house.carol) as client:
        assert (await client.delete(f"/api/share-links/{link['id']}")).status_code == 204
    assert (await opened(house, link["path"])).status_code == 404


async def test_when_a_link_was_opened_last_is_noted_now_and_then(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    link = await made(house, item)
    noted: list[str | None] = []
    for wait in (0, MINUTE, 10 * MINUTE):
        house.clock.tick(wait)
        await opened(house, link["path"])
        async with house.as_(house.alice) as client:
            noted += [each["used_at"] for each in (await client.get("/api/share-links")).json()["items"]]
    assert noted[0] == noted[1] is not None
    assert noted[2] != noted[0]


async def test_a_link_is_made_and_revoked_on_the_page_without_scripts(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    async with house.client({"Cookie": await house.session(house.alice), **OUR_PAGE}) as client:
        assert "Share by a link" in (await client.get(f"/m/{item.id}")).text
        answer = await client.post(f"/m/{item.id}/links", data={"hours": "24", "link_password": ""})
        assert answer.status_code == 200
        [address] = ADDRESS.findall(answer.text)
        assert not ADDRESS.findall((await client.get(f"/m/{item.id}")).text), "it is shown once"
        assert (await opened(house, address)).status_code == 200
        [link] = await house.store.shares.of_target(item.id)
        assert link.expires_at == house.clock.now() + DAY
        short = await client.post(f"/m/{item.id}/links", data={"hours": "", "link_password": "short"})
        assert (short.status_code, "8 to 200 characters" in short.text) == (422, True)
        odd = await client.post(f"/m/{item.id}/links", data={"hours": "soon", "link_password": ""})
        assert odd.status_code == 422
        revoked = await client.post(f"/m/{item.id}/links/{link.id}/revoke")
        assert revoked.headers["location"] == f"/m/{item.id}?done=link-revoked"
    assert (await opened(house, address)).status_code == 404
    async with house.client({"Cookie": await house.session(house.bob), **OUR_PAGE}) as client:
        other = await house.published(house.alice)
        assert "Share by a link" not in (await client.get(f"/m/{other.id}")).text
        assert (await client.post(f"/m/{other.id}/links", data={})).status_code == 403


async def test_behind_a_cdn_files_of_a_link_come_from_the_studio_itself(tmp_path: Path, darkroom: Darkroom) -> None:
    policy = structs.replace(POLICY, cdn_url="https://cdn.example.org")
    async with open_house(tmp_path, darkroom, policy) as house:
        item = await house.published(house.alice, Visibility.PRIVATE)
        seen = await opened(house, (await made(house, item))["path"])
        assert "cdn.example.org" not in seen.text
        film = await opened(house, file_in(seen.text, Variant.MASTER))
        assert (film.status_code, film.content) == (200, content(item.id, Variant.MASTER))
        assert "public" not in film.headers["cache-control"]


async def test_from_a_bucket_the_studio_looks_at_the_link_before_it_hands_out_an_address(
    tmp_path: Path, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path, darkroom, structs.replace(POLICY, from_bucket=True)) as house:

        async def presign(key: str, seconds: int) -> str:
            return f"https://films.example.org/{key}"

        monkeypatch.setattr(house.blobs, "presign", presign)
        item = await house.published(house.alice, Visibility.PRIVATE)
        link = await made(house, item)
        address = house.studio.addresses.path(item, Variant.MASTER, link["id"])
        sent = await opened(house, address)
        assert (sent.status_code, sent.headers["cache-control"]) == (302, "private, no-store")
        assert f"https://films.example.org/{item.files[Variant.MASTER].key}" in (await opened(house, link["path"])).text
        await revoke(house, link)
        for path in (address, link["path"]):
            assert (await opened(house, path)).status_code == 404
