"""How much more memory the server takes while a film of 1 GB is fetched, developed, stored and served to two clients.

The baseline is the same with a film of 2 MB, in a server of its own. What is counted is anonymous memory (RssAnon), every
50 ms: pages of files belong to the kernel's cache and are given back when they are wanted.
"""

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from benchmarks.claim import Claim, median
from benchmarks.films import clip, large
from benchmarks.serving import GivingServer, StudioServer

ROUNDS, CLIENTS = 3, 2
SMALL_S, LARGE_BYTES = 4.0, 1_000_000_000
EVERY_S, REST_S, PATIENCE_S = 0.05, 2.0, 900.0


class Watch:
    """Samples a server and its children in a thread, from start to end of the block."""

    def __init__(self, server: StudioServer) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.idle = _anonymous_mb(server.process.pid)
        self.own, self.child = [self.idle], [0.0]

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            server, *children = self._server.processes()
            self.own.append(_anonymous_mb(server.pid))
            self.child += [_anonymous_mb(child.pid) for child in children]


def _anonymous_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("RssAnon")), 0.0)


def finished(server: StudioServer, headers: dict[str, str]) -> dict[str, Any]:
    """Order a film and wait until all of it is there, previews too; the item."""
    with httpx2.Client(base_url=server.base_url, headers=headers, timeout=60) as http:
        wish = {"model": "stub/film", "prompt": "a film that is ready"}
        job = http.post("/api/generations", json=wish).raise_for_status().json()
        deadline = time.monotonic() + PATIENCE_S
        while not (job["media"] and job["media"][0]["previews"] != "pending"):
            assert job["status"] not in ("failed", "canceled"), job["error"]
            assert time.monotonic() < deadline, job["stage"]
            time.sleep(0.2)
            job = http.get(f"/api/generations/{job['id']}").raise_for_status().json()
        assert job["media"][0]["previews"] == "done", job["media"][0]["previews"]
        return job["media"][0]


def download(address: str) -> int:
    """Take a file as fast as it comes, keeping nothing; its size in bytes."""
    url = urlsplit(address)
    room, size = bytearray(1 << 18), 0
    with socket.create_connection((url.hostname, url.port), timeout=60) as connection:
        request = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 200"), head
        while count := connection.recv_into(room):
            size += count
    return size


def way(film: Path, folder: Path) -> tuple[float, float, float, float]:
    """The server's memory at rest, its growth, the largest child's memory, all in MB; and the seconds it took."""
    with GivingServer(film) as giver, StudioServer(folder, giver.base_url) as server:
        headers = server.join()
        time.sleep(REST_S)
        began = time.monotonic()
        with Watch(server) as watch:
            item = finished(server, headers)
            sizes: list[int] = []
            clients = [threading.Thread(target=lambda: sizes.append(download(item["url"]))) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        assert sizes == [film.stat().st_size] * CLIENTS, sizes
        return watch.idle, max(watch.own) - watch.idle, max(watch.child), time.monotonic() - began


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = {"small": folder / "small.mp4", "large": folder / "large.mp4"}
        clip(films["small"], SMALL_S)
        large(films["large"], LARGE_BYTES)
        ways: dict[str, list[tuple[float, float, float, float]]] = {"small": [], "large": []}
        for turn in range(ROUNDS):
            for size, film in films.items():
                ways[size].append(way(film, folder / f"{size}-{turn}"))
        of = {size: [median(column) for column in zip(*rows, strict=True)] for size, rows in ways.items()}
    yield Claim(
        what=f"growth of the server over {of['large'][0]:.0f} MB at rest, film of 1 GB", value=of["large"][1], unit="MB",
        baseline="film of 2 MB", baseline_value=of["small"][1], aim=48,
    )  # fmt: skip
    yield Claim(
        what="largest process of the jail, film of 1 GB", value=of["large"][2], unit="MB", baseline="film of 2 MB",
        baseline_value=of["small"][2],
    )  # fmt: skip
    yield Claim(
        what="the whole way, film of 1 GB", value=of["large"][3], unit="s", baseline="film of 2 MB",
        baseline_value=of["small"][3],
    )  # fmt: skip
