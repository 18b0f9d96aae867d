"""Every route, every kind of viewer, every state of an item, every file: who gets what is spelled out here.

A route that is not in the tables below fails the first test: whoever adds one says what it may show.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio

from cast import facts, grant, person, wish
from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility
from mutoscope.domain.people import Person
from web.answers import code
from web.house import House, content, open_house

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILES = {"GET /media/{media_id}/{variant}", "HEAD /media/{media_id}/{variant}"}
RECORDS = {"GET /api/media/{media_id}", "GET /m/{id}", "POST /api/media/{media_id}/view"}
CHANGES = {
    "PATCH /api/media/{media_id}",
    "DELETE /api/media/{media_id}",
    "POST /api/media/{media_id}/restore",
    "POST /m/{id}",
    "POST /m/{id}/trash",
    "POST /m/{id}/restore",
}
JOBS = {
    "GET /api/generations/{generation_id}",
    "POST /api/generations/{generation_id}/cancel",
    "POST /api/generations/{generation_id}/retry",
    "GET /jobs/{id}",
    "POST /jobs/{id}/cancel",
    "POST /jobs/{id}/retry",
}
LISTS = {"GET /api/media", "GET /", "GET /gallery"}
"""What everyone may browse."""
OWN = {
    "GET /api/me",
    "GET /api/keys",
    "GET /api/sessions",
    "GET /api/tokens",
    "GET /api/tokens/entries",
    "GET /api/generations",
    "GET /library",
    "GET /library/trash",
    "GET /tokens",
    "GET /account",
}
"""About whoever asks, and about nobody else; strangers are sent to sign in."""
APART = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /api/openapi.json",
    "GET /api/docs",
    "GET /api/models",
    "GET /api/categories",
    "GET /assets/{digest}/{name}",
    "GET /create",
    "GET /sign-in",
    "GET /register",
    "GET /set-up",
    "GET /reset",
}
"""Shows no item and no person."""
ELSEWHERE = (
    {
        "GET /api/events": "tests/web/test_events.py: ids and versions alone, and to whom",
        "POST /api/generations": "below: a source has to be open to whoever names it",
        "POST /create": "the same service as POST /api/generations",
        "POST /api/quotes": "takes no id",
        "POST /api/tokens/grants": "tests/security/test_bad_input.py: administrators alone",
        "POST /hooks/{provider}/{reference}": "tests/web/test_hooks.py: verified calls of providers alone, and no answer tells",
        "GET /api/admin/outcomes": "tests/web/test_outcomes.py: administrators alone",
        "POST /api/admin/outcomes/{generation_id}": "tests/web/test_outcomes.py: administrators alone",
        "POST /api/media/{media_id}/unlock": "tests/web/test_unlocking.py: what is gone or private cannot be bought",
        "POST /m/{id}/unlock": "the same service as POST /api/media/{media_id}/unlock",
        "PATCH /api/media": "tests/web/test_unlocking.py: each item by the rights of PATCH /api/media/{media_id}",
        "GET /api/admin/unlocks": "tests/web/test_unlocking.py: administrators alone",
        "POST /api/admin/unlocks/{unlock_id}/refund": "tests/web/test_unlocking.py: administrators alone",
    }
    | dict.fromkeys(
        (
            "POST /api/keys",
            "DELETE /api/keys/{key_id}",
            "DELETE /api/sessions",
            "DELETE /api/sessions/{session_id}",
            "POST /account/keys",
            "GET /api/admin/invites",
            "POST /api/admin/invites",
            "DELETE /api/admin/invites/{invite_id}",
            "POST /account/invites",
            "POST /api/admin/reset-links",
            "POST /api/auth/reset",
            "POST /reset",
            "POST /account/invites/{id}/revoke",
            "POST /account/keys/{id}/revoke",
            "POST /account/sessions/{id}/end",
            "POST /account/sessions/end-others",
        ),
        "tests/web/test_keys.py, tests/web/test_invites.py, tests/security/test_resets.py, tests/security/test_key_scopes.py: nothing of items",
    )
    | {
        f"POST {path}": "tests/web/test_auth.py and tests/web/pages: nothing of items"
        for path in (
            "/api/auth/set-up",
            "/api/auth/register",
            "/api/auth/sign-in",
            "/api/auth/sign-in-link",
            "/api/auth/sign-out",
            "/api/auth/sign-out-everywhere",
            "/api/auth/password",
            "/api/auth/token",
            "/sign-in",
            "/sign-in/link",
            "/register",
            "/set-up",
            "/sign-out",
            "/account/password",
            "/account/sign-out-everywhere",
        )
    }
)

LOCKED = ("locked", "locked unlisted", "locked private", "locked trashed", "locked hidden")
STATES = ("public", "unlisted", "private", "trashed", "hidden", *LOCKED)
PAYERS = ("buyer", "refunded")
"""Both bought every locked item before it came to its state; the second got the tokens back."""
WITH_ALICES = ("signed for alice", "bob with alice's")
"""Who have come by the address that alice was given for her own."""
VIEWERS = ("stranger", "bob", "alice", "carol", "suspended", "signed", "signed for another", *WITH_ALICES, *PAYERS)
SIGNED_IN = ("alice", "bob", "carol", "bob with alice's", *PAYERS)

EVERYONE = frozenset(VIEWERS)
INSIDERS = frozenset({"alice", "carol"})
PAID = INSIDERS | {"buyer"}

MAY_SEE_RECORD = {
    "public": EVERYONE,
    "unlisted": EVERYONE,
    "private": INSIDERS,
    "trashed": INSIDERS,
    "hidden": INSIDERS,
    "locked": EVERYONE,
    "locked unlisted": EVERYONE,
    "locked private": PAID,
    "locked trashed": INSIDERS,
    "locked hidden": INSIDERS,
}
MAY_SEE_ALL = MAY_SEE_RECORD | {"locked": PAID, "locked unlisted": PAID}
"""Prompt, settings, and words that came from the prompt."""
MAY_HAVE_FILES = {
    "public": EVERYONE,
    "unlisted": EVERYONE,
    "private": INSIDERS,
    "trashed": INSIDERS,
    "hidden": INSIDERS,
    "locked": PAID,
    "locked unlisted": PAID,
    "locked private": PAID,
    "locked trashed": INSIDERS,
    "locked hidden": INSIDERS,
}
MAY_HAVE_BLURRED = MAY_HAVE_FILES | {"locked": EVERYONE, "locked unlisted": EVERYONE}
LISTED = {"public", "locked"}


class Gallery:
    """Alice's items, one in each state, and those who look at them."""

    def __init__(self, house: House, items: dict[str, Media], payers: dict[str, Person], suspended: str) -> None:
        self.house, self.items, self._payers, self._suspended = house, items, payers, suspended

    @asynccontextmanager
    async def viewer(self, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of that viewer's."""
        people = {"bob": self.house.bob, "alice": self.house.alice, "carol": self.house.carol} | self._payers
        people["bob with alice's"] = self.house.bob
        headers = self.house.bearer(people[name]) if name in people else {}
        if name == "suspended":
            headers = {"Cookie": self._suspended, "Sec-Fetch-Site": "same-origin"}
        async with self.house.client(headers) as client:
            yield client

    def address(self, viewer: str, state: str, variant: Variant) -> str:
        """Where that viewer asks for a file."""
        item, addresses = self.items[state], self.house.studio.addresses
        if viewer == "signed":
            return addresses.path(item, variant)
        if viewer in WITH_ALICES:
            return addresses.path(item, variant, self.house.alice.id)
        if viewer == "signed for another":
            other = self.items["public" if state != "public" else "unlisted"]
            return f"/media/{item.id}/{variant}?" + addresses.path(other, variant).partition("?")[2]
        return f"/media/{item.id}/{variant}"


def words(state: str) -> dict[str, str]:
    """The words of an item that can be looked for in answers."""
    return {
        "prompt": f"prompt-of-{state.replace(' ', '-')}-item",
        "title": f"Title of {state} item",
        "description": f"Said of {state} item",
    }


def withheld(state: str, item: Media) -> list[bytes]:
    """What must not be in an answer to somebody who may not see what is withheld."""
    texts = [
        *words(state).values(),
        *(tag for tag in item.tags if "secret" in tag),
        item.facts.sha256,
        item.placeholder,
    ]
    return [text.encode() for text in texts] + [content(item.id, variant)[:32] for variant in Variant]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gallery(tmp_path_factory: pytest.TempPathFactory, darkroom: Darkroom) -> AsyncIterator[Gallery]:
    """The cast and the items; nothing here changes them."""
    async with open_house(tmp_path_factory.mktemp("walk"), darkroom) as house:
        payers = {name: person(name) for name in PAYERS}
        for payer in payers.values():
            await house.store.people.add(payer, grant(payer, 100))
        items: dict[str, Media] = {}
        for number, state in enumerate(STATES):
            own = {"placeholder": f"placeholder-of-{state}", "facts": facts(sha256="0123456789abcdef"[number] * 64)}
            item = await house.published(
                house.alice,
                Visibility.UNLISTED if "unlisted" in state else Visibility.PUBLIC,
                tags=("ai-generated", f"secret-{state.replace(' ', '-')}"),
                seed=4_000_000_000 + number,
                **own,
                **words(state),
            )
            items[state] = await bring_to(house, item, state, payers)
        dave = person("dave")
        await house.store.people.add(dave, None)
        cookie = await house.session(dave)
        await house.studio.accounts.suspend(house.carol, "dave")
        yield Gallery(house, items, payers, cookie)


async def bring_to(house: House, item: Media, state: str, payers: dict[str, Person]) -> Media:
    """The item in that state; a locked one was bought before by those who pay."""
    if "locked" in state:
        item = await house.change(item, unlock_price=5)
        for name, payer in payers.items():
            unlock, _ = await house.store.unlocks.buy(wish(payer, item), 20, house.clock.now())
            if name == "refunded":
                await house.store.unlocks.refund(unlock.id, house.clock.now())
    changes = {"trashed": {"trashed_at": 1}, "hidden": {"hidden": True}, "private": {"visibility": Visibility.PRIVATE}}
    for word in changes.keys() & state.split():
        item = await house.change(item, **changes[word])
    found = await house.store.media.get(item.id)
    assert found is not None
    return found


def refused(answer: httpx2.Response) -> bool:
    """Whether nothing was shown or done: an error, or the way to the sign-in page."""
    return answer.status_code >= 400 or (
        answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    )


async def test_every_route_is_in_these_tables(gallery: Gallery) -> None:
    routes = {
        f"{method} {route.path_format}"
        for route in gallery.house.app.routes
        for method in (getattr(route, "methods", None) or set()) - {"OPTIONS"}
    }
    tables = [FILES, RECORDS, CHANGES, JOBS, LISTS, OWN, APART, set(ELSEWHERE)]
    assert routes == set().union(*tables)
    assert sum(len(table) for table in tables) == len(routes), "a route stands in two tables"


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("state", STATES)
async def test_files_open_to_whom_the_table_says_and_to_nobody_else(gallery: Gallery, state: str, viewer: str) -> None:
    item = gallery.items[state]
    async with gallery.viewer(viewer) as client:
        for variant in Variant:
            address = gallery.address(viewer, state, variant)
            whole, part, head = (
                await client.get(address),
                await client.get(address, headers={"Range": "bytes=0-1"}),
                await client.head(address),
            )
            if viewer in (MAY_HAVE_BLURRED if variant in BLURRED else MAY_HAVE_FILES)[state]:
                assert (whole.status_code, whole.content) == (200, content(item.id, variant))
                assert (part.status_code, part.content) == (206, content(item.id, variant)[:2])
                assert (head.status_code, head.content) == (200, b"")
            else:
                assert code(whole) == code(part) == (404, "not_found")
                assert head.status_code == 404
                for answer in (whole, part, head):
                    assert "etag" not in answer.headers
                    assert not [secret for secret in withheld(state, item) if secret in answer.content]


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("state", STATES)
async def test_records_show_to_each_viewer_what_the_table_says(gallery: Gallery, state: str, viewer: str) -> None:
    item = gallery.items[state]
    sees_all = viewer in MAY_SEE_ALL[state]
    async with gallery.viewer(viewer) as client:
        for route in sorted(RECORDS):
            method, path = route.split(" ")
            answer = await client.request(method, path.format(media_id=item.id, id=item.id))
            assert (answer.status_code in (200, 204)) is (viewer in MAY_SEE_RECORD[state]), route
            if answer.status_code == 200 and sees_all:
                assert words(state)["prompt"] in answer.text, route
            if not sees_all:
                assert not [secret for secret in withheld(state, item) if secret in answer.content], route
                assert str(item.seed) not in answer.text, route


async def test_a_locked_record_gives_a_stranger_the_blurred_files_and_nothing_of_the_original(
    gallery: Gallery,
) -> None:
    async with gallery.viewer("stranger") as client:
        view = (await client.get(f"/api/media/{gallery.items['locked'].id}")).json()
    assert (view["locked"], set(view["urls"]), view["url"]) == (True, set(BLURRED), None)
    gone = (
        "prompt",
        "negative_prompt",
        "seed",
        "parameters",
        "model",
        "provider",
        "sha256",
        "placeholder",
        "generation",
        "size_bytes",
        "mime_type",
        "codec",
        "fps",
        "has_audio",
        "category_selections",
    )
    assert [view[name] for name in gone] == [None] * len(gone)
    assert (view["tags"], view["description"]) == ([], "")


@pytest.mark.parametrize("viewer", sorted(EVERYONE - INSIDERS))
@pytest.mark.parametrize("state", STATES)
async def test_nobody_but_the_owner_and_administrators_changes_an_item(
    gallery: Gallery, state: str, viewer: str
) -> None:
    item = gallery.items[state]
    async with gallery.viewer(viewer) as client:
        for route in sorted(CHANGES):
            method, path = route.split(" ")
            body = {"json": {"title": "mine"}} if method == "PATCH" else {}
            if path == "/m/{id}":
                body = {"data": {"title": "mine", "tags": "", "visibility": "public", "version": "1"}}
            answer = await client.request(method, path.format(media_id=item.id, id=item.id), **body)
            assert refused(answer), route
            if viewer not in MAY_SEE_ALL[state]:
                assert not [secret for secret in withheld(state, item) if secret in answer.content], route
    kept = await gallery.house.store.media.get(item.id)
    assert kept is not None
    assert (kept.title, kept.trashed_at, kept.version) == (item.title, item.trashed_at, item.version)


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_a_job_is_its_owners_and_the_administrators(gallery: Gallery, viewer: str) -> None:
    async with gallery.viewer(viewer) as client:
        for state, item in gallery.items.items():
            for route in sorted(JOBS):
                method, path = route.split(" ")
                answer = await client.request(
                    method, path.format(generation_id=item.generation_id, id=item.generation_id)
                )
                if viewer not in INSIDERS:
                    assert refused(answer), route
                    assert not [secret for secret in withheld(state, item) if secret in answer.content], route
                elif method == "GET":
                    assert answer.status_code == 200, route
                    assert words(state)["prompt"] in answer.text, route


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_the_gallery_lists_what_is_listed_and_no_withheld_word(gallery: Gallery, viewer: str) -> None:
    async with gallery.viewer(viewer) as client:
        for route in sorted(LISTS):
            answer = await client.get(route.removeprefix("GET "))
            assert answer.status_code == 200
            for state, item in gallery.items.items():
                assert (item.id in answer.text) is (state in LISTED), f"{route} {state}"
                if state not in LISTED or viewer not in MAY_SEE_ALL[state]:
                    assert not [secret for secret in withheld(state, item) if secret in answer.content], (
                        f"{route} {state}"
                    )


@pytest.mark.parametrize("viewer", sorted(EVERYONE - INSIDERS))
async def test_a_withheld_word_finds_nothing(gallery: Gallery, viewer: str) -> None:
    locked = gallery.items["locked"]
    asked = [
        {"q": words("locked")["prompt"]},
        {"q": "locked"},
        {"q": "prom* locked*"},
        {"tag": "secret-locked"},
        {"q": "tag:secret-locked"},
        {"owner": "alice", "model": "local/dream"},
        {"q": "kind:video -lighthouse model:local/dream"},
    ]
    async with gallery.viewer(viewer) as client:
        for params in asked:
            for path in ("/api/media", "/gallery") if "q" in params else ("/api/media",):
                assert locked.id not in (await client.get(path, params=params)).text, params
        # An exclusion must not tell either: the item is there with the word excluded, as with any other word.
        for word in (words("locked")["prompt"], "anything-else"):
            assert locked.id in (await client.get("/api/media", params={"q": f"-{word}"})).text


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_what_is_ones_own_is_nobody_elses(gallery: Gallery, viewer: str) -> None:
    async with gallery.viewer(viewer) as client:
        for route in sorted(OWN):
            answer = await client.get(route.removeprefix("GET "))
            assert refused(answer) is (viewer not in SIGNED_IN), route
            if viewer != "alice":
                for state, item in gallery.items.items():
                    # A statement names what was paid for, by its id alone.
                    paid_for = state in LOCKED and viewer in PAYERS and "tokens" in route
                    assert item.id not in answer.text or paid_for, f"{route} {state}"
                    assert not [secret for secret in withheld(state, item) if secret in answer.content], route


async def test_what_is_apart_shows_no_item_and_no_person(gallery: Gallery) -> None:
    async with gallery.viewer("stranger") as client:
        for route in sorted(APART):
            answer = await client.get(route.removeprefix("GET ").format(digest="x", name="studio.css"))
            for state, item in gallery.items.items():
                for secret in [item.id.encode(), *withheld(state, item), b"alice", b"carol"]:
                    assert secret not in answer.content, f"{route} {state}"


@pytest.mark.parametrize("state", STATES)
async def test_a_source_has_to_be_open_to_whoever_names_it(gallery: Gallery, state: str) -> None:
    order = {"model": "local/drift", "source_media": gallery.items[state].id}
    async with gallery.viewer("bob") as client:
        answer = await client.post("/api/generations", json=order)
    # The items are films, so that nobody gets further than this.
    assert code(answer) == ((422, "bad_media") if state in ("public", "unlisted") else (404, "not_found"))
    assert not [secret for secret in withheld(state, gallery.items[state]) if secret in answer.content]
