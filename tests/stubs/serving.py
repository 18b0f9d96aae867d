"""A stub server of any manner: HTTP/1.1 on a real port, one request a connection, misbehaving where it is told to."""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from stubs.book import Answer

Routes = Callable[[str, str, dict[str, str], bytes], Awaitable[Any]]
"""What answers ``method, target, headers (lower-case), body`` by raising Answer."""


class Takeover(Exception):
    """Whoever raises it in place of an answer talks on the connection itself."""

    def __init__(self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        super().__init__()
        self.talk = talk


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = first.split(" ", 2)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return method, target, headers, await _chunks(reader)
    return method, target, headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readline()).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    if answer.body is None:
        return
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    headers = dict(answer.headers)
    if not isinstance(answer.body, bytes):
        headers.setdefault("Content_Type", "application/json")
    how, length = headers.pop("how", ""), headers.pop("length", str(len(body)))
    if how != "cut":
        headers["Content-Length"] = length
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} Stub\r\nConnection: close\r\n{lines}\r\n".encode() + body)
    await writer.drain()
    if how == "silent":
        await asyncio.sleep(600)


async def serve(port: int, routes: Routes) -> None:
    """Answer until killed; the port is printed."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await routes(*await _read(reader))
            except Answer as answer:
                await _write(writer, answer)
            except Takeover as takeover:
                await takeover.talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main(routes_in: Callable[[Path, bool], Routes]) -> None:
    """The command line of a stub. ``routes_in`` is given the folder of its state, and whether it can be asked."""
    parser = argparse.ArgumentParser(description="A stub provider that counts what it would have been paid for.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--no-lookup", action="store_true", help="cannot be asked by reference")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.port, routes_in(given.state, not given.no_lookup)))
