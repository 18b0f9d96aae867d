"""Servers for benchmarks, each a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import httpx2
import psutil

ROOT = Path(__file__).parents[1]

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


class _Server:
    """A child process that is ended with the block."""

    base_url = ""
    process: subprocess.Popen[str]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)


class StudioServer(_Server):
    """`mutoscope serve` over a data folder; knows how long it took to the first answer."""

    def __init__(self, data: Path, *command: str, **environment: str) -> None:
        self.data = data
        self._command = command or (str(Path(sys.executable).parent / "mutoscope"), "--data", str(data), "serve")
        self._environment = {"MUTOSCOPE_PORT": "0", **environment}
        self.cold_start_s = 0.0

    def __enter__(self) -> "StudioServer":
        began = time.perf_counter()
        self.process = subprocess.Popen(
            self._command, env=os.environ | self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            cwd=ROOT / "tests",
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.base_url = json.loads(line)["base_url"] if line.startswith("{") else line.split(" is at ")[1].split()[0]
        httpx2.get(f"{self.base_url}/healthz", timeout=30).raise_for_status()
        self.cold_start_s = time.perf_counter() - began
        return self

    def operator(self, path: str, body: object) -> dict[str, str]:
        """Ask as the operator, over the studio's socket."""
        transport = httpx2.HTTPTransport(uds=str(self.data / "operator.sock"))
        with httpx2.Client(transport=transport, base_url="http://localhost") as http:
            return http.post(path, json=body).raise_for_status().json()

    def resident_mb(self) -> float:
        """What the server and its children have in memory, shared pages counted once (proportional set size)."""
        server = psutil.Process(self.process.pid)
        return sum(each.memory_full_info().pss for each in [server, *server.children(recursive=True)]) / 1e6

    def own_mb(self) -> float:
        """What the server process alone has in memory."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6


class BareServer(_Server):
    """Litestar with one route that answers these bytes."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __enter__(self) -> "BareServer":
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(self._body)
        self.process = subprocess.Popen([sys.executable, "-c", BARE, file.name], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.base_url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        Path(file.name).unlink()
        return self
