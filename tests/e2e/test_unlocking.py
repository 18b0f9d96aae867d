"""A locked film: blurred in a stranger's browser, and sharp in place once it is paid for."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Open
from e2e.studio import GRANTED, PATIENCE_S, Person, StudioProcess

PRICE = 30


def locked(studio: StudioProcess, kind: str) -> str:
    """A film or picture of somebody's for sale, with its blurred files."""
    seller = studio.someone("seller")
    more: dict[str, Any] = {"parameters": {"size": "640x360", "duration_s": 2}} if kind == "film" else {}
    model = "local/dream" if kind == "film" else "local/still"
    item = seller.finished(model=model, prompt="A violet aurora nobody should read of", **more)
    wait(seller, item, lambda shown: kind != "film" or shown["previews"] == "done")
    assert seller.api.patch(f"/api/media/{item}", json={"unlock_price": PRICE}).status_code == 200
    blurred = "blurred-preview" if kind == "film" else "blurred"
    wait(seller, item, lambda shown: blurred in shown["urls"])
    seller.api.close()
    return item


def wait(person: Person, item: str, done: Any) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not done(person.api.get(f"/api/media/{item}").json()):
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.1)


def asked_for(page: Page, item: str) -> set[str]:
    """Which files of the item the page shows."""
    found = page.locator("[src], [poster]").evaluate_all("all => all.flatMap((e) => [e.src, e.poster])")
    return {address.rpartition("/")[2] for address in found if address and item in address}


@pytest.mark.parametrize("kind", ["film", "picture"])
def test_a_locked_item_sharpens_in_place_once_it_is_paid_for(
    open_page: Open, studio: StudioProcess, alice: Person, kind: str
) -> None:
    item = locked(studio, kind)
    page = open_page(f"/m/{item}", alice)
    page.evaluate("window.stayed = true")
    assert asked_for(page, item) == ({"blurred-preview", "blurred"} if kind == "film" else {"blurred"})
    expect(page.locator("main")).not_to_contain_text("aurora")
    expect(page.locator("h1")).to_have_text(f"Locked {kind}")
    if kind == "picture":
        width = page.locator(".screen img").evaluate("async (e) => (await e.decode(), e.naturalWidth)")
        assert width == 640
    page.get_by_role("button", name=f"Unlock · {PRICE} tokens").click()
    expect(page.locator("main")).to_contain_text("aurora")
    expect(page.locator("mu-balance b")).to_have_text(str(GRANTED - PRICE))
    assert "master" in asked_for(page, item)
    assert page.evaluate("window.stayed") is True, "the page was left"
    assert alice.balance()["available"] == GRANTED - PRICE


def test_without_javascript_the_form_unlocks(open_page: Open, studio: StudioProcess, alice: Person) -> None:
    item = locked(studio, "picture")
    page = open_page(f"/m/{item}", alice, java_script_enabled=False)
    page.get_by_role("button", name=f"Unlock · {PRICE} tokens").click()
    expect(page.locator("main")).to_contain_text("Unlocked. It is yours to look at")
    expect(page.locator(".screen img")).to_have_attribute("src", f"/media/{item}/master")


def test_the_card_in_the_gallery_is_blurred_and_says_its_price(
    open_page: Open, studio: StudioProcess, alice: Person
) -> None:
    item = locked(studio, "picture")
    card = open_page("/", alice).locator(f"mu-card#{item}")
    expect(card).to_contain_text(f"{PRICE} tokens")
    expect(card.locator("img")).to_have_attribute("src", f"/media/{item}/blurred")
