"""What a server bounds before there is a request: over a real connection, as `mutoscope serve` speaks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from litestar.types import Receive, Scope, Send

from mutoscope.web.protocol import BoundedHttp


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and tells its length."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        size, more = size + len(message["body"]), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode(), "more_body": False})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(app, port=0, http=BoundedHttp, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def said(port: int, *pieces: bytes) -> bytes:
    """What the server says to these pieces, one after the other, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


START = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
PIECE = b"x" * 32 * 1024


async def test_one_endless_header_field_is_refused(port: int) -> None:
    answer = await said(port, START + b"x-a: ", *[PIECE] * 40)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_endless_header_fields_are_refused(port: int) -> None:
    fields = (b"x-a: " + b"y" * 1000 + b"\r\n") * 32
    # A client that goes on sending may be cut off before it reads why.
    answer = await said(port, START, *[fields] * 40)
    assert answer == b"" or (answer.startswith(b"HTTP/1.1 431 ") and b'"code":"head_too_large"' in answer)


async def test_an_endless_address_is_refused(port: int) -> None:
    answer = await said(port, b"GET /", *[PIECE] * 40)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_endless_trailers_are_refused(port: int) -> None:
    start = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    assert b" 200 " not in await said(port, start, b"x-a: ", *[PIECE] * 40)


async def test_a_long_head_and_a_long_body_are_taken(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-a: " + b"y" * 30_000 + b"\r\n"
    answer = await said(port, head + b"content-length: 1310720\r\n\r\n", *[PIECE] * 40)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"1310720" in answer


async def test_one_connection_may_ask_often(port: int) -> None:
    ask = b"GET / HTTP/1.1\r\nhost: localhost\r\nx-a: " + b"y" * 20_000 + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(10):
        writer.write(ask)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(b"0\r\n\r\n")
    writer.close()
