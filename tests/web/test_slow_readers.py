"""Those who ask for a film and do not read it: they cost a connection and a few pieces of the film each, and nobody waits."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import msgspec
import psutil
import pytest

from mutoscope.blobs.port import CHUNK_BYTES
from mutoscope.domain.media import Media, StoredFile, Variant
from web.house import House, content, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

READERS = 64
FILM_BYTES = 256 * 1024 * 1024
POOL = min(32, (os.cpu_count() or 1) + 4)
"""How many threads `asyncio.to_thread` has at most."""
HELD_BYTES = 4 * CHUNK_BYTES
"""What the server may hold for one who reads nothing."""
TAKEN_BYTES = HELD_BYTES + int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
"""What may have been read for one: the machine takes in some for every connection."""


class Reading:
    """Counts what is read from the store, and which reading goes on; the film itself is made up."""

    def __init__(self) -> None:
        self.bytes, self.open = 0, 0

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """In place of the folder's."""
        self.open += 1
        try:
            for _ in range(start, FILM_BYTES if end is None else end, CHUNK_BYTES):
                self.bytes += CHUNK_BYTES
                yield bytes(CHUNK_BYTES)
        finally:
            self.open -= 1

    async def settled(self) -> int:
        """How many bytes were read, when nothing more is for half a second."""
        before = -1
        while before != self.bytes:
            before = self.bytes
            await asyncio.sleep(0.5)
        return before


async def large(house: House) -> Media:
    """A film that does not fit into what is held for a reader."""
    item = await house.published(house.alice)
    file: StoredFile = msgspec.structs.replace(item.files[Variant.MASTER], size_bytes=FILM_BYTES)
    return await house.change(item, files=item.files | {Variant.MASTER: file})


def ask(port: int, path: str) -> socket.socket:
    """Somebody asks, and reads nothing of the answer."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", port))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return reader


async def until(reading: Reading, number: int) -> None:
    """Wait until so many readings go on."""
    ends = time.monotonic() + 30
    while reading.open != number:
        assert time.monotonic() < ends, f"{reading.open} readings go on instead of {number}"
        await asyncio.sleep(0.05)


async def test_readers_that_stand_still_hold_little_and_keep_nobody_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, small = await large(house), await house.published(house.alice)
    real, reading, process = house.blobs.read, Reading(), psutil.Process(os.getpid())
    monkeypatch.setattr(house.blobs, "read", lambda key, *more: (reading if film.id in key else house).read(key, *more))
    monkeypatch.setattr(house, "read", real, raising=False)
    async with served(house.app) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get(f"/media/{small.id}/master")).content == content(small.id, Variant.MASTER)
        threads, memory = threading.active_count(), process.memory_info().rss
        with ExitStack() as connections:
            for _ in range(READERS):
                connections.enter_context(ask(port, f"/media/{film.id}/master"))
            await until(reading, READERS)
            assert await reading.settled() < READERS * TAKEN_BYTES
            assert process.memory_info().rss - memory < READERS * HELD_BYTES
            # The pool that opens files has grown, and not by one for each.
            assert threading.active_count() <= threads + POOL < READERS
            # Everybody else is answered as ever.
            answers = await asyncio.gather(*(client.get(f"/media/{small.id}/master") for _ in range(20)))
            assert {answer.content for answer in answers} == {content(small.id, Variant.MASTER)}
            assert reading.open == READERS
        # They are gone, without a word.
        await until(reading, 0)


async def test_a_reader_that_is_slow_gets_the_film_at_its_pace(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    film, reading = await large(house), Reading()
    monkeypatch.setattr(house.blobs, "read", reading.read)
    async with served(house.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK_BYTES)
        writer.write(f"GET /media/{film.id}/master HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        ahead = await reading.settled()
        got = 0
        while got < ahead:  # what was held for it, so that more has to be read
            got += len(await reader.read(CHUNK_BYTES))
        assert ahead < await reading.settled() <= got + 2 * TAKEN_BYTES < FILM_BYTES
        writer.transport.abort()
        await until(reading, 0)
