"""A gallery of 10,000 items: what is far from the screen is not in the document, and nothing moves for it."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Open
from e2e.long import long_studio
from e2e.studio import StudioProcess

ITEMS = 10_000
MOST = 1_000
"""Cards in the document, at most, whatever is seen: a tall screen, two more above and below, and a page on its way."""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    studio = long_studio(tmp_path_factory.mktemp("long") / "data", ITEMS)
    yield studio
    studio.stop()


def cards(page: Page) -> int:
    return page.locator("mu-card").count()


def scroll_to_the_end(page: Page) -> list[int]:
    """As fast as pages come; how many cards were in the document after each step."""
    counts: list[int] = []
    ends = time.monotonic() + 400
    while page.locator(".more").count() or not at_the_end(page):
        assert time.monotonic() < ends, "the end is never reached"
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(30)
        counts.append(cards(page))
    return counts


def at_the_end(page: Page) -> bool:
    return page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")


@pytest.mark.timeout(600)
def test_ten_thousand_items_are_scrolled_through_with_few_in_the_document(open_page: Open, long: StudioProcess) -> None:
    page = open_page("/", base=long.base)
    counts = scroll_to_the_end(page)
    assert max(counts) <= MOST
    expect(page.locator("mu-card").last).to_contain_text("A lamp by the sea")
    # All the way up again.
    height = page.evaluate("document.documentElement.scrollHeight")
    for y in [*range(height, 0, -2_500), 0]:
        page.evaluate("(y) => scrollTo(0, y)", y)
        page.wait_for_timeout(20)
    expect(page.locator("mu-card").first).to_contain_text("Number 10000")
    assert cards(page) <= MOST
    seen = page.locator("mu-card .caption b").all_inner_texts()
    assert seen == [f"Number {n}" for n in range(ITEMS, ITEMS - len(seen), -1)]
    assert page.evaluate("document.documentElement.scrollHeight") == height


def test_what_is_on_the_screen_does_not_move_while_others_are_taken_out(open_page: Open, long: StudioProcess) -> None:
    page = open_page("/", base=long.base)
    for _ in range(14):
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(150)
    assert page.locator(".spacer.above").count() == 1
    for to in (0, 3_000, 1_200, 7_000, 400):
        page.evaluate("(y) => scrollTo(0, y)", to)
        page.wait_for_timeout(100)
        # Where the card in the middle is, before and after a step there and back.
        middle = """() => { const card = document.elementFromPoint(innerWidth / 2, innerHeight / 2).closest('mu-card');
          return card && [card.id, Math.round(card.getBoundingClientRect().top)] }"""
        before = page.evaluate(middle)
        page.evaluate("scrollBy(0, 40000)")
        page.wait_for_timeout(100)
        page.evaluate("(y) => scrollTo(0, y)", to)
        page.wait_for_timeout(100)
        assert page.evaluate(middle) == before
