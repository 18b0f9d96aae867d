"""A real Chromium and a real studio. What a browser complains of fails the test that it was in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from e2e.studio import Person, StudioProcess

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)

Open = Callable[..., Page]


# Not for the session: while it lives it keeps an event loop running, and other rooms' tests want their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}: no page was looked at in a browser (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    """A studio that has been set up, shared by the tests."""
    process = StudioProcess(tmp_path_factory.mktemp("e2e") / "data")
    try:
        process.set_up()
        yield process
    finally:
        process.stop()


@pytest.fixture
def alice(studio: StudioProcess) -> Iterator[Person]:
    """A creator."""
    person = studio.someone("alice")
    yield person
    person.api.close()


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a page in a browser of its own: of a person, or of a stranger, on some studio (the shared one if none is given)."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(path: str, person: Person | None = None, base: str | None = None, **options: Any) -> Page:
        base = base or request.getfixturevalue("studio").base
        context = browser.new_context(base_url=base, viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if person is not None:
            context.add_cookies(person.cookies)
        _listen(context, urlsplit(base).netloc, complaints)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def _listen(context: BrowserContext, host: str, complaints: list[str]) -> None:
    """Collect script errors, refusals by the security policy, failed answers, and requests to other hosts."""

    def said(message: ConsoleMessage) -> None:
        # A form that is refused answers 401 or 422 with the page that says why; Chromium prints that as an error.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        if urlsplit(request.url.removeprefix("blob:")).netloc != host:
            complaints.append(f"foreign request: {request.url[:100]}")

    def answered(response: Response) -> None:
        if response.status >= 500:
            complaints.append(f"{response.status} for {response.url}")

    context.on("console", said)
    context.on("weberror", lambda error: complaints.append(f"script: {error.error}"))
    context.on("request", asked)
    context.on("response", answered)
