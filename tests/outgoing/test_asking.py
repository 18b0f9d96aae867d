"""Asking: what goes over the wire, what comes back, and what is never asked twice."""

import asyncio
import io
from contextlib import closing
from pathlib import Path

import multipart
import pytest

from mutoscope.outgoing import Again, Answered, Field, File, FilePart, Form, Json, Limits, OutgoingError, Raw, Trouble
from outgoing.far import Asked, TestTime, always, answer, asking, in_turn, meeting, serving

KEY = "sk-planted-1234567890"


async def test_a_question_goes_out_with_the_key_and_comes_back_with_status_headers_and_body() -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with meeting(always(answer(404, b'{"a": 1}', "X-Id: 7")), headers=headers) as (server, outgoing):
        said = await outgoing.ask("GET", "/v1/videos?limit=1")
    assert (said.status, said.headers["x-id"], said.json(dict[str, int]), said.ok) == (404, "7", {"a": 1}, False)
    asked = server.asked[0]
    assert (asked.method, asked.target) == ("GET", "/v1/videos?limit=1")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"


async def test_json_bytes_and_files_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"picture" * 100_000)
    async with meeting(always(answer())) as (server, outgoing):
        await outgoing.ask("POST", "/a", body=Json({"prompt": "sea"}), headers={"Idempotency-Key": "gen_1"})
        await outgoing.ask("PUT", "/b", body=Raw(b"\x00\x01", "image/png"))
        await outgoing.ask("PUT", "/c", body=File(path, "image/jpeg"))
        await outgoing.ask("POST", "/d")
    json, raw, file, nothing = server.asked
    assert (json.body, json.headers["content-type"], json.headers["idempotency-key"]) == (
        b'{"prompt":"sea"}', "application/json", "gen_1",
    )  # fmt: skip
    assert (raw.body, raw.headers["content-type"]) == (b"\x00\x01", "image/png")
    assert (file.body, file.headers["content-type"]) == (path.read_bytes(), "image/jpeg")
    assert nothing.headers["content-length"] == "0"


async def test_a_form_is_one_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(bytes(range(256)) * 4_000)
    form = Form((Field("prompt", "a “sea”\r\n--x"), FilePart("image", path, 'a"b\r\nX: y.png', "image/png")))
    async with meeting(always(answer())) as (server, outgoing):
        await outgoing.ask("POST", "/edit", body=form)
    asked = server.asked[0]
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": asked.headers["content-type"],
        "CONTENT_LENGTH": asked.headers["content-length"],
        "wsgi.input": io.BytesIO(asked.body),
    }
    fields, files = multipart.parse_form_data(environ, strict=True)
    assert fields["prompt"] == "a “sea”\r\n--x"
    with closing(files["image"].file) as file:
        assert file.read() == path.read_bytes()
    assert (files["image"].filename, files["image"].content_type) == ('a"b\r\nX: y.png', "image/png")


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", answer(200, b"{}", length=20)[:-1]])
async def test_a_submit_is_sent_once_and_its_lost_answer_is_ambiguous(cut: bytes) -> None:
    async def hang_up(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(cut)
        await writer.drain()
        writer.close()

    async with meeting(hang_up, time=TestTime()) as (server, outgoing):
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask("POST", "/jobs", body=Json({}))
    assert caught.value.sent
    assert caught.value.trouble in {Trouble.LOST, Trouble.CUT}
    assert len(server.asked) == server.connections == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_submit_that_is_refused_is_sent_once(status: int) -> None:
    async with meeting(always(answer(status, b"", "Retry-After: 0"))) as (server, outgoing):
        assert (await outgoing.ask("POST", "/jobs", body=Json({}))).status == status
    assert len(server.asked) == 1


async def test_each_submit_has_a_connection_of_its_own() -> None:
    async with meeting(always(answer())) as (server, outgoing):
        for _ in range(2):
            await outgoing.ask("GET", "/jobs/1")
        assert server.connections == 1
        for _ in range(2):
            await outgoing.ask("POST", "/jobs")
    assert server.connections == 3


async def test_what_may_be_repeated_is_asked_again_with_growing_pauses() -> None:
    time = TestTime(dice=0.5)
    turns = in_turn(b"", answer(503), answer(200, b"there"))
    async with meeting(turns, time=time) as (server, outgoing):
        assert (await outgoing.ask("GET", "/jobs/1")).body == b"there"
    assert time.slept_s == [0.25, 0.5]
    assert len(server.asked) == 3


async def test_it_gives_up_with_the_last_answer() -> None:
    time = TestTime()
    again = Again(tries=4, base_s=1, cap_s=3)
    async with meeting(always(answer(503, b"down")), time=time, again=again) as (server, outgoing):
        assert (await outgoing.ask("DELETE", "/jobs/1", repeatable=True)).body == b"down"
    assert time.slept_s == [1, 2, 3]
    assert len(server.asked) == 4


async def test_a_stream_is_whole_or_an_error() -> None:
    async with meeting(always(answer(200, b"film"))) as (server, outgoing):
        assert b"".join([chunk async for chunk in outgoing.stream("/a")]) == b"film"
        server.handler = _cut
        with pytest.raises(OutgoingError) as caught:
            _ = [chunk async for chunk in outgoing.stream("/a")]
        assert caught.value.trouble is Trouble.CUT
        server.handler = always(answer(403, b"no"))
        with pytest.raises(Answered) as refused:
            _ = [chunk async for chunk in outgoing.stream("/a")]
        assert (refused.value.answer.status, refused.value.answer.body) == (403, b"no")


async def _cut(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(200, b"fi", length=4))
    await writer.drain()
    writer.close()


async def test_nothing_was_sent_where_nobody_listens() -> None:
    async with serving(always(answer())) as server:
        pass
    async with asking(server, time=TestTime()) as outgoing:
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask("POST", "/jobs")
    assert (caught.value.trouble, caught.value.sent) == (Trouble.NO_CONNECTION, False)


async def test_a_server_that_takes_and_never_answers_is_ambiguous_in_time() -> None:
    async def never(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with meeting(never, limits=Limits(first_byte_s=0.3, silence_s=0.3)) as (_, outgoing):
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask("POST", "/jobs")
    assert (caught.value.trouble, caught.value.sent) == (Trouble.SILENT, True)
