"""A WebSocket to listen to: whole texts alone, bounded, over a connection that is checked like any other."""

import asyncio
from contextlib import aclosing

import pytest

from mutoscope.outgoing import Destination, Outgoing, OutgoingError, Trouble, messages
from outgoing.far import Asked, Handler, always, answer, meeting
from stubs.websocket import BINARY, CLOSE, PING, PONG, TEXT, frame, handshake


def saying(*frames: bytes, then_s: float = 0) -> Handler:
    """Leaves HTTP, says that, and hangs up after a while."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(handshake(asked.headers["sec-websocket-key"]) + b"".join(frames))
        await writer.drain()
        await asyncio.sleep(then_s)
        writer.close()

    return handle


async def heard(handler: Handler, silence_s: float = 5) -> list[str]:
    async with meeting(handler) as (server, outgoing):
        said = [text async for text in messages(outgoing, "/ws?clientId=a", silence_s)]
        assert server.asked[0].target == "/ws?clientId=a"
        assert server.asked[0].headers["upgrade"] == "websocket"
    return said


async def test_texts_come_whole_and_other_messages_not_at_all() -> None:
    pieces = [frame(TEXT, b"a la", final=False), frame(PING, b"?"), frame(0, b"mp"), frame(BINARY, b"\0" * 70_000)]
    assert await heard(saying(*pieces, frame(TEXT, "läuft".encode()), frame(PONG, b""))) == ["a lamp", "läuft"]


async def test_a_close_is_the_end() -> None:
    assert await heard(saying(frame(TEXT, b"one"), frame(CLOSE, b"\x03\xe8"), frame(TEXT, b"two"), then_s=1)) == ["one"]


async def test_what_is_no_websocket_is_refused() -> None:
    wrong = answer(101, b"", "Upgrade: websocket", "Sec-WebSocket-Accept: AAAA")
    for handler in (always(answer(200, b"hello")), always(answer(404)), always(wrong)):
        with pytest.raises(OutgoingError) as raised:
            await heard(handler)
        assert raised.value.trouble is Trouble.STATUS


async def test_what_breaks_the_rules_is_the_end() -> None:
    masked = bytes([0x81, 0x82, 1, 2, 3, 4, 5, 6])
    for broken in (masked, frame(3, b"x"), frame(TEXT, b"\xff\xfe"), bytes([0xC1, 1, 65])):
        assert await heard(saying(frame(TEXT, b"one"), broken, frame(TEXT, b"two"), then_s=1)) == ["one"]


async def test_a_message_without_end_is_cut_off() -> None:
    with pytest.raises(OutgoingError) as raised:
        await heard(saying(*(frame(TEXT if n == 0 else 0, b"x" * 60_000, final=False) for n in range(30)), then_s=1))
    assert raised.value.trouble is Trouble.TOO_LARGE


async def test_a_silent_line_is_asked_once_whether_it_is_there_and_then_given_up() -> None:
    with pytest.raises(OutgoingError) as raised:
        await heard(saying(then_s=5), silence_s=0.1)
    assert raised.value.trouble is Trouble.CUT


async def test_a_redirect_is_not_followed_to_another_host() -> None:
    elsewhere = answer(302, b"", "Location: http://169.254.169.254/latest")
    with pytest.raises(OutgoingError) as raised:
        await heard(always(elsewhere))
    assert raised.value.trouble is Trouble.REDIRECTED


async def test_a_listener_that_goes_leaves_no_connection_open() -> None:
    async with meeting(saying(frame(TEXT, b"one"), then_s=5)) as (server, outgoing):
        async with aclosing(messages(outgoing, "/ws")) as texts:
            assert await anext(texts) == "one"
        for _ in range(100):
            if not any(conn.is_closed() is False for conn in outgoing._door._kept.connections):
                break
            await asyncio.sleep(0.01)
        assert outgoing._door._kept.connections == []
        assert server.connections == 1


def test_a_private_address_is_listened_to_only_where_the_operator_named_it() -> None:
    outgoing = Outgoing(Destination(name="far", base_url="https://far.example"))

    async def ask() -> None:
        async for _ in messages(outgoing, "http://10.0.0.1/ws"):
            raise AssertionError

    with pytest.raises(OutgoingError) as raised:
        asyncio.run(ask())
    assert raised.value.trouble is Trouble.NOT_ALLOWED
