"""A link with a password and the frame on another site, in a real browser."""

from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from playwright.sync_api import Browser, expect

from e2e.conftest import PATIENCE_MS, Open
from e2e.studio import Person, StudioProcess

PASSWORD = "open sesame"


def shared(alice: Person, visibility: str) -> str:
    """A picture of alice's."""
    return alice.finished(model="local/still", prompt="A violet aurora", visibility=visibility)


def test_whoever_has_the_link_types_its_password_and_sees_a_private_picture(open_page: Open, alice: Person) -> None:
    item = shared(alice, "private")
    made = alice.api.post(f"/api/media/{item}/share-links", json={"password": PASSWORD}).json()
    page = open_page(made["url"])
    for typed in ("not that one", PASSWORD):
        expect(page.locator("h1")).to_have_text("Shared with you")
        page.get_by_label("Password of the link").fill(typed)
        page.get_by_role("button", name="Open").click()
    expect(page.locator("main")).to_contain_text("violet aurora")
    assert page.locator(".screen img").evaluate("async (e) => (await e.decode(), e.naturalWidth)") > 0
    assert alice.api.delete(f"/api/share-links/{made['link']['id']}").status_code == 204
    page.reload()
    expect(page.locator("h1")).to_have_text("Not found")


@contextmanager
def elsewhere(page: str) -> Generator[str]:
    """Another site with one page; gives its address."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Site) as site:
        thread = Thread(target=site.serve_forever)
        thread.start()
        yield f"http://localhost:{site.server_port}/"
        site.shutdown()
        thread.join()


def test_the_frame_shows_on_another_site_what_the_page_does_not(
    browser: Browser, studio: StudioProcess, alice: Person
) -> None:
    item = shared(alice, "public")
    frames = "".join(f'<iframe src="{studio.base}/{path}/{item}"></iframe>' for path in ("embed", "m"))
    context = browser.new_context()
    context.add_cookies(alice.cookies)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with elsewhere(f"<!doctype html><title>Elsewhere</title>{frames}") as address:
        page.goto(address)
        embed, framed = page.frame_locator("iframe").first, page.frame_locator("iframe").last
        shown = "async (e) => (await e.decode(), e.naturalWidth)"
        assert embed.locator("img").evaluate(shown) > 0
        expect(framed.locator("body")).to_contain_text("refused to connect")
    context.close()
