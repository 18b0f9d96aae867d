"""Sends bytes as they come, no faster than the client takes them, and stops when the client goes away."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from litestar.types import Receive, Scope, Send


class ByteStream:
    """An ASGI answer: status, header fields, and the chunks; ``until`` ends it from outside.

    The chunks are read one at a time; the server's ``send`` returns only when the connection has room. When the client
    goes away, or ``until`` is set, the generator is closed where it stands.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        chunks: AsyncGenerator[bytes, None] | None,
        until: asyncio.Event | None = None,
    ) -> None:
        self.status, self.headers, self._chunks = status, dict(headers), chunks
        self._until = until or asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()
                ],
            }
        )
        if self._chunks is None or await self._ran_out(self._chunks, receive, send):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _ran_out(self, chunks: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> bool:
        pump = asyncio.create_task(_pump(chunks, send))
        gone = asyncio.create_task(_disconnected(receive))
        ended = asyncio.create_task(self._until.wait())
        tasks = (pump, gone, ended)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if pump.cancelled():
            return ended.done() and not ended.cancelled()
        pump.result()
        return True


async def _pump(chunks: AsyncGenerator[bytes, None], send: Send) -> None:
    async with aclosing(chunks):
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # Servers take bytes for a client that is gone without waiting: let whoever watches for that have a turn.
            await asyncio.sleep(0)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
