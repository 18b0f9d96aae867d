"""Ordering in a browser: prompt and picture in, film out, playing in place."""

import base64

from playwright.sync_api import Page, expect

from e2e.conftest import Open
from e2e.studio import GRANTED, Person

PLAYS = """async () => {
  const film = document.querySelector("video");
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 36 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const until = async (true_) => {
    const patience = performance.now() + 10_000;
    while (!true_()) {
      if (performance.now() > patience) throw new Error(`still at ${film.currentTime}, ready ${film.readyState}`);
      await new Promise(requestAnimationFrame);
    }
  };
  const frame = () => {
    pen.drawImage(film, 0, 0, 64, 36);
    return pen.getImageData(0, 0, 64, 36).data.join();
  };
  await until(() => film.currentTime > 0.05);
  const at = film.currentTime, first = frame();
  await until(() => Math.abs(film.currentTime - at) > 0.3);
  return { moved: frame() !== first, lit: new Set(first.split(",")).size };
}"""


def assert_plays(page: Page) -> None:
    """The one film on the page goes on, and its pictures change."""
    seen = page.evaluate(PLAYS)
    assert seen["moved"]
    assert seen["lit"] > 8


def choose(page: Page, model: str, **fields: str) -> None:
    """Choose a model and fill in its own fields."""
    page.locator(f"input[value='{model}']").check(force=True)
    for name, value in fields.items():
        field = page.locator(f"[name='{model}:{name}']")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def picture(page: Page, width: int = 320, height: int = 180) -> str:
    """A PNG, drawn by the browser, as base64."""
    return page.evaluate(
        """([width, height]) => {
          const canvas = Object.assign(document.createElement("canvas"), { width, height });
          const pen = canvas.getContext("2d");
          for (let x = 0; x < width; x += 8) { pen.fillStyle = `hsl(${x} 70% 50%)`; pen.fillRect(x, 0, 8, height * (0.3 + (x % 64) / 100)); }
          return canvas.toDataURL("image/png").split(",")[1];
        }""",
        [width, height],
    )


def test_a_film_from_a_prompt_shows_its_way_and_ends_playing_in_place(open_page: Open, alice: Person) -> None:
    page = open_page("/create", alice)
    page.get_by_label("Prompt").fill("Aurora above a dark forest")
    choose(page, "local/dream", size="640x360", duration_s="2")
    expect(page.get_by_role("button", name="Generate · 4 tokens")).to_be_visible()
    page.get_by_role("button", name="Generate").click()
    job = page.locator(".job")
    expect(job).to_have_attribute("data-status", "in_progress")
    expect(job.locator("progress")).to_be_visible()
    expect(page.locator(".purse b")).to_have_text(str(GRANTED - 4))
    expect(job).to_have_attribute("data-status", "succeeded")
    assert_plays(page)
    expect(page.get_by_label("Prompt")).to_have_value("Aurora above a dark forest")
    assert alice.balance() == {"available": GRANTED - 4, "held": 0}


def test_a_dropped_picture_becomes_a_film(open_page: Open, alice: Person) -> None:
    page = open_page("/create", alice)
    transfer = page.evaluate_handle(
        """(png) => {
          const transfer = new DataTransfer();
          const bytes = Uint8Array.from(atob(png), (char) => char.charCodeAt(0));
          transfer.items.add(new File([bytes], "stripes.png", { type: "image/png" }));
          return transfer;
        }""",
        picture(page),
    )
    page.dispatch_event("#composer", "drop", {"dataTransfer": transfer})
    expect(page.locator("input[value='local/drift']")).to_be_checked()
    expect(page.get_by_text("stripes.png")).to_be_visible()
    choose(page, "local/drift", size="640x360", duration_s="1")
    page.get_by_role("button", name="Generate · 1 token").click()
    expect(page.locator(".job")).to_have_attribute("data-status", "succeeded")
    assert_plays(page)


def test_a_picture_of_the_gallery_becomes_a_film(open_page: Open, alice: Person) -> None:
    still = alice.finished(model="local/still", prompt="A pier", parameters={"size": "1280x720"})
    page = open_page(f"/m/{still}", alice)
    page.get_by_role("link", name="Make a film of it").click()
    expect(page.get_by_text("From the gallery: A pier")).to_be_visible()
    choose(page, "local/drift", size="640x360", duration_s="1")
    page.get_by_role("button", name="Generate · 1 token").click()
    made = page.locator(".job").first
    expect(made).to_contain_text("Without words")
    expect(made).to_have_attribute("data-status", "succeeded")


def test_a_canceled_job_gives_the_tokens_back_and_can_be_ordered_again(open_page: Open, alice: Person) -> None:
    job = alice.order(model="local/dream", prompt="Too long", parameters={"size": "1920x1080", "duration_s": 10})
    page = open_page("/create", alice)
    card = page.locator(f"#{job}")
    expect(card.get_by_text("Costs nothing")).to_be_visible()
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_have_attribute("data-status", "canceled")
    expect(card).to_contain_text("Your tokens are back.")
    expect(page.locator(".purse b")).to_have_text(str(GRANTED))
    card.get_by_role("button", name="Try again").click()
    again = page.locator(".job").first
    expect(again).not_to_have_attribute("id", job)
    again.get_by_role("button", name="Cancel").click()
    expect(again).to_have_attribute("data-status", "canceled")
    assert alice.balance() == {"available": GRANTED, "held": 0}


def test_what_is_wrong_stands_at_the_field_and_nothing_typed_is_lost(open_page: Open, alice: Person) -> None:
    page = open_page("/create", alice)
    page.get_by_label("Prompt").fill("A harbour")
    choose(page, "local/drift", duration_s="3")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#w-image")).to_have_text("Local drift starts from a picture: choose one")
    expect(page.get_by_label("Prompt")).to_have_value("A harbour")
    expect(page.locator("[name='local/drift:duration_s']")).to_have_value("3")
    page.locator("#image").set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"this is no picture"})
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#w-image")).to_contain_text("not a picture")
    expect(page.get_by_text("no.png")).to_be_visible()
    assert alice.balance() == {"available": GRANTED, "held": 0}


def test_without_scripts_a_picture_is_ordered_by_form_after_its_true_price_was_shown(
    open_page: Open, alice: Person
) -> None:
    page = open_page("/create", alice, java_script_enabled=False)
    expect(page.locator("[name='local/dream:duration_s']")).to_be_hidden()
    page.get_by_label("Prompt").fill("Dunes at noon")
    page.get_by_label("Results").fill("2")
    page.get_by_role("button", name="Generate · 1 token").click()
    expect(page.get_by_role("alert")).to_contain_text("This costs 2 tokens")
    assert alice.balance()["available"] == GRANTED
    page.get_by_role("button", name="Generate · 2 tokens").click()
    expect(page.locator(".job .ask")).to_have_text("Dunes at noon")
    job = page.locator(".job").get_attribute("id")
    assert job is not None
    alice.wait(job)
    page.reload()
    expect(page.locator(".job.succeeded img")).to_have_count(2)
    page.get_by_role("link", name="Open 1").click()
    expect(page.get_by_role("heading", name="Dunes at noon")).to_be_visible()
    expect(page.locator(".screen img")).to_have_js_property("naturalWidth", 1024)


def test_a_source_picture_that_was_chosen_without_scripts_is_taken(open_page: Open, alice: Person) -> None:
    page = open_page("/create?model=local/drift", alice, java_script_enabled=False)
    png = base64.b64decode(picture(open_page("/sign-in")))
    page.locator("#image").set_input_files({"name": "stripes.png", "mimeType": "image/png", "buffer": png})
    choose(page, "local/drift", duration_s="1")
    page.get_by_role("button", name="Generate · 5 tokens").click()
    expect(page.locator(".job")).to_have_count(1)
    assert alice.balance()["available"] == GRANTED - 1
