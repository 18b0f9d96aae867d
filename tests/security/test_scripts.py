"""Script in every text field that somebody can write, looked for on every page and in every answer, and in what is said back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
import pytest_asyncio

import journey
from cast import facts
from mutoscope.domain.generation import Failure, FailureKind, State
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Kind, Media
from mutoscope.domain.rights import Viewer
from mutoscope.services.sharing import Wish
from mutoscope.web.openapi import describe
from security.markup import MARK, PLANT, REACHED, RUNS, pieces, what_runs
from web.house import BASE, OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROWSER = {"Accept": "text/html", **OUR_PAGE}
DATA = ("application/json", "application/problem+json")


def judge(answer: httpx2.Response, what: str) -> bool:
    """Whether it shows what was planted; whatever it shows, it is data or a page in which nothing of that runs."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert answer.status_code < 500 or answer.status_code == 501, what  # what oEmbed wants said of a format
    assert answer.headers["x-content-type-options"] == "nosniff", what
    for name, value in answer.headers.items():
        assert "<" not in value or name == "content-disposition", (what, name, value)
        assert name not in ("x-planted", "planted"), what
    if MARK not in answer.text:
        return False
    if kind == DATA[0] and "html" in answer.json():
        frame, *more = what_runs(answer.json()["html"])  # which other sites take into their pages as it is
        assert frame.startswith(f"<iframe {{'src': '{BASE}/embed/med_"), what
        assert more == [], what
    if kind == "text/html":
        assert what_runs(answer.text) == [], what
        assert REACHED not in answer.text, what
    else:
        assert kind in DATA, f"{what}: {kind}"
    return True


class Planted:
    """A house in which every text that can be written is script."""

    def __init__(self, house: House, items: Sequence[Media], failed: str) -> None:
        self.house, self.items, self.failed = house, items, failed
        self.collections: list[str] = []
        self.opens: dict[str, str] = {}  # the paths of share links, by what they lead to

    async def browsers(self) -> AsyncIterator[tuple[str, httpx2.AsyncClient]]:
        """Those who look: the one who wrote it, an administrator, somebody else and a visitor."""
        people = {"alice": self.house.alice, "carol": self.house.carol, "bob": self.house.bob, "visitor": None}
        for name, who in people.items():
            cookie = {"Cookie": await self.house.session(who)} if who else {}
            for headers in (BROWSER | cookie, self.house.bearer(who) if who else {}):
                async with self.house.client(headers) as client:
                    yield name, client


@pytest_asyncio.fixture(loop_scope="session")
async def planted(house: House) -> Planted:
    """Written over REST, wherever the interface takes text; what a provider says, and a browser's name for itself, beside that."""
    kinds = list(Kind)
    items = [
        await house.published(house.alice, prompt=run, facts=facts(kinds[number % len(kinds)]))
        for number, run in enumerate((*RUNS, *RUNS[:1]))
    ]
    failed = await refused_by_its_provider(house)
    async with house.client({"Cookie": await house.session(house.alice), "User-Agent": PLANT} | OUR_PAGE) as client:
        for item, run in zip(items, (*RUNS, *RUNS[:1]), strict=True):
            edit = {"title": run, "description": PLANT, "tags": [run, PLANT[:60]], "category": run}
            taken = await client.patch(f"/api/media/{item.id}", json=edit)
            assert taken.status_code == 200, taken.text
        order = {"model": "local/dream", "prompt": PLANT, "category_selections": {}, "negative_prompt": ""}
        made = await client.post("/api/generations", json=order, headers={"Idempotency-Key": RUNS[0]})
        assert made.status_code == 202, made.text
        await client.post("/api/auth/sign-in", json={"name": PLANT, "password": PLANT})
        for run in pieces(PLANT, 60):
            await client.post("/api/keys", json={"name": run, "scopes": ["read"]})
        assert MARK in (await client.get("/api/keys")).text
    await house.studio.sessions.open(house.alice, PLANT)
    async with house.as_(house.carol) as client:
        for number, run in enumerate(pieces(PLANT, 200)):
            assert (await client.post("/api/admin/invites", json={"note": run})).status_code == 201
            given = {"name": "alice", "amount": 1, "memo": run}
            answer = await client.post("/api/tokens/grants", json=given, headers={"Idempotency-Key": f"{number}{run}"})
            assert answer.status_code == 200, answer.text
    planted = Planted(house, items, failed)
    await collect_and_share(planted)
    return planted


async def collect_and_share(planted: Planted) -> None:
    """Collections with each of the texts, in which the items are, liked; links to an item and a collection, one with a password."""
    house, item = planted.house, planted.items[0]
    owner, ids = Viewer(person_id=house.alice.id), [item.id for item in planted.items]
    async with house.as_(house.alice) as client:
        for run in RUNS:
            words = {"title": run, "description": PLANT, "visibility": "public"}
            made = await client.post("/api/collections", json=words)
            assert made.status_code == 201, made.text
            planted.collections.append(made.json()["id"])
            await house.studio.collections.add(owner, planted.collections[-1], ids)
        for id in ids:
            assert (await client.put(f"/api/media/{id}/like")).status_code == 200
    collection = planted.collections[0]
    for name, target, wish in (
        ("item", item.id, Wish()),
        ("collection", collection, Wish()),
        ("asking", collection, Wish(password=PLANT[:60])),
    ):
        _, secret = await house.studio.sharing.create(house.alice, target, wish)
        planted.opens[name] = f"/s/{secret}"


async def refused_by_its_provider(house: House) -> str:
    """A job that failed with what a provider says, in markup. Returns its id."""
    said = {"prompt": PLANT, "negative_prompt": PLANT, "category_selections": {PLANT: [PLANT]}}
    job = await journey.at(house.store, house.alice, State.RENDERING, house.clock.now(), **said)
    failure = Failure(kind=FailureKind.INVALID, message=PLANT, detail=PLANT)
    now = house.clock.now()
    await house.store.generations.finish(job.id, job.fence, State.RENDERING, State.FAILED, now, failure)
    return job.id


def reads() -> list[str]:
    """Every address that answers GET with text, of the interface and of the pages."""
    paths = [path for path, operations in describe(BASE)["paths"].items() if "get" in operations]
    return [path for path in paths if path != "/api/events" and not path.startswith("/media/")]


PAGES = (
    "/", "/gallery", "/library", "/library/trash", "/library/likes", "/collections", "/create", "/tokens", "/activity",
    "/account", "/sign-in", "/register", "/set-up", "/forgot", "/reset", "/api/docs",
)  # fmt: skip


async def test_what_was_written_runs_nowhere(planted: Planted) -> None:
    seen: set[tuple[str, str]] = set()
    ids = dict.fromkeys(("key_id", "invite_id", "session_id", "unlock_id", "link_id"), "x")
    first, collection, opens = planted.items[0], planted.collections[0], planted.opens
    ids |= {"media_id": first.id, "generation_id": first.generation_id, "collection_id": collection}
    own = [f"/jobs/{first.generation_id}", f"/jobs/{planted.failed}", f"/api/generations/{planted.failed}"]
    ways = ("/m/", "/create?from=", "/embed/", f"/oembed?url={BASE}/m/", f"{opens['collection']}/")
    own += [f"{way}{item.id}" for item in planted.items for way in ways]
    own += [f"{way}{id}" for id in planted.collections for way in ("/collections/", "/api/collections/")]
    own += opens.values()
    called = {first.id: "ITEM", planted.failed: "FAILED", collection: "COLLECTION"}
    called |= {path: f"OPENS {name.upper()}" for name, path in opens.items()}
    async for name, client in planted.browsers():
        for path in (*[path.format(**ids) for path in reads()], *PAGES, *own):
            for more in ({}, {"X-Fragment": "1"}):
                answer = await client.get(path, headers=more)
                if judge(answer, f"{name} {path} {more}"):
                    for what, word in called.items():
                        path = path.replace(what, word)
                    seen.add((path, answer.headers["content-type"].partition(";")[0]))
    assert seen >= {
        ("/", "text/html"), ("/library", "text/html"), ("/m/ITEM", "text/html"), ("/tokens", "text/html"),
        ("/account", "text/html"), ("/jobs/FAILED", "text/html"), ("/create?from=ITEM", "text/html"),
        ("/api/media", "application/json"), ("/api/media/ITEM", "application/json"), ("/api/keys", "application/json"),
        ("/api/sessions", "application/json"), ("/api/admin/invites", "application/json"),
        ("/api/tokens/entries", "application/json"), ("/api/generations", "application/json"),
        ("/api/generations/FAILED", "application/json"), ("/library/likes", "text/html"), ("/api/likes", "application/json"),
        ("/collections", "text/html"), ("/collections/COLLECTION", "text/html"), ("/api/collections", "application/json"),
        ("/api/collections/COLLECTION", "application/json"), ("/api/collections/COLLECTION/items", "application/json"),
        ("OPENS ITEM", "text/html"), ("OPENS COLLECTION", "text/html"), ("OPENS COLLECTION/ITEM", "text/html"),
        ("/embed/ITEM", "text/html"), (f"/oembed?url={BASE}/m/ITEM", "application/json"),
    }  # fmt: skip
    assert not any(
        path.startswith("OPENS ASKING") for path, _ in seen
    )  # who has not typed the password is told nothing


NAMED = (
    "media_id", "generation_id", "key_id", "invite_id", "session_id", "unlock_id", "collection_id", "link_id",
)  # fmt: skip
"""What stands in addresses of the interface."""
PARAMETERS = (
    "q",
    "next",
    "link",
    "secret",
    "invite",
    "prompt",
    "from",
    "source",
    "model",
    "tag",
    "sort",
    "cursor",
    "done",
)
PARAMETERS += (
    "url",
    "format",
    "direction",
    "scope",
    "status",
    "name",
    "owner",
    "category",
    "kind",
    "after",
    "limit",
    "media",
    "negative_prompt",
    "title",
)


@pytest.mark.parametrize("run", RUNS)
async def test_what_comes_in_an_address_is_said_back_as_text(lasting: House, run: str) -> None:
    ids = dict.fromkeys(NAMED, run)
    said = 0
    for cookie in ({}, {"Cookie": await lasting.session(lasting.carol)}):
        async with lasting.client(BROWSER | cookie) as client:
            for path in (*PAGES, *reads()):
                answer = await client.get(path.format(**ids), params=dict.fromkeys(PARAMETERS, run))
                said += judge(answer, path)
                for name in PARAMETERS if path in PAGES else ():
                    said += judge(await client.get(path, params={name: run}), f"{path} {name}")
            for path in (
                "/m/{}", "/jobs/{}", "/nothing/{}", "/assets/{}/x", "/media/{}/master", "/hooks/{}/x", "/embed/{}", "/s/{}",
                "/s/{}/x", "/collections/{}", f"/oembed?url={BASE}/m/{{}}", "/oembed?url={}", f"/oembed?url={BASE}/m/x&format={{}}",
            ):  # fmt: skip
                judge(await client.get(path.format(run)), path)
                judge(await client.get("/", headers={"X-Forwarded-Host": run, "Referer": run}), path)
    assert said > 10


FORMS: Mapping[str, tuple[str, ...]] = {
    "/sign-in": ("name", "password", "next"),
    "/sign-in/link": ("secret", "next"),
    "/register": ("name", "password", "invite", "next"),
    "/set-up": ("secret", "name", "password"),
    "/reset": ("secret", "password"),
    "/account/keys": ("name", "expires_in_days", "scope-read"),
    "/account/invites": ("uses", "days", "tokens", "note"),
    "/account/password": ("old", "new"),
    "/account/email": ("email", "password"),
    "/forgot": ("name",),
    "/collections": ("title", "description", "visibility"),
    "/collections/{collection}": ("title", "description", "visibility", "cover", "version"),
    "/collections/{collection}/move": ("item", "before", "after", "cursor"),
    "/collections/{collection}/remove": ("item", "cursor"),
    "/collections/{collection}/links": ("hours", "link_password"),
    "/m/{item}": ("title", "description", "tags", "visibility", "version", "unlock_price"),
    "/m/{item}/collect": ("collection",),
    "/m/{item}/links": ("hours", "link_password"),
    "/s/{secret}": ("password",),
    "/create": ("model", "prompt", "negative_prompt", "seed", "results", "visibility", "source_media"),
}


SAYS_BACK = (
    "/sign-in", "/register", "/account/email", "/collections", "/collections/{collection}", "/m/{item}",
)  # fmt: skip
"""Those that keep what was typed when it is refused."""


async def for_forms(house: House) -> dict[str, str]:
    """What stands in the addresses of forms: an item of carol's, a collection with it, the secret of a link with a password."""
    item, collections = await house.published(house.carol), house.studio.collections
    made = await collections.create(house.carol, "A collection")
    await collections.add(Viewer(person_id=house.carol.id), made.id, [item.id])
    _, secret = await house.studio.sharing.create(house.carol, made.id, Wish(password=PASSWORD))
    return {"item": item.id, "collection": made.id, "secret": secret}


@pytest.mark.parametrize("path", FORMS)
async def test_what_a_form_says_wrong_comes_back_as_text(house: House, path: str) -> None:
    said, at = 0, path.format_map(await for_forms(house) if "{" in path else {})
    for cookie in ({}, {"Cookie": await house.session(house.carol)}):
        async with house.client(BROWSER | cookie) as client:
            for run in RUNS:
                for text in (run, run * 40):
                    house.clock.tick(MINUTE)  # or a wrong password is only one too many
                    said += judge(await client.post(at, data=dict.fromkeys(FORMS[path], text)), f"{path} {text}")
                for name in FORMS[path]:
                    judge(await client.post(at, data={name: run}), f"{path} {name} {run}")
            form: dict[str, Any] = {"files": {"image": (PLANT, b"no picture", "text/html")}, "data": {"model": PLANT}}
            judge(await client.post("/create", **form), "a file's name")
    assert said or path not in SAYS_BACK


@pytest.mark.parametrize("run", RUNS)
async def test_what_the_interface_refuses_comes_back_as_data(house: House, run: str) -> None:
    async with house.as_(house.carol) as client:
        for path, operations in describe(BASE)["paths"].items():
            for method in operations.keys() & {"post", "put", "patch", "delete"}:
                ids = dict.fromkeys(NAMED, run)
                for body in (
                    {run: run},
                    dict.fromkeys(
                        ("name", "password", "secret", "model", "title", "note", "email", "name_or_email"), run
                    ),
                    {"title": run, "ids": [run], "item": run, "before": run, "cover": run},
                    run,
                ):
                    sent = {} if method == "delete" else {"json": body}
                    # Fresh each time: some of what is asked ends it.
                    carol = await house.store.people.get(house.carol.id)
                    assert carol is not None
                    client.headers.update(house.bearer(carol))
                    answer = await client.request(method, path.format(**ids), **sent)
                    judge(answer, f"{method} {path}")
                    assert answer.headers.get("content-type", DATA[0]).partition(";")[0] in DATA, path
        upload = {"image": (run, b"no picture at all", "text/html")}
        answer = await client.post("/api/generations", data={"model": "local/drift"}, files=upload)
        judge(answer, "a file's name")
        assert answer.status_code == 422


async def test_the_reading_of_pages_finds_what_runs() -> None:
    for run in RUNS[:4]:
        assert what_runs(f"<title></title><p title='x'>{run}</p><p title='{run}'>"), run
    assert what_runs(f'<a href="{RUNS[4]}">x</a>')
    assert what_runs("<a href='/m/x'>x</a><script src='/assets/x/studio.js'></script>") == []


async def test_a_name_cannot_be_markup(house: House) -> None:
    async with house.client() as client:
        for run in RUNS:
            taken = await client.post("/api/auth/register", json={"name": run, "password": PASSWORD})
            assert taken.status_code == 422
