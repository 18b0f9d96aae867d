"""The gallery and one item in a browser: live, playing, in the trash and back; and reading without scripts."""

import base64
import re
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from e2e.conftest import Open
from e2e.studio import GRANTED, Person, StudioProcess
from mutoscope.darkroom.thumbhash import encode

FILM = {"model": "local/dream", "parameters": {"size": "640x360", "duration_s": 1}}
STILL = {"model": "local/still", "parameters": {"size": "1280x720"}}


class Shown(NamedTuple):
    """What stands in the gallery for the tests that only look."""

    owner: Person
    still: str
    film: str


@pytest.fixture(scope="module")
def shown(studio: StudioProcess) -> Iterator[Shown]:
    """A picture and a film of somebody's."""
    owner = studio.someone("alice")
    jobs = [
        owner.order(prompt="A zeppelin at anchor", **STILL),
        owner.order(prompt="A zeppelin adrift", seed=42, **FILM),
    ]
    yield Shown(owner, *map(owner.wait, jobs))
    owner.api.close()


WATCH = """() => {
  window.arrivals = {};
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.id) arrivals[node.id] ??= node.classList.contains("arriving");
  }).observe(document.querySelector("mu-gallery"), { childList: true });
}"""
"""Notes every card that is put into the gallery, and whether it slid in at first."""


def test_new_items_slide_in_for_everyone_who_looks_and_the_preview_plays_on_hover(
    open_page: Open, alice: Person
) -> None:
    stranger = open_page("/")
    own = open_page("/library", alice)
    for page in (stranger, own):
        page.evaluate(WATCH)
    film = alice.finished(prompt="Koi under lily pads", **FILM)
    for page in (stranger, own):
        arrived = page.locator(f"#{film}")
        expect(arrived).to_be_visible()
        expect(arrived).to_have_class(re.compile("u1 t7 h8"))
        assert page.locator("mu-card").first.get_attribute("id") == film
        expect(arrived).to_have_attribute("data-preview", f"/media/{film}/preview")
        # The same document still stands, and the card came with its animation.
        assert page.evaluate("arrivals")[film] is True
    stranger.locator(f"#{film}").hover()
    preview = stranger.locator(f"#{film} video")
    expect(preview).to_have_js_property("muted", True)
    expect(preview).to_have_js_property("paused", False)
    stranger.mouse.move(0, 0)
    expect(preview).to_have_count(0)


def test_what_goes_into_the_trash_leaves_every_gallery_and_comes_back(open_page: Open, alice: Person) -> None:
    item = alice.finished(prompt="A paper theatre", **STILL)
    stranger = open_page("/")
    expect(stranger.locator(f"#{item}")).to_be_visible()
    page = open_page(f"/m/{item}", alice)
    page.get_by_role("button", name="Put in the trash").click()
    expect(page.get_by_role("status").first).to_have_text("In the trash now.")
    expect(stranger.locator(f"#{item}")).to_have_count(0)
    expect(open_page("/library/trash", alice).locator(f"#{item}")).to_be_visible()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("button", name="Put in the trash")).to_be_visible()
    expect(stranger.locator(f"#{item}")).to_be_visible()


def test_an_owner_edits_and_a_mistake_keeps_what_was_typed(open_page: Open, alice: Person) -> None:
    item = alice.finished(prompt="Storm over wheat", **STILL)
    page = open_page(f"/m/{item}", alice)
    page.get_by_text("Edit", exact=True).click()
    page.get_by_label("Title").fill("  ")
    page.get_by_label("Description").fill("Seen from the barn.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#w-title")).to_have_text("1 to 80 characters")
    expect(page.get_by_label("Description")).to_have_value("Seen from the barn.")
    page.get_by_label("Title").fill("The barn")
    page.get_by_label("Tags").fill("Weather, Film Noir")
    page.get_by_label("Who may see it").select_option("private")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="The barn")).to_be_visible()
    expect(page.get_by_role("link", name="film-noir")).to_be_visible()
    gone = open_page(f"/m/{item}")
    expect(gone.get_by_role("heading", name="Not found")).to_be_visible()


def test_a_search_and_a_filter_stand_in_the_address(open_page: Open, shown: Shown) -> None:
    page = open_page("/")
    page.keyboard.press("/")
    page.keyboard.type("zeppelin")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=zeppelin")
    expect(page.locator("mu-card")).to_have_count(2)
    page.get_by_role("link", name="Films").click()
    page.wait_for_url("**/?q=zeppelin&kind=video")
    expect(page.locator("mu-card")).to_have_count(1)
    expect(page.locator(f"#{shown.film}")).to_be_visible()
    expect(page.locator(f"#{shown.still}")).to_have_count(0)
    page.keyboard.press("c")
    page.wait_for_url("**/sign-in?next=%2Fcreate")


def test_scrolling_to_the_end_brings_more_and_nothing_twice(open_page: Open, shown: Shown) -> None:
    page = open_page("/?q=zeppelin+anchor")
    expect(page.locator("mu-card")).to_have_count(1)
    page.evaluate(
        """() => {
          const more = Object.assign(document.createElement("a"), { className: "more", href: "/?q=zeppelin" });
          const gallery = document.querySelector("mu-gallery");
          gallery.append(more);
          gallery.watch();
        }"""
    )
    expect(page.locator("mu-card")).to_have_count(2)
    assert [card.get_attribute("id") for card in page.locator("mu-card").all()] == [shown.still, shown.film]
    expect(page.locator(".more")).to_have_count(0)


def scrolled_to(page: Page, y: int) -> None:
    """Wait until the page is there. Asked from outside: our own rules keep the page from evaluating a condition."""
    ends = time.monotonic() + 20
    while page.evaluate("scrollY") != y:
        assert time.monotonic() < ends, f"not at {y}"
        page.wait_for_timeout(20)


def test_the_way_back_leads_to_where_one_was_in_a_long_gallery(open_page: Open, shown: Shown) -> None:
    page = open_page("/sign-in")
    page.set_viewport_size({"width": 420, "height": 300})

    def with_more(route: Route) -> None:
        answer = route.fetch()
        link = '<a class="more button" href="/?q=zeppelin">More</a></mu-gallery>'
        route.fulfill(response=answer, body=answer.text().replace("</mu-gallery>", link))

    page.route("**/?q=zeppelin+anchor", with_more)
    page.goto("/?q=zeppelin+anchor")
    expect(page.locator("mu-card")).to_have_count(2)
    page.evaluate("scrollTo(0, 200)")
    scrolled_to(page, 200)
    page.goto(f"/m/{shown.film}")
    page.go_back()
    expect(page.locator("mu-card")).to_have_count(2)
    scrolled_to(page, 200)


def test_times_go_on_while_a_page_stays_open(open_page: Open, shown: Shown) -> None:
    page = open_page("/sign-in")
    page.clock.install()
    page.goto(f"/m/{shown.still}")
    shown_time = page.locator("time").first
    said = shown_time.text_content()
    page.clock.fast_forward("03:00:00")
    expect(shown_time).to_have_text("3 hours ago")
    assert said is not None
    assert "hour" not in said


def test_pages_that_lost_the_line_catch_up_with_everything(open_page: Open, alice: Person) -> None:
    page = open_page("/sign-in", alice)
    page.context.route("**/api/events*", lambda route: route.abort())
    library, create, tokens = (page.context.new_page() for _ in range(3))
    waiting = alice.order(model="local/still", prompt="Behind the hill")
    for tab, path in ((library, "/library"), (create, "/create"), (tokens, "/tokens")):
        tab.goto(path)
    done = alice.finished(prompt="Beyond the hill", **STILL)
    alice.wait(waiting)
    page.evaluate(
        """(id) => new BroadcastChannel(`mutoscope ${id}`).postMessage({ event: { kind: "resync" } })""",
        tokens.locator("html").get_attribute("data-person"),
    )
    expect(library.locator("mu-card")).to_have_count(2)
    # In the order in which they were published, which of two that are made at once nobody decides.
    newest_first = [item["id"] for item in alice.api.get("/api/media", params={"scope": "library"}).json()["items"]]
    assert done in newest_first
    for place, id in enumerate(newest_first):
        expect(library.locator("mu-card").nth(place)).to_have_attribute("id", id)
    expect(create.locator(".job.succeeded")).to_have_count(2)
    expect(create.locator(".job").first).to_contain_text("Beyond the hill")
    expect(tokens.locator("[data-available]")).to_have_text(str(GRANTED - 2))


def test_an_item_says_how_it_was_made_and_can_be_remixed(open_page: Open, shown: Shown) -> None:
    page = open_page(f"/m/{shown.film}", shown.owner)
    expect(page.get_by_text("AI generated", exact=True)).to_be_visible()
    expect(page.get_by_text("Made by a procedure, not by an AI model")).to_be_visible()
    expect(page.locator("meta[property='og:video']")).to_have_count(1)
    page.get_by_role("link", name="Remix").click()
    expect(page.get_by_label("Prompt")).to_have_value("A zeppelin adrift")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("42")
    expect(page.locator("[name='local/dream:size']")).to_have_value("640x360")


def test_without_scripts_the_gallery_is_read_and_an_item_is_seen(open_page: Open, shown: Shown) -> None:
    item = shown.still
    page = open_page("/", java_script_enabled=False)
    poster = page.locator(f"#{item} img")
    expect(poster).to_be_visible()
    box = poster.bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(16 / 9, rel=0.02)
    page.locator(f"#{item} a").click()
    expect(page.get_by_role("heading", name="A zeppelin at anchor")).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_have_attribute("href", f"/media/{item}/master?download=1")


def test_the_placeholder_is_the_picture_in_rough(open_page: Open) -> None:
    np = pytest.importorskip("numpy")
    wanted = np.zeros((30, 40, 4), np.uint8)
    wanted[..., 3] = 255
    wanted[:, :20, 0] = 220  # red on the left
    wanted[:, 20:, 2] = 200  # blue on the right
    page = open_page("/sign-in")
    got = page.evaluate(
        """async (hash) => {
          const { decode } = await import(document.querySelector("script").src.replace("studio.js", "thumbhash.js"));
          const { width, height, pixels } = decode(hash);
          const at = (x) => Array.from(pixels.slice((Math.floor(height / 2) * width + x) * 4).slice(0, 4));
          return { width, height, left: at(2), right: at(width - 3) };
        }""",
        base64.b64encode(encode(wanted)).decode(),
    )
    assert got["width"] / got["height"] == pytest.approx(40 / 30, rel=0.1)
    assert np.abs(np.array(got["left"]) - [220, 0, 0, 255]).max() < 60
    assert np.abs(np.array(got["right"]) - [0, 0, 200, 255]).max() < 60


def test_no_page_is_wider_than_the_screen_and_every_field_has_a_name(open_page: Open, alice: Person) -> None:
    page = open_page("/collections", alice)
    page.get_by_label("Title").fill("W" * 80)
    page.get_by_role("button", name="Make the collection").click()
    made = urlsplit(page.url).path
    paths = ("/", "/create", "/library", "/collections", made, "/tokens", "/activity", "/account")
    for path in (*paths, "/sign-in", "/register", "/set-up?secret=x", "/no"):
        page.goto(path)
        for width in (390, 768, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
        nameless = page.evaluate(
            """[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
              .filter((field) => !field.labels.length && !field.ariaLabel).map((field) => field.name)"""
        )
        assert nameless == [], path
        assert page.locator("h1").count() == 1, path
