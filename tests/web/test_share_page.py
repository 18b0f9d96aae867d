"""What other sites are told of an item: its card, oEmbed, and the frame."""

import re
from html import unescape
from pathlib import Path

import httpx2
import pytest
from msgspec import structs

from cast import facts
from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.media import Kind, Media, Variant, Visibility
from mutoscope.services.sharing import Wish
from web.answers import code
from web.house import BASE, POLICY, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = '"><script>alert(1)</script>'


def card(page: str) -> dict[str, str]:
    """The page's meta elements, by name."""
    found = re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', page)
    return {name: unescape(content) for name, content in found}


async def stranger(house: House, path: str, **headers: str) -> httpx2.Response:
    async with house.client(headers) as client:
        return await client.get(path)


async def picture(house: House, **fields: object) -> Media:
    return await house.published(house.alice, facts=facts(Kind.IMAGE), **fields)


async def embedded(house: House, item: Media, **asked: str) -> httpx2.Response:
    async with house.as_(None) as client:
        return await client.get("/oembed", params={"url": f"{BASE}/m/{item.id}", **asked})


async def test_a_film_has_a_card_with_a_player(house: House) -> None:
    item = await house.published(house.alice, title="Fog", description="Early in the morning")
    page = (await stranger(house, f"/m/{item.id}")).text
    told = card(page)
    files = f"{BASE}/media/{item.id}"
    assert told == told | {
        "og:title": "Fog",
        "og:description": "Early in the morning",
        "og:type": "video.other",
        "og:url": f"{BASE}/m/{item.id}",
        "og:image": f"{files}/poster",
        "og:image:width": "1280",
        "og:image:height": "720",
        "og:video": f"{files}/master",
        "og:video:type": "video/mp4",
        "twitter:card": "player",
        "twitter:player": f"{BASE}/embed/{item.id}",
        "twitter:player:width": "1280",
    }
    assert "robots" not in told
    for address in (told["og:image"], told["og:video"], told["twitter:player"]):
        assert (await stranger(house, address)).status_code == 200
    [oembed] = re.findall(r'<link rel="alternate" type="application/json\+oembed" href="([^"]+)"', page)
    assert (await stranger(house, unescape(oembed))).json()["title"] == "Fog"


async def test_a_picture_has_a_large_card_and_no_player(house: House) -> None:
    item = await picture(house)
    told = card((await stranger(house, f"/m/{item.id}")).text)
    assert (told["og:type"], told["twitter:card"]) == ("article", "summary_large_image")
    assert not {"og:video", "twitter:player"} & told.keys()


async def test_the_film_of_an_unlisted_item_is_not_named_and_no_index_takes_the_page(house: House) -> None:
    item = await house.published(house.alice, Visibility.UNLISTED)
    told = card((await stranger(house, f"/m/{item.id}")).text)
    assert told["robots"] == "noindex"
    assert "og:video" not in told
    assert told["og:image"] == f"{BASE}/media/{item.id}/poster"


async def test_the_card_of_a_locked_item_has_the_blurred_poster_also_when_its_owner_asks(house: House) -> None:
    item = await house.published(house.alice, title="Xylophone", prompt="xylophone", blurred=80)
    item = await house.change(item, unlock_price=5)
    for headers in ({}, house.bearer(house.alice)):
        told = card((await stranger(house, f"/m/{item.id}", **headers)).text)
        assert told["og:title"] == "Locked film"
        assert told["og:image"] == told["twitter:image"] == f"{BASE}/media/{item.id}/blurred"
        assert told["twitter:card"] == "summary_large_image"
        assert not {"og:video", "og:description", "twitter:player"} & told.keys()


async def test_a_locked_item_without_blurred_files_yet_has_a_card_without_a_picture(house: House) -> None:
    item = await house.published(house.alice)
    files = {variant: file for variant, file in item.files.items() if "blurred" not in variant}
    item = await house.change(item, unlock_price=5, files=files)
    told = card((await stranger(house, f"/m/{item.id}")).text)
    assert told["twitter:card"] == "summary"
    assert not [name for name in told if name.startswith(("og:image", "og:video"))]
    answer = (await embedded(house, item)).json()
    assert answer["type"] == "rich"
    assert not [name for name in answer if name.startswith("thumbnail")]


async def test_a_private_page_has_no_card_for_its_owner_either(house: House) -> None:
    item = await house.published(house.alice, Visibility.PRIVATE)
    page = (await stranger(house, f"/m/{item.id}", **house.bearer(house.alice))).text
    assert not [name for name in card(page) if name.startswith(("og:", "twitter:"))]
    assert "oembed" not in page


async def test_what_is_not_open_has_the_answers_of_what_is_not_there(house: House) -> None:
    closed = [
        await house.published(house.alice, Visibility.PRIVATE),
        await house.change(await house.published(house.alice), hidden=True),
        await house.change(await house.published(house.alice), trashed_at=1),
    ]
    ids = [*[item.id for item in closed], "med_" + "0" * 26, "nothing"]
    for path in ("/m/{}", "/embed/{}", f"/oembed?url={BASE}/m/{{}}"):
        for accept in ("text/html", "application/json"):
            answers = [await stranger(house, path.format(id), Accept=accept) for id in ids]
            assert {answer.status_code for answer in answers} == {404}, path
            assert len({answer.content for answer in answers}) == 1, path
            assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1, path


async def test_oembed_of_a_film_is_a_frame_within_the_sizes_that_were_asked_for(house: House) -> None:
    item = await house.published(house.alice, title="Fog")
    answer = await embedded(house, item)
    told = answer.json()
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (told["version"], told["type"], told["title"], told["author_name"]) == ("1.0", "video", "Fog", "alice")
    assert f'src="{BASE}/embed/{item.id}" width="1280" height="720"' in told["html"]
    assert (told["thumbnail_url"], told["thumbnail_width"]) == (f"{BASE}/media/{item.id}/poster", 1280)
    small = (await embedded(house, item, maxwidth="640", maxheight="200", format="json")).json()
    assert (small["width"], small["height"]) == (355, 200)
    assert small["thumbnail_width"] == 320
    tiny = (await embedded(house, item, maxwidth="1", maxheight="1")).json()
    assert (tiny["width"], tiny["height"], "thumbnail_url" in tiny) == (1, 1, False)


async def test_oembed_of_a_picture_is_the_largest_file_that_fits(house: House) -> None:
    item = await picture(house)
    for asked, width, height in (("4000", 1280, 720), ("700", 640, 360), ("320", 320, 180)):
        told = (await embedded(house, item, maxwidth=asked)).json()
        assert (told["type"], told["width"], told["height"], "html" in told) == ("photo", width, height, False)
        shown = await stranger(house, told["url"])
        assert (shown.status_code, shown.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
    assert (await embedded(house, item, maxwidth="100")).json()["type"] == "rich"


async def test_oembed_refuses_as_its_specification_says(house: House) -> None:
    item = await house.published(house.alice)
    page = f"{BASE}/m/{item.id}"
    async with house.as_(None) as client:
        assert code(await client.get("/oembed", params={"url": page, "format": "xml"})) == (501, "format_not_offered")
        elsewhere = [
            "", "nonsense", "http://[", page.replace("http:", "https:"), page.replace("studio.example", "evil.example"),
            f"http://studio.example@evil.example/m/{item.id}", f"{BASE}/s/{item.id}", f"{BASE}:81/m/{item.id}",
            f"//studio.example/m/{item.id}", f"{BASE}.evil.example/m/{item.id}", f"{page}/more", f"/m/{item.id}",
        ]  # fmt: skip
        for url in elsewhere:
            assert code(await client.get("/oembed", params={"url": url})) == (404, "not_found"), url
        for asked in ({}, {"url": page, "maxwidth": "0"}, {"url": page, "maxheight": "wide"}):
            assert code(await client.get("/oembed", params=asked)) == (422, "invalid"), asked


async def test_a_closed_gallery_tells_other_sites_nothing(tmp_path: Path, darkroom: Darkroom) -> None:
    async with open_house(tmp_path, darkroom, structs.replace(POLICY, gallery_open=False)) as house:
        item, unlisted = await house.published(house.alice), await house.published(house.alice, Visibility.UNLISTED)
        for id in (item.id, "med_" + "0" * 26):
            assert code(await stranger(house, f"/oembed?url={BASE}/m/{id}")) == (401, "sign_in_needed")
            assert (await stranger(house, f"/embed/{id}")).status_code == 401
        seen = await stranger(house, f"/m/{item.id}", **house.bearer(house.alice))
        assert "og:title" not in card(seen.text)
        assert (await stranger(house, f"/embed/{unlisted.id}")).status_code == 200
        link, secret = await house.studio.sharing.create(house.alice, item.id, Wish())
        assert (await stranger(house, f"/s/{secret}")).status_code == 200
        assert (await stranger(house, house.studio.addresses.path(item, Variant.MASTER, link.id))).status_code == 200


async def test_the_frame_may_stand_on_other_sites_and_runs_nothing(house: House) -> None:
    item = await house.published(house.alice, title="Fog")
    answer = await stranger(house, f"/embed/{item.id}")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"], policy["form-action"]) == ("'none'", "*", "'none'")
    assert "script-src" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert not [tag for tag in ("<script", "<form", "<a ", "<iframe", "style=") if tag in answer.text]
    assert f'src="/media/{item.id}/master"' in answer.text


async def test_nothing_else_may_be_framed(house: House) -> None:
    item = await house.published(house.alice)
    _, secret = await house.studio.sharing.create(house.alice, item.id, Wish())
    for path in ("/", f"/m/{item.id}", f"/s/{secret}", f"/media/{item.id}/master", f"/oembed?url={BASE}/m/{item.id}"):
        assert "frame-ancestors 'none'" in (await stranger(house, path)).headers["content-security-policy"], path


async def test_films_and_what_is_not_open_to_all_are_not_for_other_sites(house: House) -> None:
    item, private = await house.published(house.alice), await house.published(house.alice, Visibility.PRIVATE)
    own = house.studio.addresses.path(private, Variant.POSTER, house.alice.id)
    for path, headers in (
        (f"/media/{item.id}/master", {}),
        (f"/media/{item.id}/poster", house.bearer(house.bob)),
        (f"/media/{private.id}/poster", house.bearer(house.alice)),
        (own, house.bearer(house.alice)),
    ):
        answer = await stranger(house, path, **headers)
        assert (answer.status_code, answer.headers["cross-origin-resource-policy"]) == (200, "same-origin"), path


async def test_script_in_words_stays_words(house: House) -> None:
    item = await house.published(house.alice, title=SCRIPT, description=SCRIPT + " again", prompt_words=frozenset())
    _, secret = await house.studio.sharing.create(house.alice, item.id, Wish())
    for path in (f"/m/{item.id}", f"/embed/{item.id}", f"/s/{secret}"):
        text = (await stranger(house, path)).text
        assert "<script>alert" not in text, path
        assert "&lt;script&gt;" in text, path
    told = (await embedded(house, item)).json()
    assert told["title"] == SCRIPT
    assert "<script>" not in told["html"]
    assert told["html"].count('"') == 2 * 7, "the title has ended its attribute"


async def test_addresses_come_from_the_settings_and_never_from_the_request(house: House) -> None:
    item = await house.published(house.alice)
    odd = {"Host": "127.0.0.1:99", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    for path in (f"/m/{item.id}", f"/oembed?url={BASE}/m/{item.id}"):
        text = (await stranger(house, path, **odd)).text
        assert f"{BASE}/embed/{item.id}" in text
        assert "127.0.0.1" not in text
        assert "evil.example" not in text
    async with house.client(house.bearer(house.alice) | odd) as client:
        made = await client.post(f"/api/media/{item.id}/share-links", json={})
    assert made.json()["url"].startswith(f"{BASE}/s/")
    assert (await stranger(house, f"/m/{item.id}", Host="evil.example")).status_code == 421
