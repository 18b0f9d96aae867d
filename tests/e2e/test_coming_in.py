"""Set-up, sign-in and sign-out in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.conftest import Open
from e2e.studio import GRANTED, PASSWORD, Person, StudioProcess


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[StudioProcess]:
    """A studio that nobody has set up."""
    process = StudioProcess(tmp_path / "data")
    yield process
    process.stop()


def test_the_set_up_link_makes_the_administrator_once(fresh: StudioProcess, open_page: Open) -> None:
    page = open_page(f"/set-up?secret={fresh.secret}", base=fresh.base)
    page.get_by_label("Name").fill("carol")
    page.get_by_label("Password").fill("aaaaaaaaaaaa")
    page.get_by_role("button", name="Set up").click()
    expect(page.locator("#w-password")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("carol")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.wait_for_url("**/create")
    expect(page.locator(".purse b")).to_have_text(str(GRANTED))
    again = open_page(f"/set-up?secret={fresh.secret}", base=fresh.base)
    again.get_by_label("Name").fill("mallory")
    again.get_by_label("Password").fill(PASSWORD)
    again.get_by_role("button", name="Set up").click()
    expect(again.get_by_role("alert")).to_contain_text("has been set up")


@pytest.mark.parametrize("scripts", [True, False])
def test_someone_registers_signs_out_and_signs_in_where_they_wanted_to_go(
    open_page: Open, studio: StudioProcess, scripts: bool
) -> None:
    page = open_page("/register", java_script_enabled=scripts)
    name = f"dora-{scripts}".lower()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator(".purse b")).to_have_text(str(GRANTED))
    page.goto("/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/tokens")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("not the right one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#w-password")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name")).to_have_value(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/tokens")
    expect(page.get_by_role("cell", name="Given")).to_be_visible()


def test_a_new_password_keeps_this_browser_and_ends_the_others(open_page: Open, alice: Person) -> None:
    other, page = open_page("/account", alice), open_page("/account", alice)
    page.get_by_label("Password now").fill(PASSWORD)
    page.get_by_label("New password").fill("a crank that turns backwards")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("status").first).to_contain_text("The new password is set.")
    other.goto("/account")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_tabs_of_a_browser_share_one_line_and_all_hear_of_a_change(open_page: Open, alice: Person) -> None:
    first = open_page("/tokens", alice)
    second = first.context.new_page()
    lines: list[str] = []
    second.on("request", lambda made: lines.append(made.url) if "/api/events" in made.url else None)
    second.goto("/library")
    alice.order(model="local/still", prompt="Seen by both")
    expect(second.locator("mu-card")).to_have_count(1)
    for page in (first, second):
        expect(page.locator(".purse b")).to_have_text(str(GRANTED - 1))
    expect(first.locator("[data-available]")).to_have_text(str(GRANTED - 1))
    assert lines == []
    # The tab that leads goes away; the other takes over and misses nothing.
    first.close()
    alice.order(model="local/still", prompt="Seen by the one that is left")
    expect(second.locator("mu-card")).to_have_count(2)
    assert len(lines) == 1


def test_the_keys_are_explained_and_lead_where_they_say(open_page: Open, alice: Person) -> None:
    page = open_page("/", alice)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("l")
    page.wait_for_url("**/library")
    page.keyboard.press("c")
    page.wait_for_url("**/create")
