"""A WebSocket as a server speaks it (RFC 6455), by hand: what the studio uses for its own side is not asked here."""

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import Callable

from stubs.book import Answer
from stubs.serving import Takeover

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PAUSE_S = 0.03


def talking(headers: dict[str, str], news: Callable[[], list[bytes]]) -> Takeover:
    """Sends the frames of ``news`` again and again until the client goes. Raises Answer for what is no handshake."""
    key = headers.get("sec-websocket-key", "")
    asked = (headers.get("upgrade"), headers.get("connection", "").lower(), headers.get("sec-websocket-version"))
    if asked != ("websocket", "upgrade", "13") or len(base64.b64decode(key)) != 16:
        raise Answer(400, b'Can "Upgrade" only to "WebSocket".')

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(handshake(key))
        replies = asyncio.create_task(reply(reader, writer))
        try:
            while not replies.done():
                writer.write(b"".join(news()))
                await writer.drain()
                await asyncio.sleep(PAUSE_S)
        finally:
            replies.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await replies

    return Takeover(talk)


def handshake(key: str) -> bytes:
    """The answer that both sides leave HTTP with."""
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    accept = base64.b64encode(digest).decode()
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: upgrade")
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode()


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A frame of a server (5.2)."""
    size, first = len(payload), bytes([0x80 * final | opcode])
    if size < 126:
        return first + bytes([size]) + payload
    return first + (b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)) + payload


async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer pings until the client goes. What a client sends is masked, and of ours short."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            first, second = await reader.readexactly(2)
            assert second & 0x80, "a client has to mask"
            assert second & 0x7F < 126, "ours sends nothing long"
            mask = await reader.readexactly(4)
            payload = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(second & 0x7F)))
            if first & 0x0F == PING:
                writer.write(frame(PONG, payload))
            if first & 0x0F == CLOSE:
                return
