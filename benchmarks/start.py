"""Cold start to the first answer, and memory at rest, of the whole studio.

The baseline for the start is a Python that only imports Litestar and uvicorn and answers one route.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from benchmarks.claim import Claim, median
from benchmarks.serving import BareServer, StudioServer

ROUNDS, REST_S = 5, 3.0


def bare_start_s() -> float:
    began = time.perf_counter()
    with BareServer(b"{}") as server:
        httpx2.get(server.base_url, timeout=30).raise_for_status()
        return time.perf_counter() - began


def run() -> Iterator[Claim]:
    starts: list[float] = []
    bare: list[float] = []
    memory: list[float] = []
    everything: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            bare.append(bare_start_s())
            with StudioServer(Path(folder) / "data") as server:
                starts.append(server.cold_start_s)
                time.sleep(REST_S)
                own, *others = [each.memory_full_info() for each in server.processes()]
                memory.append(own.rss / 1e6)
                everything.append(sum(each.pss for each in (own, *others)) / 1e6)
    yield Claim(
        what="cold start to the first answer", value=median(starts), unit="s", baseline="a bare Litestar",
        baseline_value=median(bare), aim=1.5,
    )  # fmt: skip
    yield Claim(what="memory at rest, the server (resident)", value=median(memory), unit="MB", aim=120)
    yield Claim(what="memory at rest, the server and its processes (proportional)", value=median(everything), unit="MB")
