"""Pictures that come with an order: nobody can have them looked at for nothing, or fill the spool and go silent."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cast import generation
from mutoscope.darkroom.port import Unreadable
from mutoscope.domain.people import Person
from mutoscope.web import bodies
from security.test_bad_input import DRIFT, nothing_happens
from stubs.samples import samples
from web.answers import code
from web.house import House, served

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small real picture."""
    return samples(tmp_path_factory.mktemp("samples"))["image"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_a_picture_is_not_looked_at_when_the_tokens_do_not_suffice(
    house: House, picture: bytes, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    await house.store.generations.accept(generation(house.alice, price_each=999), None, "")
    looked_at = nobody_looks(house, monkeypatch)
    async with nothing_happens(house) as client:
        answer = await client.post("/api/generations", data=DRIFT, files={"image": picture}, headers=headers)
    assert code(answer) == (402, "not_enough_tokens")
    assert looked_at == []


async def test_a_repeated_order_is_answered_without_tokens_and_without_looking_at_its_picture(
    house: House, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: dict[str, Any] = {"data": DRIFT, "files": {"image": picture}, "headers": {"Idempotency-Key": "k"}}
    async with house.as_(house.alice) as client:
        first = await client.post("/api/generations", **order)
    await house.store.generations.accept(generation(house.alice, price_each=995), None, "")
    looked_at = nobody_looks(house, monkeypatch)
    async with nothing_happens(house) as client:
        again = await client.post("/api/generations", **order)
    assert (first.status_code, again.status_code, again.json()["id"]) == (202, 200, first.json()["id"])
    assert looked_at == []


def nobody_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the darkroom is asked to inspect from now on; it refuses."""
    asked: list[Any] = []

    async def inspect(path: Any, limits: Any) -> Any:
        asked.append(path)
        raise Unreadable("Nobody should have looked.")

    monkeypatch.setattr(house.studio.darkroom, "inspect", inspect)
    return asked


HALF = (
    b'--b0undary\r\nContent-Disposition: form-data; name="model"\r\n\r\nlocal/drift\r\n'
    b'--b0undary\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
)


async def sending(
    house: House, port: int, person: Person, length: int = 100_000
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The head of an upload and its first bytes; the rest is up to the test."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /api/generations HTTP/1.1\r\nHost: studio.example\r\nContent-Length: {length}\r\n"
    kind = "Content-Type: multipart/form-data; boundary=b0undary\r\n"
    token = "".join(f"{name}: {value}\r\n" for name, value in house.bearer(person).items())
    writer.write(f"{head}{kind}{token}\r\n".encode() + HALF)
    return reader, writer


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; fail when it does not."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # what the server does has no event
            await asyncio.sleep(0.005)


async def test_an_upload_that_goes_silent_is_ended_and_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.3)
    async with nothing_happens(house), served(house.app) as port:
        reader, writer = await sending(house, port, house.alice)
        await until(lambda: house.spool.names() != [])
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"too_slow"' in answer


async def test_an_upload_that_drips_is_ended_and_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "WHOLE_S", 0.5)
    async with nothing_happens(house), served(house.app) as port:
        reader, writer = await sending(house, port, house.alice)
        answered = asyncio.create_task(reader.readline())
        while not answered.done():
            writer.write(b"x")
            await asyncio.wait([answered], timeout=0.02)
        writer.close()
    assert answered.result() == b"HTTP/1.1 408 Request Timeout\r\n"


async def test_a_json_body_that_goes_silent_is_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.1)
    async with nothing_happens(house), served(house.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /api/generations HTTP/1.1\r\nHost: studio.example\r\nContent-Type: application/json\r\n"
        token = house.bearer(house.alice)["Authorization"]
        writer.write(f"{head}Authorization: {token}\r\nContent-Length: 50\r\n\r\n{{".encode())
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_person_sends_two_uploads_at_once_and_others_still_can(house: House, picture: bytes) -> None:
    form: dict[str, Any] = {"data": DRIFT, "files": {"image": picture}}
    async with served(house.app) as port:
        open_ = [await sending(house, port, house.alice) for _ in range(bodies.FORMS_AT_ONCE)]
        await until(lambda: len(house.spool.names()) == bodies.FORMS_AT_ONCE)
        async with house.as_(house.alice) as client:
            assert code(await client.post("/api/generations", **form)) == (429, "too_many")
        async with house.as_(house.bob) as client:
            assert (await client.post("/api/generations", **form)).status_code == 202
        for _, writer in open_:
            writer.close()
        await until(lambda: house.spool.names() == [])
        async with house.as_(house.alice) as client:
            assert (await client.post("/api/generations", **form)).status_code == 202


async def test_no_upload_begins_when_the_disk_has_hardly_room(
    house: House, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    form: dict[str, Any] = {"data": DRIFT, "files": {"image": picture}}
    room = {"bytes": bodies.RESERVE_BYTES + len(picture)}
    monkeypatch.setattr(house.spool, "free_bytes", lambda: room["bytes"])
    async with nothing_happens(house) as client:
        answer = await client.post("/api/generations", **form)
        assert code(answer) == (503, "unavailable")
        assert "retry-after" in answer.headers
    room["bytes"] += 10_000
    async with house.as_(house.alice) as client:
        assert (await client.post("/api/generations", **form)).status_code == 202
