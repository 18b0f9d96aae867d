"""A page that is open while a model is retired, and while it comes back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import expect

from e2e.conftest import Open
from e2e.studio import Person, StudioProcess
from e2e.test_creating import choose

WHY = "Local dream is retired: its provider said on 1970-01-01 that it is gone. Choose another model."


def retire(studio: StudioProcess, person: Person) -> None:
    """What a worker writes when a provider says that the model is gone; somebody's next change lets the pages hear of it."""
    with closing(sqlite3.connect(studio.data / "mutoscope.db", timeout=10)) as file, file:
        file.execute("INSERT INTO retired_models VALUES ('local/dream', 'dream', '410', 1)")
        file.execute(
            "INSERT INTO events (kind, thing, version, audience, public, at)"
            " VALUES ('model', 'local/dream', 1, 'person:', 1, 1)"
        )
    person.order(model="local/still", prompt="Anything")


@pytest.fixture
def lasting(studio: StudioProcess) -> Iterator[StudioProcess]:
    """The shared studio, with all its models again at the end."""
    yield studio
    studio.command("models", "restore", "local/dream")


def test_an_open_page_greys_what_is_gone_orders_nothing_in_its_place_and_hears_when_it_is_back(
    open_page: Open, lasting: StudioProcess, alice: Person
) -> None:
    page = open_page("/create", alice)
    page.get_by_label("Prompt").fill("Aurora above a dark forest")
    choose(page, "local/still", size="1280x720")
    choose(page, "local/dream", size="640x360", duration_s="2")
    expect(page.get_by_role("button", name="Generate · 4 tokens")).to_be_enabled()
    retire(lasting, alice)
    gone = page.locator(".offer.off", has=page.locator("[value='local/dream']"))
    expect(gone).to_contain_text(WHY)
    expect(page.get_by_role("button", name="Generate · choose a model")).to_be_disabled()
    expect(page.locator("#said")).to_have_text(WHY)
    expect(page.get_by_label("Prompt")).to_have_value("Aurora above a dark forest")
    choose(page, "local/still")
    expect(page.locator("[name='local/still:size']")).to_have_value("1280x720")
    expect(page.get_by_role("button", name="Generate · 1 token")).to_be_enabled()
    assert lasting.command("models", "restore", "local/dream").startswith("local/dream: usable")
    expect(gone).to_have_count(0)
    expect(page.locator("input[value='local/still']")).to_be_checked()
    choose(page, "local/dream", duration_s="3")
    expect(page.get_by_role("button", name="Generate · 6 tokens")).to_be_enabled()
