"""A provider that has its one film ready and streams it: ``python -m benchmarks.giving FILE``. It prints its port.

It speaks the wire of `stubs.adapter`, and ``GET /given`` tells when the last byte of the film went out, on the clock that
all processes of a machine share (`time.monotonic`).
"""

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

FINISHED = {"status": "finished", "outputs": ["/film"], "withheld": ""}


class Giver:
    """The routes."""

    def __init__(self, film: Path) -> None:
        self._film, self._given_at = film, 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target = head.split(" ")[:2]
            if target == "/film":
                await self._give(writer)
            elif target == "/given":
                await _say(writer, 200, {"at": self._given_at})
            else:
                await _say(writer, 202 if method == "POST" else 200, {"id": "film"} if method == "POST" else FINISHED)
        writer.close()

    async def _give(self, writer: asyncio.StreamWriter) -> None:
        _head(writer, 200, self._film.stat().st_size)
        await writer.drain()
        with self._film.open("rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file)
        self._given_at = time.monotonic()


def _head(writer: asyncio.StreamWriter, status: int, length: int) -> None:
    writer.write(f"HTTP/1.1 {status} OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n".encode())


async def _say(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    _head(writer, status, len(body))
    writer.write(body)
    await writer.drain()


async def main(film: Path) -> None:
    """Answer until ended."""
    server = await asyncio.start_server(Giver(film).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(Path(sys.argv[1])))
