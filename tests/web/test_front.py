"""What is so for every answer: errors, header fields, hosts, health, figures, and the description."""

import asyncio
import re

import httpx2
import pytest
from openapi_spec_validator import validate

from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken
from mutoscope.spool import SpoolFull
from mutoscope.store.port import StoreUnavailable
from mutoscope.web.app import create_app
from mutoscope.web.front import CSP
from mutoscope.web.openapi import describe
from web.answers import code
from web.house import BASE, House, served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "path", ["/api/me", "/api/media", "/api/nothing", "/healthz", "/media/x/y", "/api/openapi.json"]
)
async def test_every_answer_carries_the_fields_that_guard_it(lasting: House, path: str) -> None:
    async with lasting.client() as client:
        headers = (await client.get(path)).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cache-control"] == "private, no-store"


async def test_an_address_that_is_not_there_and_a_method_that_is_not_taken_are_problems(lasting: House) -> None:
    async with lasting.client() as client:
        assert code(await client.get("/api/nothing")) == (404, "not_found")
        wrong = await client.put("/api/me")
        assert code(wrong) == (405, "method_not_allowed")
        assert "GET" in wrong.headers["allow"]
        assert code(await client.post("/api/quotes", content=b"x", headers={"Content-Type": "text/plain"})) == (
            415,
            "unsupported_media_type",
        )


@pytest.mark.parametrize("error", [StoreUnavailable, BlobsUnavailable, SpoolFull, DarkroomBroken])
async def test_a_part_that_is_down_is_said_to_be_and_comes_with_a_time(
    lasting: House, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def down(*_: object) -> None:
        raise error("secret detail of the machine room")

    monkeypatch.setattr(lasting.store.media, "search", down)
    async with lasting.client() as client:
        # A question that nobody asked before: an answer that is kept needs no store.
        answer = await client.get("/api/media?q=down")
    assert code(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "secret detail" not in answer.text


async def test_what_nobody_expected_shows_no_detail(lasting: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(lasting.store.media, "search", broken)
    async with lasting.client() as client:
        answer = await client.get("/api/media?q=broken")
    assert code(answer) == (500, "internal")
    assert "secret" not in answer.text


class Log:
    """Keeps what is logged, as text."""

    def __init__(self) -> None:
        self.said = ""

    def info(self, *said: object, **more: object) -> None:
        self.said += f"{said} {more}\n"

    log = error = info


async def test_the_log_holds_no_query_no_token_no_password_and_no_prompt(
    lasting: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    log = Log()
    monkeypatch.setattr("mutoscope.web.front.log", log)
    monkeypatch.setattr("mutoscope.web.problems.log", log)
    token = lasting.bearer(lasting.alice)
    async with lasting.client(token) as client:
        await client.get("/api/media", params={"q": "secret-query"})
        await client.post("/api/quotes", json={"model": "local/dream", "prompt": "secret-prompt"})
        monkeypatch.setattr(lasting.store.people, "by_name", broken)
        await client.post("/api/auth/sign-in", json={"name": "alice", "password": "secret-password"})
    assert "/api/media" in log.said
    assert "broken" in log.said
    for secret in ("secret-query", "secret-prompt", "secret-password", token["Authorization"][7:]):
        assert secret not in log.said


async def test_head_is_get_without_the_content(lasting: House) -> None:
    async with lasting.client() as client:
        for path in ("/api/models", "/", "/healthz", "/api/nothing"):
            head, get = await client.head(path), await client.get(path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            assert head.headers["content-length"] == get.headers["content-length"], path
        assert (await client.head("/api/events")).status_code == 405


async def test_a_refused_upload_gets_to_read_why_though_it_was_still_sending(lasting: House) -> None:
    async with served(lasting.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        length = 50 * 1024 * 1024
        head = f"POST /api/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        token = lasting.bearer(lasting.alice)["Authorization"]
        kind = "multipart/form-data; boundary=b"
        writer.write(f"{head}Authorization: {token}\r\nContent-Type: {kind}\r\n\r\n".encode())
        sending = asyncio.create_task(_send(writer, length))
        answer = await asyncio.wait_for(reader.read(), 20)
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()
    assert b'"code":"too_large"' in answer


async def _send(writer: asyncio.StreamWriter, length: int) -> None:
    for _ in range(length // 65_536):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def test_someone_who_waits_to_be_asked_is_refused_without_sending(lasting: House) -> None:
    async with served(lasting.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /api/quotes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in answer


async def test_the_process_lives_and_is_ready_and_says_which_part_is_not(
    lasting: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise StoreUnavailable("gone")

    async with lasting.client({"Host": "10.1.2.3:8700"}) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["storage"]) == (200, "ok")
        monkeypatch.setattr(lasting.store, "ping", down)
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert ready.json()["parts"]["store"] != "ok"
        assert (await client.get("/healthz")).status_code == 200


async def test_figures_are_for_this_machine_alone(lasting: House) -> None:
    await lasting.published(lasting.alice)
    async with lasting.client() as client:
        await client.get("/api/media/med_whatever")
        text = (await client.get("/metrics")).text
        assert 'mutoscope_http_requests_total{method="GET",route="/api/media/{media_id}",status="404"}' in text
        assert re.search(r'^mutoscope_generations\{state="succeeded"\} [1-9]', text, re.MULTILINE)
        assert "mutoscope_event_streams 0.0" in text
        assert "med_whatever" not in text
        assert code(await client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})) == (404, "not_found")
    transport = httpx2.ASGITransport(lasting.app, client=("203.0.113.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
        assert code(await client.get("/metrics")) == (404, "not_found")


async def test_with_a_token_figures_are_for_whoever_has_it(lasting: House) -> None:
    transport = httpx2.ASGITransport(create_app(lasting.studio, "scrape me"), client=("203.0.113.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
        assert code(await client.get("/metrics")) == (401, "sign_in_needed")
        assert code(await client.get("/metrics", headers={"Authorization": "Bearer no"})) == (401, "sign_in_needed")
        assert (await client.get("/metrics", headers={"Authorization": "Bearer scrape me"})).status_code == 200


async def test_the_description_is_valid_and_knows_every_route_of_the_interface(lasting: House) -> None:
    document = describe(BASE)
    validate(document)
    async with lasting.client() as client:
        assert (await client.get("/api/openapi.json")).json() == document
    own = {"/api/openapi.json", "/api/docs"}
    served_paths = {route.path_format for route in lasting.app.routes if route.path.startswith(("/api/", "/media/"))}
    assert set(document["paths"]) == served_paths - own
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["security"], path
            assert "400" not in operation["responses"]
            assert operation["description"], path


async def test_answers_are_as_the_description_says(lasting: House) -> None:
    schemas = describe(BASE)["components"]["schemas"]
    item = await lasting.published(lasting.alice)
    async with lasting.as_(lasting.alice) as client:
        for path, name in (
            ("/api/me", "PersonView"),
            (f"/api/media/{item.id}", "ItemView"),
            (f"/api/generations/{item.generation_id}", "GenerationView"),
            ("/api/tokens/entries", "EntryPage"),
        ):
            answer = (await client.get(path)).json()
            assert set(schemas[name]["required"]) <= set(answer) <= set(schemas[name]["properties"]), path


async def test_a_browser_is_shown_a_page_and_a_program_a_problem(lasting: House) -> None:
    async with lasting.client({"Accept": "text/html,*/*"}) as client:
        page = await client.get("/nothing/here")
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert code(await client.get("/api/nothing")) == (404, "not_found")


async def test_the_reference_page_needs_nothing_from_elsewhere(lasting: House) -> None:
    async with lasting.client({"Accept": "text/html"}) as client:
        page = await client.get("/api/docs")
    assert page.status_code == 200
    assert "create_generation" in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page.text)
