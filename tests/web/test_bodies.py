"""Bodies: JSON is taken strictly, and a client that goes away within one is no error of ours."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import msgspec
import pytest
from structlog.testing import capture_logs

from mutoscope.domain.catalogue import Model
from mutoscope.providers.catalogue import Catalogue
from mutoscope.services.backup import Backup
from mutoscope.web.operator import create_operator_app
from web.answers import code, fields
from web.house import PASSWORD, House, served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/tokens/grants", {"name": "bob", "amount": "5"}, "amount"),
        ("/api/tokens/grants", {"name": "bob", "amount": 5.5}, "amount"),
        ("/api/tokens/grants", {"name": "bob", "amount": True}, "amount"),
        ("/api/tokens/grants", {"name": 5, "amount": 5}, "name"),
        ("/api/quotes", {"model": "local/still", "prompt": "x", "results": "1"}, "results"),
        ("/api/quotes", {"model": "local/still", "prompt": "x", "seed": "1"}, "seed"),
        ("/api/generations", {"model": "local/still", "prompt": "x", "seed": "1"}, "seed"),
        ("/api/auth/sign-in", {"name": "alice", "password": 12345678}, "password"),
    ],
)
async def test_json_of_another_type_is_refused_at_its_field(
    lasting: House, path: str, body: dict[str, Any], field: str
) -> None:
    before = await lasting.balance(lasting.bob)
    async with lasting.as_(lasting.carol) as client:
        answer = await client.post(path, json=body, headers={"Idempotency-Key": "strict"})
    assert (code(answer), fields(answer)) == ((422, "invalid"), {field})
    assert await lasting.balance(lasting.bob) == before


@asynccontextmanager
async def operator(house: House, backup: object) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client at the operator's socket."""
    app: Any = create_operator_app(house.studio, cast(Backup, backup), house.app)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://operator") as client:
        yield client


async def test_a_version_in_quotes_is_no_version(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        answer = await client.patch(f"/api/media/{item.id}", json={"title": "Mine", "version": str(item.version)})
        assert (code(answer), fields(answer)) == ((422, "invalid"), {"version"})
        right = await client.patch(f"/api/media/{item.id}", json={"title": "Mine", "version": item.version})
        assert right.json()["title"] == "Mine"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("grants", {"name": "bob", "amount": "5", "reference": "r"}, "amount"),
        ("grants", {"name": "bob", "amount": 10**400, "reference": "r"}, "amount"),
        ("people", {"name": "dora", "password": PASSWORD, "role": "owner"}, "role"),
        ("backups", {"target": 5}, "target"),
    ],
)
async def test_the_operators_json_is_taken_as_strictly(
    lasting: House, path: str, body: dict[str, Any], field: str
) -> None:
    async with operator(lasting, None) as client:  # no body that is refused gets to a backup
        answer = await client.post(f"/operator/{path}", json=body)
    assert (code(answer), fields(answer)) == ((422, "invalid"), {field})


async def test_the_operators_folder_is_still_read_as_a_path(lasting: House) -> None:
    class Asked:
        target: Path | None = None

        async def run(self, target: Path, *_: object) -> dict[str, str]:
            self.target = target
            return {}

    backup = Asked()
    async with operator(lasting, backup) as client:
        answer = await client.post("/operator/backups", json={"target": "/somewhere"})
    assert answer.text.endswith('{"manifest":{}}\n')
    assert backup.target == Path("/somewhere")


GOING = {
    "/api/auth/sign-in": "application/json",
    "/api/generations": "application/json",
    "/sign-in": "application/x-www-form-urlencoded",
    "/create": "multipart/form-data; boundary=b",
}


@pytest.mark.parametrize("path", GOING)
async def test_a_client_that_goes_away_within_a_body_is_no_error(house: House, path: str) -> None:
    with capture_logs() as said:
        async with served(house.app) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            token = house.bearer(house.alice)["Authorization"]
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\nAuthorization: {token}\r\n"
            writer.write(f"{head}Content-Type: {GOING[path]}\r\n\r\n--b\r\n".encode())
            await writer.drain()
            writer.close()
            async with asyncio.timeout(20):
                while not any(line["event"] == "request" and line["path"] == path for line in said):  # noqa: ASYNC110  # a log has no event
                    await asyncio.sleep(0.01)
    assert [line for line in said if line["log_level"] in ("warning", "error", "critical")] == []
    assert not any("Traceback" in str(line) for line in said)
    assert [line["status"] for line in said if line["event"] == "request"] == [400]


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31mb", "a\x9bb", "a\x08b"])
async def test_a_prompt_with_a_control_character_is_refused_at_its_field(lasting: House, text: str) -> None:
    async with lasting.as_(lasting.alice) as client:
        answer = await client.post("/api/quotes", json={"model": "local/still", "prompt": text})
    assert (code(answer), fields(answer)) == ((422, "invalid"), {"prompt"})


@pytest.mark.parametrize("text", ["two\r\nlines\n\tand a tab", "👩‍👩‍👧 می‌خواهم", "\u2067שלום\u2069 in fog"])
async def test_a_prompt_of_any_script_and_several_lines_is_taken(lasting: House, text: str) -> None:
    async with lasting.as_(lasting.alice) as client:
        answer = await client.post("/api/quotes", json={"model": "local/still", "prompt": text})
    assert answer.status_code == 200


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200d", "\u3164"])
async def test_a_model_that_needs_a_prompt_needs_one_that_can_be_seen(
    lasting: House, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    needs = msgspec.structs.replace(lasting.catalogue.get("local/still"), prompt="required")

    def get(_: Catalogue, id: str) -> Model:
        assert id == needs.id
        return needs

    monkeypatch.setattr(Catalogue, "get", get)
    async with lasting.as_(lasting.alice) as client:
        answer = await client.post("/api/generations", json={"model": "local/still", "prompt": text})
    assert (code(answer), fields(answer)) == ((422, "invalid"), {"prompt"})
