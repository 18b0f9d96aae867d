"""Script in every text field that somebody can write, looked for on every page and in every answer, and in what is said back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
import pytest_asyncio

import journey
from cast import facts
from mutoscope.domain.generation import Failure, FailureKind, State
from mutoscope.domain.media import Kind, Media
from mutoscope.web.openapi import describe
from security.markup import MARK, PLANT, REACHED, RUNS, pieces, what_runs
from web.house import BASE, OUR_PAGE, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROWSER = {"Accept": "text/html", **OUR_PAGE}
DATA = ("application/json", "application/problem+json")


def judge(answer: httpx2.Response, what: str) -> bool:
    """Whether it shows what was planted; whatever it shows, it is data or a page in which nothing of that runs."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert answer.status_code < 500, what
    assert answer.headers["x-content-type-options"] == "nosniff", what
    for name, value in answer.headers.items():
        assert "<" not in value or name == "content-disposition", (what, name, value)
        assert name not in ("x-planted", "planted"), what
    if MARK not in answer.text:
        return False
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
    return Planted(house, items, failed)


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


PAGES = ("/", "/gallery", "/library", "/library/trash", "/create", "/tokens", "/activity", "/account", "/sign-in", "/register", "/set-up", "/reset", "/api/docs")  # fmt: skip


async def test_what_was_written_runs_nowhere(planted: Planted) -> None:
    seen: set[tuple[str, str]] = set()
    ids = dict.fromkeys(("key_id", "invite_id", "session_id", "unlock_id", "collection_id", "link_id"), "x")
    first = planted.items[0]
    ids |= {"media_id": first.id, "generation_id": first.generation_id}
    own = [f"/jobs/{first.generation_id}", f"/jobs/{planted.failed}", f"/api/generations/{planted.failed}"]
    own += [f"{way}{item.id}" for item in planted.items for way in ("/m/", "/create?from=")]
    async for name, client in planted.browsers():
        for path in (*[path.format(**ids) for path in reads()], *PAGES, *own):
            for more in ({}, {"X-Fragment": "1"}):
                answer = await client.get(path, headers=more)
                if judge(answer, f"{name} {path} {more}"):
                    kind = answer.headers["content-type"].partition(";")[0]
                    seen.add((path.replace(first.id, "ITEM").replace(planted.failed, "FAILED"), kind))
    assert seen >= {
        ("/", "text/html"), ("/library", "text/html"), ("/m/ITEM", "text/html"), ("/tokens", "text/html"),
        ("/account", "text/html"), ("/jobs/FAILED", "text/html"), ("/create?from=ITEM", "text/html"),
        ("/api/media", "application/json"), ("/api/media/ITEM", "application/json"), ("/api/keys", "application/json"),
        ("/api/sessions", "application/json"), ("/api/admin/invites", "application/json"),
        ("/api/tokens/entries", "application/json"), ("/api/generations", "application/json"),
        ("/api/generations/FAILED", "application/json"),
    }  # fmt: skip


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
            for path in ("/m/{}", "/jobs/{}", "/nothing/{}", "/assets/{}/x", "/media/{}/master", "/hooks/{}/x"):
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
    "/create": ("model", "prompt", "negative_prompt", "seed", "results", "visibility", "source_media"),
}


@pytest.mark.parametrize("path", FORMS)
async def test_what_a_form_says_wrong_comes_back_as_text(house: House, path: str) -> None:
    for cookie in ({}, {"Cookie": await house.session(house.carol)}):
        async with house.client(BROWSER | cookie) as client:
            for run in RUNS:
                judge(await client.post(path, data=dict.fromkeys(FORMS[path], run)), f"{path} {run}")
                for name in FORMS[path]:
                    judge(await client.post(path, data={name: run}), f"{path} {name} {run}")
            form: dict[str, Any] = {"files": {"image": (PLANT, b"no picture", "text/html")}, "data": {"model": PLANT}}
            judge(await client.post("/create", **form), "a file's name")


@pytest.mark.parametrize("run", RUNS)
async def test_what_the_interface_refuses_comes_back_as_data(house: House, run: str) -> None:
    async with house.as_(house.carol) as client:
        for path, operations in describe(BASE)["paths"].items():
            for method in operations.keys() & {"post", "patch", "delete"}:
                ids = dict.fromkeys(NAMED, run)
                for body in (
                    {run: run},
                    dict.fromkeys(("name", "password", "secret", "model", "title", "note"), run),
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
