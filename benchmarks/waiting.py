"""How late polls begin while 5,000 jobs wait at a provider, and how much memory the worker takes then.

One studio with its worker, and the real adapter for video servers at its stub, which never finishes. The jobs are films of
ten minutes, so each is asked for every 30 to 36 s. A poll is late by the time from its due moment to its beginning. The
baseline is the same studio with 50 jobs, in turns. While one runs the other is off, so that each begins with all its jobs
overdue: how fast a worker catches up is seen then, and lateness is measured once that is over.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import msgspec
import psutil

from benchmarks.claim import Claim, median
from benchmarks.serving import Server
from cast import generation, person, pinned
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.ledger import grant
from mutoscope.store.sqlite import open_sqlite
from stubs.book import Script
from stubs.vendor import KEY

ROUNDS, MANY, FEW = 3, 5_000, 50
PEOPLE, TYPICAL_MS = 50, 600_000
SETTLE_S, WATCHED_S, PATIENCE_S, LOOK_S = 45.0, 45.0, 600.0, 0.5
BUSIEST_S = 10
PROVIDER = "videos/one"
WORDS = {
    "memory_mb": "memory of the server (resident, at most)",
    "late_p50_ms": "polls begin late by",
    "late_p99_ms": "one of 100 begins late by more than",
    "took_p50_ms": "a poll takes",
    "per_s": "polls",
    "processor": "of a processor, the server",
    "most_per_s": f"polls in the busiest {BUSIEST_S} s",
}


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What one round saw: MB, milliseconds, polls per second, and seconds of a processor for each second."""

    memory_mb: float
    late_p50_ms: float
    late_p99_ms: float
    took_p50_ms: float
    per_s: float
    most_per_s: float
    processor: float


class Studio:
    """A data folder with jobs, and the provider that has them."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.data, self.jobs = folder / "data", jobs
        self.data.mkdir(parents=True)
        self._stub_command = (sys.executable, "-m", "stubs.openai_videos", "--state", str(folder / "stub"))
        asyncio.run(self._order())
        self._port = 0

    async def _order(self) -> None:
        """Put the jobs into the queue."""
        clock = SystemClock()
        store = await open_sqlite(self.data / "mutoscope.db", clock)
        people = [person(f"person-{n}") for n in range(PEOPLE)]
        for each in people:
            await store.people.add(each, grant(each.id, 1_000_000, each.id, "for the benchmark", 0))
        model = pinned(provider=PROVIDER, model="one/film", upstream="wan", typical_ms=TYPICAL_MS)
        now = clock.now()
        times = {"created_at": now, "updated_at": now, "due_at": now, "stage_since": now}
        orders = [generation(people[place % PEOPLE], pinned=model, **times) for place in range(self.jobs)]
        await asyncio.gather(*(store.generations.accept(order, None, "") for order in orders))
        await store.close()

    def watch(self) -> Waiting:
        """Run the studio, let it settle, and look."""
        (self.data / "polls").unlink(missing_ok=True)
        with Server(*self._stub_command, "--port", str(self._port)) as stub:
            script = msgspec.json.encode(Script(end="never"))
            httpx2.post(f"{stub.base_url}/admin/script", content=script).raise_for_status()
            self._port = int(stub.base_url.rpartition(":")[2])
            with Server(
                sys.executable, "-m", "benchmarks.polling", str(self.data), MUTOSCOPE_PORT="0",
                MUTOSCOPE_SIGN_UP_GRANT="0", MUTOSCOPE_VIDEO_SERVERS=f"one={stub.base_url}/omni/v1",
                MUTOSCOPE_VIDEO_SERVER_KEYS=f"one={KEY}", MUTOSCOPE_PROVIDER_JOBS=f"{PROVIDER}=9999",
                MUTOSCOPE_PER_PERSON_JOBS="1000",
            ) as studio:  # fmt: skip
                self._wait_rendering()
                time.sleep(SETTLE_S)
                return self._look(psutil.Process(studio.process.pid))

    def _wait_rendering(self) -> None:
        until = time.monotonic() + PATIENCE_S
        uri = f"file:{self.data / 'mutoscope.db'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            while (
                n := db.execute("SELECT count(*) FROM generations WHERE state = 'rendering'").fetchone()[0]
            ) < self.jobs:
                assert time.monotonic() < until, f"{n} of {self.jobs} are at the provider"
                time.sleep(LOOK_S)

    def _look(self, worker: psutil.Process) -> Waiting:
        memory: list[float] = []
        began_ms, used_s, began = SystemClock().now(), sum(worker.cpu_times()[:2]), time.monotonic()
        while time.monotonic() < began + WATCHED_S:
            memory.append(worker.memory_info().rss / 1e6)
            time.sleep(LOOK_S)
        used_s = sum(worker.cpu_times()[:2]) - used_s
        lines = [line.split() for line in (self.data / "polls").read_text().splitlines() if line.count(" ") == 2]
        polls = [(int(at), int(late), float(took)) for at, late, took in lines]
        seen = [poll for poll in polls if poll[0] >= began_ms]
        late, took = sorted(poll[1] for poll in seen), [poll[2] for poll in seen]
        return Waiting(
            memory_mb=max(memory),
            late_p50_ms=median(late),
            late_p99_ms=late[int(len(late) * 0.99)],
            took_p50_ms=median(took),
            per_s=len(seen) / WATCHED_S,
            most_per_s=busiest_per_s([poll[0] for poll in polls]),
            processor=used_s / WATCHED_S,
        )


def busiest_per_s(began_ms: list[int]) -> float:
    """The rate of the busiest time of BUSIEST_S."""
    began_ms = sorted(began_ms)
    most, first = 0, 0
    for place, began in enumerate(began_ms):
        while began_ms[first] + BUSIEST_S * 1000 <= began:
            first += 1
        most = max(most, place + 1 - first)
    return most / BUSIEST_S


def run() -> Iterator[Claim]:
    rounds: dict[int, list[Waiting]] = {FEW: [], MANY: []}
    with tempfile.TemporaryDirectory() as name:
        studios = {jobs: Studio(Path(name) / str(jobs), jobs) for jobs in rounds}
        for _ in range(ROUNDS):
            for jobs, studio in studios.items():
                rounds[jobs].append(studio.watch())
    for what, unit, aim in (
        ("memory_mb", "MB", 300), ("late_p50_ms", "ms", None), ("late_p99_ms", "ms", 1_000), ("took_p50_ms", "ms", None),
        ("per_s", "per s", None), ("processor", "s per s", None), ("most_per_s", "per s", None),
    ):  # fmt: skip
        few, many = (median([getattr(seen, what) for seen in rounds[jobs]]) for jobs in (FEW, MANY))
        yield Claim(
            what=f"{WORDS[what]}, {MANY:,} jobs",
            value=many,
            unit=unit,
            baseline=f"{FEW} jobs",
            baseline_value=few,
            aim=aim,
        )
