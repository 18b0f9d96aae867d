"""A key that is planted is found nowhere: no error, no log line, no representation, no traceback."""

import asyncio
import io
import json
import logging
import ssl
import traceback
from collections.abc import Iterator

import pytest
import structlog
from rich.console import Console

from mutoscope.domain.generation import ProviderJob
from mutoscope.outgoing import Again, Destination, Json, Limits, Outgoing, OutgoingError
from mutoscope.providers.answers import in_words
from mutoscope.providers.openai_videos.adapter import VideoServer
from mutoscope.providers.port import ProviderError
from outgoing.far import PUBLIC, Asked, Authority, Handler, TestTime, World, always, answer, in_turn, serving

KEY = "planted-7f3a9c"
TIGHT = Limits(connect_s=0.5, first_byte_s=0.3, silence_s=0.3, whole_s=1, body_bytes=1_000)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, down to the last detail."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


async def _silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(401, json.dumps({"error": asked.headers.get("authorization")}).encode()))


HANDLERS: list[Handler] = [
    _silent,
    _echo,
    always(b"nonsense\r\n\r\n"),
    always(answer(200, b"x" * 2_000)),
    always(answer(200, b"half", length=99)),
    always(answer(503)),
    always(answer(302, b"", f"Location: https://evil.com/?sig={KEY}")),
    always(answer(302, b"", f"Location: http://me:{KEY}@evil.com/")),
    always(answer(200, KEY.encode(), "Content-Encoding: gzip")),
    always(answer(200, b'{"a": "' + KEY.encode() + b'"}')),
]


def everything_about(error: BaseException) -> str:
    """As a log, a debugger's page and Python itself would show it."""
    shown = ["".join(traceback.format_exception(error)), repr(error), str(error), repr(vars(error))]
    shown.append(structlog.processors._format_exception((type(error), error, error.__traceback__)))
    while error.__cause__ is not None:
        error = error.__cause__
        shown += [repr(error), str(error)]
    return "\n".join(shown)


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_whatever_the_other_side_does_the_key_is_not_told(
    handler: Handler, method: str, logged: io.StringIO
) -> None:
    async with serving(handler) as server:
        destination = Destination(
            name="far", base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {KEY}"}
        )
        outgoing = Outgoing(destination, limits=TIGHT, again=Again(tries=1), time=TestTime())
        shown = [repr(outgoing), repr(destination), str(destination)]
        for address in (
            "/x",
            f"/x?key={KEY}",
            f"https://u:{KEY}@far.example.com/",
            f"https://far.example.com/?key={KEY}",
        ):
            try:
                with in_words("Far AI", "submit" if method == "POST" else "question"):
                    said = await outgoing.ask(method, address, body=Json({"prompt": KEY}))
                    shown.append(repr(said))
                    said.json(dict[str, int])
            except ProviderError as e:
                shown += [everything_about(e), e.message, e.detail]
            try:
                async for _ in outgoing.stream(address, limits=TIGHT):
                    pass
            except OutgoingError as e:
                shown.append(everything_about(e))
        await outgoing.close()
    rich = Console(file=io.StringIO(), width=500)
    rich.print(destination, outgoing)
    assert isinstance(rich.file, io.StringIO)
    for text in (*shown, rich.file.getvalue(), logged.getvalue()):
        assert KEY not in text
    assert len(shown) > 6


async def test_a_key_that_a_provider_quotes_is_blacked_out() -> None:
    words = f"Incorrect API key provided: {KEY}."
    refused = answer(401, json.dumps({"error": {"message": words, "code": "invalid_api_key"}}).encode())
    failed = answer(200, json.dumps({"id": "film", "status": "failed", "error": {"message": words}}).encode())
    async with serving(in_turn(refused, failed)) as server:
        provider = VideoServer("far", f"http://127.0.0.1:{server.port}", KEY, slots=1)
        job = ProviderJob(id="film", reference="gen")
        for _ in ("refused", "failed"):
            with pytest.raises(ProviderError) as caught:
                await provider.poll(job)
            assert "Incorrect API key provided: ***." in caught.value.detail
            assert KEY not in everything_about(caught.value)
        await provider.close()
        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}


async def test_names_and_certificates_that_fail_do_not_tell_it(authority: Authority, logged: io.StringIO) -> None:
    destination = Destination(name="far", base_url="https://api.example.com", headers={"X-Key": KEY})
    async with serving(always(answer()), authority.serving("other.example.com")) as server:
        for world in (
            World({}, {}),
            World({"api.example.com": [["127.0.0.1"]]}, {}),
            World({"api.example.com": [[PUBLIC]]}, {}),
            World({"api.example.com": [[PUBLIC]]}, {(PUBLIC, 443): server.port}),
        ):
            outgoing = Outgoing(
                destination, limits=TIGHT, time=TestTime(), resolve=world.resolve, dial=world.dial,
                tls=ssl.create_default_context(),
            )  # fmt: skip
            with pytest.raises(OutgoingError) as caught:
                await outgoing.ask("POST", f"/x?key={KEY}", body=Json({"prompt": KEY}))
            await outgoing.close()
            assert caught.value.sent is False
            assert KEY not in everything_about(caught.value)
    assert KEY not in logged.getvalue()
