"""Locked means locked: whoever has no right finds nothing of the original, however they ask; and the hunt sees what leaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec import structs

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain import rights
from mutoscope.domain.errors import NotFound
from mutoscope.domain.media import BLURRED, Media, Variant
from mutoscope.domain.search import Query
from mutoscope.services import cards, gallery, views
from mutoscope.web import delivery, embed, oembed
from mutoscope.web.pages import item as item_page
from security.hunt import STRANGERS, Leak, Quarry, hunt, hunt_files, hunt_routes, hunt_words, locked_quarry
from web.house import House, content, open_house, served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(tmp_path_factory: pytest.TempPathFactory, darkroom: Darkroom) -> AsyncIterator[tuple[Quarry, Media]]:
    """The locked item and an open one; nothing that strangers do changes them."""
    async with open_house(tmp_path_factory.mktemp("hunt"), darkroom) as house:
        yield await locked_quarry(house)


@pytest.mark.parametrize("hunter", STRANGERS)
async def test_no_stranger_finds_anything_of_a_locked_item(
    scene: tuple[Quarry, Media], hunter: str, capfd: pytest.CaptureFixture[str]
) -> None:
    quarry, other = scene
    asked = await hunt(quarry, other, hunter)
    assert asked > 500, "the hunt has asked too little to say anything"
    logged = "".join(capfd.readouterr())
    assert quarry.found_in(logged.encode()) == [], "the log tells"
    kept = await quarry.house.store.media.get(quarry.item.id)
    assert kept is not None
    assert (kept.version, kept.unlocks) == (quarry.item.version, 0)


async def test_those_who_have_the_right_find_all_of_it(scene: tuple[Quarry, Media]) -> None:
    """Or the hunt would prove nothing: the same questions are answered to the owner."""
    quarry, _ = scene
    async with quarry.house.as_(quarry.house.alice) as client:
        record = await client.get(f"/api/media/{quarry.item.id}")
        assert len(quarry.found_in(record.content)) > 10
        for variant in Variant:
            file = await client.get(f"/media/{quarry.item.id}/{variant}")
            assert file.content == content(quarry.item.id, variant)
            assert bool(quarry.found_in(file.content)) is (variant not in BLURRED)


async def test_the_stream_of_events_tells_ids_and_nothing_else(scene: tuple[Quarry, Media]) -> None:
    quarry, _ = scene
    house = quarry.house
    head = await house.store.events.head()
    bystander = await house.published(house.alice, prompt="zinfandel harpsichord beneath the obelisk")
    await house.change(bystander, unlock_price=9)
    heard = b""
    async with served(house.app) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        headers = {"Host": "studio.example", "Last-Event-ID": head}
        async with client.stream("GET", "/api/events", headers=headers) as answer:
            try:
                async with asyncio.timeout(2):
                    async for chunk in answer.aiter_bytes():
                        heard += chunk
            except TimeoutError:
                pass
    assert bystander.id.encode() in heard
    assert quarry.found_in(heard) == []


Plant = Callable[[pytest.MonkeyPatch, House, Quarry], None]


def the_view_forgets_to_withhold(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    monkeypatch.setattr(views, "sees_withheld", lambda viewer, item: True)


def the_table_has_lost_its_row(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    rows = tuple(row for row in rights.TABLE if not row[0].startswith("a locked item's files"))
    assert len(rows) == len(rights.TABLE) - 1
    monkeypatch.setattr(rights, "TABLE", rows)


def search_looks_at_the_withheld_words(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    real = house.store.media.search

    async def search(scope: str, query: Query, withheld_too: bool, cursor: str | None, limit: int) -> Any:
        return await real(scope, query, True, cursor, limit)

    monkeypatch.setattr(house.store.media, "search", search)


def the_entity_tag_is_the_checksum(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    monkeypatch.setattr(delivery, "etag_of", lambda item, variant, file: f'"{item.facts.sha256}"')


def the_file_name_is_the_title(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    monkeypatch.setattr(delivery, "shown_title", lambda viewer, item: item.title)


def an_error_names_the_item(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    def authorize(viewer: rights.Viewer, item: Media, variant: Variant | None) -> None:
        if not rights.allowed(viewer, item, variant):
            raise NotFound(f"{item.title} is not open to you.")

    monkeypatch.setattr(gallery, "authorize", authorize)


def a_link_opens_the_file_that_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    async def through(link_id: str, viewer: rights.Viewer, item: Media) -> rights.Viewer:
        return rights.Viewer(signed=(item.id, Variant.MASTER))

    monkeypatch.setattr(house.studio.sharing, "through", through)


def the_card_has_the_title(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    real = cards.card_of

    def card_of(item: Media, uploader: str, base_url: str) -> cards.Card:
        return structs.replace(real(item, uploader, base_url), title=item.title)

    for module in (oembed, embed, item_page):
        monkeypatch.setattr(module, "card_of", card_of)


def an_old_address_goes_on_after_the_lock(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    from mutoscope.services import addresses

    monkeypatch.setattr(addresses, "_standing", lambda item: str(item.visibility))
    monkeypatch.setattr(delivery, "allowed", lambda viewer, item, variant: True)


def an_address_made_for_one_opens_for_everyone(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    real = house.studio.addresses.verify

    def verify(item: Media, variant: Variant, expires: str, signature: str, viewer_id: str | None = None) -> bool:
        return real(item, variant, expires, signature, house.alice.id)

    monkeypatch.setattr(house.studio.addresses, "verify", verify)
    monkeypatch.setattr(delivery, "allowed", lambda viewer, item, variant: True)


def the_blurred_file_is_the_sharp_one(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    key = quarry.item.files[Variant.BLURRED].key
    (house.folder / "media" / key).write_bytes(content(quarry.item.id, Variant.THUMB_SMALL))


def the_uploader_is_called_by_her_address(monkeypatch: pytest.MonkeyPatch, house: House, quarry: Quarry) -> None:
    async def name_of(_: object, person_id: str) -> str:
        person = await house.store.people.get(person_id)
        return (person and person.email) or "someone"

    monkeypatch.setattr(gallery.Gallery, "name_of", name_of)


PLANTS: dict[Plant, tuple[Callable[..., Any], str]] = {
    the_view_forgets_to_withhold: (hunt_routes, "stranger"),
    the_table_has_lost_its_row: (hunt_files, "stranger"),
    search_looks_at_the_withheld_words: (hunt_words, "bob"),
    the_entity_tag_is_the_checksum: (hunt_files, "stranger"),
    the_file_name_is_the_title: (hunt_files, "refunded"),
    an_error_names_the_item: (hunt_files, "bob"),
    an_old_address_goes_on_after_the_lock: (hunt_files, "once signed"),
    a_link_opens_the_file_that_it_is_asked_for: (hunt_files, "linked"),
    the_card_has_the_title: (hunt_routes, "bob"),
    an_address_made_for_one_opens_for_everyone: (hunt_files, "with alice's"),
    the_blurred_file_is_the_sharp_one: (hunt_files, "stranger"),
    the_uploader_is_called_by_her_address: (hunt_routes, "bob"),
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
async def test_a_planted_leak_is_found(
    plant: Plant, tmp_path: Path, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path, darkroom) as house:
        # The clean house first: what is found afterwards is the plant.
        quarry, other = await locked_quarry(house)
        search, hunter = PLANTS[plant]
        arguments = (quarry, hunter) if search is hunt_words else (quarry, other, hunter)
        assert await search(*arguments)
        plant(monkeypatch, house, quarry)
        with pytest.raises(Leak):
            await search(*arguments)
        monkeypatch.undo()
