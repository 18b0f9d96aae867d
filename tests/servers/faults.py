"""A bad network: a proxy of TCP between us and any server, in a thread of its own.

It knows bytes and connections and no protocol, so that it does for S3 as for MongoDB. (A client of a replica set goes
to the addresses that the set names: ask for ``directConnection``, or name the proxy's address as the member's.)

    with Faults("127.0.0.1", port_of_the_server) as way:
        client = connect(way.host, way.port)
        way.slow(latency_ms=200)               # every byte comes 200 ms later, both ways
        way.slow(bytes_per_s=1_000_000)        # all connections together, each way
        way.cut()                              # every connection that is open ends with RST
        way.cut_after(3_000_000, UP, times=2)  # the next two connections that have carried so much end there with RST
        way.freeze()                           # half-open: accepts, answers nothing, and tells nobody
        way.refuse()                           # nobody listens
        way.heal()                             # passes all on again; what froze stays dead, as where a router forgot it

It does not delay TCP's own handshake, lose single packets or change their order.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Literal, TypeVar

BLOCK_BYTES = 65_536
ON_THE_WAY = 256
"""How many blocks may be delayed at once on one connection each way: 16 MiB, so that latency alone limits nothing."""
WAIT_S = 10.0
RST = struct.pack("ii", 1, 0)
"""SO_LINGER for no time at all: closing the socket then sends RST in place of FIN."""

Way = Literal["up", "down"]
UP: Way = "up"
"""From the client to the server."""
DOWN: Way = "down"
"""From the server to the client."""
T = TypeVar("T")


class Faults:
    """The proxy. ``connections``: how many were accepted; ``resets``: how many it cut; ``carried``: bytes, each way."""

    host = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self.port = self.connections = self.resets = 0
        self.carried: dict[Way, int] = {UP: 0, DOWN: 0}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faults", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._frozen = False
        self._pass_all()

    def __enter__(self) -> "Faults":
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def slow(self, latency_ms: float = 0, bytes_per_s: float | None = None) -> None:
        """Delay what passes, and let only so many bytes pass in a second, each way, over all connections together."""

        async def change() -> None:
            self.latency_s = latency_ms / 1000
            self.lines = {UP: _Line(bytes_per_s), DOWN: _Line(bytes_per_s)}

        self._do(change())

    def cut(self) -> int:
        """End every open connection by RST, now; how many there were. Those to come pass."""

        async def change() -> int:
            return sum(connection.reset() for connection in list(self._open))

        return self._do(change())

    def cut_after(self, size_bytes: int, way: Way = UP, times: int | None = None) -> None:
        """End each connection by RST once it has carried so many bytes from now on: ``times`` of them, or all."""

        async def change() -> None:
            self.knife = _Knife(size_bytes, way, times)

        self._do(change())

    def freeze(self) -> None:
        """Half-open: what is open falls silent for ever without FIN; what is new is accepted and never answered."""

        async def change() -> None:
            self._frozen = True
            for connection in self._open:
                connection.freeze()

        self._do(change())

    def refuse(self) -> None:
        """Listen no more: who connects is refused. Open connections end by RST."""

        async def change() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None
            for connection in list(self._open):
                connection.reset()

        self._do(change())

    def heal(self) -> None:
        """Pass everything on again, at once. Connections that froze stay dead: only the patience of their ends ends them."""

        async def change() -> None:
            self._frozen = False
            self._pass_all()
            if self._server is None:
                await self._listen()

        self._do(change())

    def _pass_all(self) -> None:
        self.latency_s = 0.0
        self.lines = {UP: _Line(None), DOWN: _Line(None)}
        self.knife: _Knife | None = None

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run it in the proxy's thread: state is touched there alone."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(WAIT_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = _Connection(self, reader, writer)
        self._open.add(connection)
        if not self._frozen:
            task = self._loop.create_task(connection.run(*self._upstream))
            connection.task = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def forget(self, connection: "_Connection") -> None:
        """It has ended."""
        self._open.discard(connection)

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # One turn for the transports to close their sockets.


class _Line:
    """What all connections share, one way: so many bytes in a second, or as many as there are."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._bytes_per_s, self._free_at = bytes_per_s, 0.0

    async def wait(self, size_bytes: int) -> None:
        """Return when these bytes have had their time on the line."""
        if self._bytes_per_s is not None:
            now = asyncio.get_running_loop().time()
            self._free_at = max(now, self._free_at) + size_bytes / self._bytes_per_s
            await asyncio.sleep(self._free_at - now)


class _Knife:
    """Cuts connections after so many bytes one way, counted for each from when the knife came."""

    def __init__(self, after_bytes: int, way: Way, times: int | None) -> None:
        self._after, self.way, self._times = after_bytes, way, times
        self._carried: dict[_Connection, int] = {}

    def left(self, connection: "_Connection") -> int | None:
        """How many bytes that connection may still carry; None when it is spared."""
        if self._times is not None and self._times <= 0:
            return None
        return self._after - self._carried.get(connection, 0)

    def count(self, connection: "_Connection", size_bytes: int) -> bool:
        """Whether these bytes were its last."""
        left = self.left(connection)
        if left is None:
            return False
        self._carried[connection] = self._carried.get(connection, 0) + size_bytes
        if size_bytes < left:
            return False
        if self._times is not None:
            self._times -= 1
        return True


class _Connection:
    """One connection of a client, and ours to the server for it."""

    def __init__(self, proxy: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader = proxy, reader
        self._writers = [writer]
        self._frozen = False
        self.task: asyncio.Task[None] | None = None

    async def run(self, host: str, port: int) -> None:
        """Carry both ways until both have ended, or one of them breaks."""
        try:
            reader, writer = await asyncio.open_connection(host, port)
            self._writers.append(writer)
            await asyncio.gather(self._carry(UP, self._reader, writer), self._carry(DOWN, reader, self._writers[0]))
        except OSError:
            self._abort()
        finally:
            if not self._frozen:
                self._close()

    def freeze(self) -> None:
        """Carry nothing more, and let go of nothing."""
        self._frozen = True
        if self.task is not None:
            self.task.cancel()

    def reset(self) -> bool:
        """End it by RST on both sides."""
        self._proxy.resets += 1
        self._abort()
        if self.task is not None:
            self.task.cancel()
        self._proxy.forget(self)
        return True

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read, and put down when each block is due; end when the other end has."""
        blocks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(ON_THE_WAY)
        loop = asyncio.get_running_loop()
        delivering = loop.create_task(self._deliver(way, blocks, writer))
        try:
            while block := await reader.read(BLOCK_BYTES):
                await blocks.put((loop.time() + self._proxy.latency_s, block))
            await blocks.put((loop.time() + self._proxy.latency_s, b""))
            await delivering
        finally:
            delivering.cancel()

    async def _deliver(
        self, way: Way, blocks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, block = await blocks.get()
            await asyncio.sleep(max(due - loop.time(), 0))
            if not block:
                with suppress(OSError):
                    writer.write_eof()
                return
            knife = self._proxy.knife if self._proxy.knife and self._proxy.knife.way == way else None
            block = block[: knife.left(self)] if knife else block
            await self._proxy.lines[way].wait(len(block))
            writer.write(block)
            await writer.drain()
            self._proxy.carried[way] += len(block)
            if knife and knife.count(self, len(block)):
                self.reset()
                return

    def _abort(self) -> None:
        for writer in self._writers:
            sock: socket.socket | None = writer.get_extra_info("socket")
            with suppress(OSError):
                if sock is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            writer.transport.abort()

    def _close(self) -> None:
        for writer in self._writers:
            writer.close()
        self._proxy.forget(self)
