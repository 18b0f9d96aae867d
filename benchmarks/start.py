"""Cold start to the first answer, and memory at rest, of the whole studio.

The baseline for the start is a Python that only imports Litestar and uvicorn and answers one route.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil

from benchmarks.claim import Claim, median
from benchmarks.serving import BareServer, Server, StudioServer

ROUNDS, REST_S = 5, 3.0


def bare_start() -> tuple[float, float]:
    """Seconds to the first answer, and seconds of the processor that they took."""
    began = time.perf_counter()
    with BareServer(b"{}") as server:
        httpx2.get(server.base_url, timeout=30).raise_for_status()
        return time.perf_counter() - began, processor_s(server)


def processor_s(server: Server) -> float:
    """What the server's process has used of the processor: a figure that busy neighbours change little."""
    times = psutil.Process(server.process.pid).cpu_times()
    return times.user + times.system


def run() -> Iterator[Claim]:
    starts: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    memory: list[float] = []
    everything: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            bare.append(bare_start())
            with StudioServer(Path(folder) / "data") as server:
                starts.append((server.cold_start_s, processor_s(server)))
                time.sleep(REST_S)
                own, *others = [each.memory_full_info() for each in server.processes()]
                memory.append(own.rss / 1e6)
                everything.append(sum(each.pss for each in (own, *others)) / 1e6)
    (ours_s, our_processor_s), (bare_s, bare_processor_s) = (
        [median(column) for column in zip(*rows, strict=True)] for rows in (starts, bare)
    )
    yield Claim(
        what="cold start to the first answer", value=ours_s, unit="s", baseline="a bare Litestar", baseline_value=bare_s,
        aim=1.5,
    )  # fmt: skip
    yield Claim(
        what="of the processor until then", value=our_processor_s, unit="s", baseline="a bare Litestar",
        baseline_value=bare_processor_s,
    )  # fmt: skip
    yield Claim(what="memory at rest, the server (resident)", value=median(memory), unit="MB", aim=120)
    yield Claim(what="memory at rest, the server and its processes (proportional)", value=median(everything), unit="MB")
