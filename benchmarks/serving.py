"""Servers for benchmarks, each a process of its own, and a client that costs little."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
import psutil

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}

BARE = """
import sys, socket
from litestar import Litestar, get, Response
import uvicorn
body = open(sys.argv[1], 'rb').read()
@get('/', media_type='application/json')
async def page() -> Response[bytes]:
    return Response(body)
listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen(64)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(Litestar([page], openapi_config=None, logging_config=None), loop='uvloop', http='httptools',
                        log_config=None, access_log=False, lifespan='off')
uvicorn.Server(config).run(sockets=[listener])
"""


class Server:
    """A child process that says where it listens (a port, or JSON, or a sentence), and is ended with the block."""

    def __init__(self, *command: str, **environment: str) -> None:
        self._command, self._environment = command, environment
        self.base_url = ""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, env=ENVIRONMENT | self._environment, cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.strip().isdigit():
            self.base_url = f"http://127.0.0.1:{int(line)}"
        else:
            self.base_url = json.loads(line)["base_url"] if line.startswith("{") else _address(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise


def _address(line: str) -> str:
    if " is at " not in line:
        raise SystemExit(f"the server did not start: {line.strip() or 'it said nothing'}")
    return line.split(" is at ")[1].split()[0]


class StudioServer(Server):
    """A studio over a data folder: `mutoscope serve`, or with ``provider`` one whose films come from that address.

    ``environment`` holds further settings.
    """

    def __init__(self, data: Path, provider: str | None = None, **environment: str) -> None:
        mutoscope = (str(Path(sys.executable).parent / "mutoscope"), "--data", str(data), "serve")
        other = (sys.executable, "-m", "benchmarks.studio", str(data), provider or "")
        own = {"MUTOSCOPE_PORT": "0", "MUTOSCOPE_SIGN_UP_GRANT": "0"}
        super().__init__(*(other if provider else mutoscope), **(own | environment))
        self.data = data
        self.cold_start_s = 0.0

    def __enter__(self) -> Self:
        began = time.perf_counter()
        super().__enter__()
        httpx2.get(f"{self.base_url}/healthz", timeout=30).raise_for_status()
        self.cold_start_s = time.perf_counter() - began
        return self

    def join(self, name: str = "alice", tokens: int = 1_000) -> dict[str, str]:
        """Make an account with tokens; the header to ask as that person."""
        transport = httpx2.HTTPTransport(uds=str(self.data / "operator.sock"))
        with httpx2.Client(transport=transport, base_url="http://localhost") as http:
            for path, body in (
                ("people", {"name": name, "role": "admin"}),
                ("grants", {"name": name, "amount": tokens, "reference": "start"}),
                ("tokens", {"name": name}),
            ):
                answer: Any = http.post(f"/operator/{path}", json=body).raise_for_status().json()
        return {"Authorization": f"Bearer {answer['access_token']}"}

    def processes(self) -> list[psutil.Process]:
        """The server, and the processes below it."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]


class BareServer(Server):
    """Litestar with one route that answers these bytes."""

    def __init__(self, body: bytes) -> None:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(body)
        self._file = Path(file.name)
        super().__init__(sys.executable, "-c", BARE, file.name)

    def __enter__(self) -> Self:
        super().__enter__()
        self._file.unlink()  # it has read it when it says its port
        return self


class GivingServer(Server):
    """A provider that has this film ready."""

    def __init__(self, film: Path) -> None:
        super().__init__(sys.executable, "-m", "benchmarks.giving", str(film))

    def given_at(self) -> float:
        """When the last byte of the film went out, by `time.monotonic`."""
        return httpx2.get(f"{self.base_url}/given").raise_for_status().json()["at"]


class Line:
    """One connection that is kept open. A client for rates: a full one would cost more than the server it measures."""

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc

    async def __aenter__(self) -> "Line":
        host, port = self._host.split(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def get(self, target: str) -> bytes:
        """The body of a 200."""
        self._writer.write(f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 "), head
        return await self._reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
