"""Looks and likes in a browser: what is in sight for a moment counts, and liking works with and without scripts."""

import time

import pytest
from playwright.sync_api import Page, Request, expect

from e2e.conftest import Open
from e2e.studio import Person, StudioProcess

STILL = {"model": "local/still", "parameters": {"size": "1280x720"}}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
OUT_OF_SIGHT = (
    "Object.defineProperty(document, 'visibilityState', { get: () => window.inSight ? 'visible' : 'hidden' });"
)
COME_INTO_SIGHT = "() => { window.inSight = true; document.dispatchEvent(new Event('visibilitychange')); }"
MORE_THAN_A_MOMENT_MS = 2_000
PATIENCE_S = 20.0


@pytest.fixture
def item(alice: Person) -> str:
    """A picture of alice's that nobody has seen."""
    return alice.finished(prompt="A kite over dunes", **STILL)


def looks_of(page: Page, item: str) -> list[Request]:
    """The looks that a page tells of, from now on."""
    told: list[Request] = []
    page.context.on("request", lambda sent: told.append(sent) if sent.url.endswith(f"/api/media/{item}/view") else None)
    return told


def expect_views(page: Page, item: str, count: int) -> None:
    """The count, which is some seconds behind."""
    until = time.monotonic() + PATIENCE_S
    while (seen := page.request.get(f"/api/media/{item}").json()["views"]) != count and time.monotonic() < until:
        page.wait_for_timeout(200)
    assert seen == count


def test_a_page_in_sight_counts_after_a_moment_and_once(open_page: Open, item: str) -> None:
    page = open_page("/", user_agent=FIREFOX)
    told = looks_of(page, item)
    for _ in range(2):
        page.goto(f"/m/{item}")
        page.wait_for_timeout(MORE_THAN_A_MOMENT_MS)
    assert [(sent.method, sent.response().status) for sent in told] == [("POST", 204)] * 2
    expect_views(page, item, 1)


def test_a_page_in_the_background_counts_when_it_comes_into_sight(open_page: Open, item: str) -> None:
    page = open_page("/", user_agent=FIREFOX)
    told = looks_of(page, item)
    page.add_init_script(OUT_OF_SIGHT)
    page.goto(f"/m/{item}")
    page.wait_for_timeout(MORE_THAN_A_MOMENT_MS)
    assert told == []
    page.evaluate(COME_INTO_SIGHT)
    page.wait_for_timeout(MORE_THAN_A_MOMENT_MS)
    assert len(told) == 1
    expect_views(page, item, 1)


def test_neither_the_owner_nor_a_browser_without_scripts_tells_of_a_look(
    open_page: Open, alice: Person, item: str
) -> None:
    for page in (open_page("/", alice), open_page("/", user_agent=FIREFOX, java_script_enabled=False)):
        told = looks_of(page, item)
        page.goto(f"/m/{item}")
        page.wait_for_timeout(MORE_THAN_A_MOMENT_MS)
        assert told == []


def test_liking_works_without_scripts_and_shows_in_the_library(
    open_page: Open, studio: StudioProcess, item: str
) -> None:
    bob = studio.someone("bob")
    page = open_page(f"/m/{item}", bob, java_script_enabled=False)
    page.get_by_role("button", name="Like").click()
    expect(page.get_by_role("button", name="Unlike")).to_be_visible()
    expect(page.locator(".facts").first).to_contain_text("1 like")
    page.goto("/library")
    page.get_by_role("link", name="Liked", exact=True).click()
    expect(page.locator(f"#{item}")).to_be_visible()
    page.goto(f"/m/{item}")
    page.get_by_role("button", name="Unlike").click()
    expect(page.get_by_role("button", name="Like", exact=True)).to_be_visible()
    bob.api.close()
