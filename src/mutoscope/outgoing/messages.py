"""Messages of a WebSocket (RFC 6455), to listen to: over a connection like any other, checked and pinned, and bounded."""

from collections.abc import AsyncGenerator

import httpcore2
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token, generate_nonce

from mutoscope.outgoing.arrival import Arrival
from mutoscope.outgoing.course import TRANSPORT
from mutoscope.outgoing.outgoing import Outgoing
from mutoscope.outgoing.trouble import OutgoingError, Trouble

MESSAGE_CHARS = 1024 * 1024
CHUNK_BYTES = 64 * 1024


async def messages(outgoing: Outgoing, address: str, silence_s: float = 30) -> AsyncGenerator[str]:
    """The texts that come, each whole; other messages are let go as they come. Ends when the other side ends it.

    A line that is silent for ``silence_s`` is asked, once, whether it is still there. Raises OutgoingError.
    """
    key = generate_nonce()
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = key.decode()
    async with outgoing.asking("GET", address, headers=headers) as arrival:
        accepted = arrival.headers.get("sec-websocket-accept", "").encode()
        if arrival.status != 101 or accepted != generate_accept_token(key):
            raise OutgoingError(Trouble.STATUS, arrival.where, sent=True, more=f"{arrival.status}, no WebSocket")
        try:
            async for text in _texts(arrival, silence_s):
                yield text
        except TRANSPORT:
            raise OutgoingError(Trouble.CUT, arrival.where, sent=True) from None


async def _texts(arrival: Arrival, silence_s: float) -> AsyncGenerator[str]:
    connection, pieces, chars = Connection(ConnectionType.CLIENT), list[str](), 0
    while data := await _read(arrival.line, connection, silence_s):
        connection.receive_data(data)
        for event in connection.events():
            if isinstance(event, CloseConnection):
                return
            if isinstance(event, Ping):
                await arrival.line.write(connection.send(event.response()), silence_s)
            if not isinstance(event, TextMessage):
                continue
            pieces.append(event.data)
            chars += len(event.data)
            if chars > MESSAGE_CHARS:
                raise OutgoingError(Trouble.TOO_LARGE, arrival.where, sent=True, more="a message")
            if event.message_finished:
                yield "".join(pieces)
                pieces, chars = [], 0


async def _read(line: httpcore2.AsyncNetworkStream, connection: Connection, silence_s: float) -> bytes:
    try:
        return await line.read(CHUNK_BYTES, silence_s)
    except httpcore2.ReadTimeout:
        await line.write(connection.send(Ping()), silence_s)
        return await line.read(CHUNK_BYTES, silence_s)
