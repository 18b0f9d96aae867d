"""Jobs accepted per second (job, hold, ledger entry and event in one durable commit) against bare durable commits.

The baseline is SQLite alone: one connection, WAL, synchronous=FULL, one small row in each transaction.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.claim import AT_LEAST, Claim, median
from cast import generation, person
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.ledger import grant
from mutoscope.store.sqlite import open_sqlite

ROUNDS, SECONDS, CLIENTS = 5, 2.0, 64


def bare_rate(folder: Path) -> float:
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t (x TEXT);")
    count, end = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO t VALUES ('a job')")
        db.execute("COMMIT")
        count += 1
    db.close()
    return count / SECONDS


async def our_rate(folder: Path, name: str) -> float:
    store = await open_sqlite(folder / f"{name}.db", SystemClock())
    alice = person("alice")
    await store.people.add(alice, grant(alice.id, 1_000_000_000, name, "for the benchmark", 0))
    count, end = 0, time.perf_counter() + SECONDS

    async def client() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await store.generations.accept(generation(alice), None, "")
            count += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    await store.close()
    return count / SECONDS


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as folder:
        pairs = [
            (asyncio.run(our_rate(Path(folder), f"ours-{turn}")), bare_rate(Path(folder))) for turn in range(ROUNDS)
        ]
    yield Claim(
        what=f"jobs accepted by {CLIENTS} clients", value=median([ours for ours, _ in pairs]), unit="per s",
        baseline="bare durable commits", baseline_value=median([bare for _, bare in pairs]), direction=AT_LEAST,
    )  # fmt: skip
