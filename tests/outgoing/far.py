"""The far side: servers on real sockets that answer byte for byte what a test says, and a world in which names lead to them."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpcore2

from mutoscope.outgoing import Again, BreakerNumbers, Destination, Limits, Outgoing
from mutoscope.outgoing.pinned import dial

PUBLIC = "93.184.215.14"
"""An address that the tests give to names; it is dialled nowhere but at a server of theirs."""


class Asked:
    """A request as it came over the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        self.body = body


Handler = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts connections and requests; ``handler`` writes the answers."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections = 0
        self.names: list[str | None] = []
        """The name that TLS asked for, of each connection."""
        self.asked: list[Asked] = []
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                asked = Asked(head, b"")
                asked.body = await reader.readexactly(int(asked.headers.get("content-length", "0")))
                self.asked.append(asked)
                await self.handler(asked, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a free port of this machine."""
    server = Server(handler)
    if tls is not None:
        tls.sni_callback = lambda _, name, __: server.names.append(name)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls, limit=1024 * 1024)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(server.tasks):
            task.cancel()
        await asyncio.gather(*server.tasks)


def answer(status: int = 200, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def always(content: bytes) -> Handler:
    """Answers everything with the same bytes."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    return handle


def in_turn(*contents: bytes) -> Handler:
    """Answers with one after the other; empty bytes hang up."""
    left = list(contents)

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        content = left.pop(0) if len(left) > 1 else left[0]
        if content:
            writer.write(content)
        else:
            writer.close()

    return handle


class TestTime:
    """Time that passes when somebody sleeps, and dice that always say ``dice``."""

    __test__ = False

    def __init__(self, dice: float = 1.0) -> None:
        self.seconds, self.dice = 1_000_000.0, dice
        self.slept_s: list[float] = []

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic_s(self) -> float:
        return self.seconds

    def chance(self) -> float:
        return self.dice

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.seconds += seconds


class World:
    """Names, and where their addresses lead: (address, port) to a port of this machine. What leads nowhere is refused."""

    def __init__(self, names: Mapping[str, list[list[str]]], roads: Mapping[tuple[str, int], int]) -> None:
        self._names = {name: list(answers) for name, answers in names.items()}
        self._roads = roads
        self.resolved: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        if host not in self._names:
            raise OSError("no such name")
        answers = self._names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(self, address: str, port: int, timeout_s: float | None) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((address, port))
        if (address, port) not in self._roads:
            raise httpcore2.ConnectError("no road")
        return await dial("127.0.0.1", self._roads[address, port], timeout_s)


class Authority:
    """A certificate authority of the test's own, made by openssl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=tests"
        )

    def trusting(self) -> ssl.SSLContext:
        """For clients that trust it alone."""
        return ssl.create_default_context(cafile=self._folder / "ca.pem")

    def serving(self, *names: str) -> ssl.SSLContext:
        """For a server that is ``names``."""
        alternatives = ",".join(f"DNS:{name}" for name in names)
        (self._folder / "names").write_text(f"subjectAltName={alternatives}\n")
        self._run(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server"
        )
        self._run(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names"
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "server.pem", self._folder / "server.key")
        return context

    def _run(self, words: str) -> None:
        subprocess.run(["openssl", *words.split()], cwd=self._folder, check=True, capture_output=True)


@asynccontextmanager
async def asking(
    server: Server | str,
    *,
    headers: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    again: Again | None = None,
    breaker: BreakerNumbers | None = None,
    time: TestTime | None = None,
) -> AsyncIterator[Outgoing]:
    """The way out to a server of this machine, as an operator would name it."""
    base_url = server if isinstance(server, str) else f"http://127.0.0.1:{server.port}"
    outgoing = Outgoing(
        Destination(name="far", base_url=base_url, headers=headers or {}),
        limits=limits or Limits(connect_s=2, first_byte_s=2, silence_s=2, whole_s=5),
        again=again,
        breaker=breaker,
        time=time,
    )
    try:
        yield outgoing
    finally:
        await outgoing.close()


@asynccontextmanager
async def meeting(handler: Handler, **more: Any) -> AsyncIterator[tuple[Server, Outgoing]]:
    """A server and the way to it; ``more`` is for `asking`."""
    async with serving(handler) as server, asking(server, **more) as outgoing:
        yield server, outgoing
