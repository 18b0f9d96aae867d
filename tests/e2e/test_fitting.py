"""A source picture is seen as the model will get it, before it is ordered."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.conftest import Open
from e2e.studio import Person, StudioProcess
from e2e.test_creating import choose, picture

CATALOGUE = """
[[model]]
id = "local/drift"
[model.source]
sizes = ["1024x576", "576x1024", "768x768"]

[[model]]
id = "mine/small"
provider = "local"
upstream = "drift"
name = "Mine, small"
description = "The same, and whole pictures."
kind = "video"
prompt = "optional"
image = "required"
price = { base = 1 }
source = { side_px = 512, format = "png" }

[model.parameters]
size = { label = "Size", type = "choice", default = "640x360", choices = ["640x360"], unit = "px" }
duration_s = { label = "Duration", type = "integer", default = 1, minimum = 1, maximum = 2, unit = "s" }
motion = { label = "Camera move", type = "choice", default = "push-in", choices = ["push-in"] }
motion_strength = { label = "Strength of motion", type = "integer", default = 50, minimum = 1, maximum = 100 }

[[model]]
id = "mine/untouched"
provider = "local"
upstream = "drift"
name = "Mine, untouched"
description = "The same, and the picture as it is."
kind = "video"
prompt = "optional"
image = "optional"
price = { base = 1 }
"""


@pytest.fixture(scope="module")
def fitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    """A studio whose models take pictures of exact sizes, at most of some size, and as they are."""
    data: Path = tmp_path_factory.mktemp("fitting") / "data"
    data.mkdir(mode=0o700)
    (data / "catalogue.toml").write_text(CATALOGUE)
    process = StudioProcess(data)
    try:
        process.set_up()
        yield process
    finally:
        process.stop()


@pytest.fixture
def bob(fitting: StudioProcess) -> Iterator[Person]:
    """A creator there."""
    person = fitting.someone("bob")
    yield person
    person.api.close()


def drop(page: Page, width: int, height: int) -> None:
    """Choose a picture of that size."""
    png = base64.b64decode(picture(page, width, height))
    page.locator("#image").set_input_files({"name": f"{width}.png", "mimeType": "image/png", "buffer": png})


def ratio(frame: Locator) -> float:
    """Of the sides as they are on the screen."""
    box = frame.bounding_box()
    assert box is not None
    return box["width"] / box["height"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_frame_has_the_shape_that_the_model_gets_and_follows_picture_and_model(
    open_page: Open, fitting: StudioProcess, bob: Person, width: int
) -> None:
    page = open_page("/create?model=local/drift", bob, fitting.base)
    page.set_viewport_size({"width": width, "height": 900})
    frame, line = page.locator("[data-preview] img"), page.locator("[data-fit]")
    said = (
        "For this model it is cropped around its centre to the nearest of 1024 × 576, 576 × 1024 and 768 × 768 pixels."
    )
    expect(line).to_have_text(said)
    for sides, text, shape in (
        ((1000, 500), "Cropped to 1024 × 576 for this model", 16 / 9),
        ((300, 700), "Cropped to 576 × 1024 for this model", 9 / 16),
        ((400, 401), "Cropped to 768 × 768 for this model", 1),
        ((400, 300), "Cropped to 1024 × 576 for this model", 16 / 9),
        ((640, 360), "Scaled to 1024 × 576 for this model", 16 / 9),
        ((3000, 200), "Cropped to 1024 × 576 for this model", 16 / 9),
    ):
        drop(page, *sides)
        expect(line).to_have_text(text)
        assert ratio(frame) == pytest.approx(shape, abs=0.02)
        expect(frame).to_have_css("object-fit", "cover" if text.startswith("Cropped") else "fill")
        assert page.evaluate("document.documentElement.scrollWidth") == width
    choose(page, "mine/small")
    expect(line).to_have_text("Scaled to 512 × 34 for this model")
    assert ratio(frame) > 4
    choose(page, "mine/untouched")
    expect(line).to_be_hidden()
    choose(page, "local/drift")
    expect(line).to_have_text("Cropped to 1024 × 576 for this model")
    assert ratio(frame) == pytest.approx(16 / 9, abs=0.02)
    page.get_by_role("button", name="Remove").click()
    expect(line).to_have_text(said)


def test_the_frame_is_what_is_rendered(open_page: Open, fitting: StudioProcess, bob: Person) -> None:
    page = open_page("/create?model=local/drift", bob, fitting.base)
    drop(page, 800, 400)
    choose(page, "local/drift", size="640x360", duration_s="1")
    page.get_by_role("button", name="Generate · 1 token").click()
    expect(page.locator(".job")).to_have_attribute("data-status", "succeeded")
    drop(page, 300, 40)
    page.get_by_role("button", name="Generate · 1 token").click()
    expect(page.locator("#w-image")).to_have_text("too small with 300 × 40 pixels: at least 64 on each side are needed")
    expect(page.locator("[data-fit]")).to_have_text("Cropped to 1024 × 576 for this model")


def test_a_picture_of_the_gallery_is_framed_by_its_original_size(
    open_page: Open, fitting: StudioProcess, bob: Person
) -> None:
    still = bob.finished(model="local/still", prompt="A pier", parameters={"size": "1024x1024"})
    page = open_page(f"/create?source={still}&model=local/drift", bob, fitting.base)
    expect(page.locator("[data-fit]")).to_have_text("Scaled to 768 × 768 for this model")
    choose(page, "mine/small")
    expect(page.locator("[data-fit]")).to_have_text("Scaled to 512 × 512 for this model")
    page.get_by_role("link", name="Remove").click()
    expect(page.locator("[data-fit]")).to_contain_text("made smaller where a side is longer than 512 pixels")


def test_without_scripts_a_sentence_at_the_field_says_what_becomes_of_the_picture(
    open_page: Open, fitting: StudioProcess, bob: Person
) -> None:
    page = open_page("/create?model=local/drift", bob, fitting.base, java_script_enabled=False)
    drift = page.locator(".drop").get_by_text(
        "For Local drift it is cropped around its centre to the nearest of 1024 × 576"
    )
    expect(drift).to_be_visible()
    small = page.locator(".drop").get_by_text(
        "For Mine, small it is made smaller where a side is longer than 512 pixels."
    )
    expect(small).to_be_visible()
    expect(page.locator(".drop").get_by_text("untouched")).to_have_count(0)
    live = open_page("/create?model=local/drift", bob, fitting.base)
    expect(live.locator("[data-fit]")).to_be_visible()
    expect(live.locator(".takes").first).to_be_hidden()
