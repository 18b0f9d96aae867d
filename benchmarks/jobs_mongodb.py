"""Jobs per second through two worker processes on one MongoDB, against the bare transactions of the same mongod.

A job goes the whole way, from the queue to an item in the gallery; its provider answers at once. It is done twice: with the
darkroom in its jail, and without it, where what is left is the store's work. Between the first and the last tenth of the
jobs: so neither start nor end is counted. The baseline are two processes that commit transactions of one small insert, with
the same concerns (snapshot, majority), in turns.
"""

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.claim import AT_LEAST, Claim, median
from benchmarks.gallery_mongodb import SECRET, mongod
from benchmarks.serving import Server
from cast import generation, person, pinned
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.ledger import grant
from mutoscope.domain.media import Kind
from mutoscope.domain.people import Person
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite.portable import SqliteCopies

ROUNDS, PROCESSES, PEOPLE, CLIENTS, SECONDS = 3, 2, 50, 16, 3.0
JOBS = {"none": 200, "jail": 100}
PATIENCE_S, LOOK_S = 180.0, 0.2
MAJORITY = WriteConcern(w="majority")


async def bare(uri: str) -> int:
    """How many transactions were committed in SECONDS."""
    count = 0
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        rows = client.get_default_database()["bare"]
        await rows.insert_one({"what": "the collection is there"})
        end = time.perf_counter() + SECONDS

        async def commit() -> None:
            nonlocal count
            while time.perf_counter() < end:
                async with client.start_session() as session:
                    await session.start_transaction(ReadConcern("snapshot"), MAJORITY)
                    await rows.insert_one({"what": "a job"}, session=session)
                    await session.commit_transaction()
                count += 1

        await asyncio.gather(*(commit() for _ in range(CLIENTS)))
    return count


async def bare_rate(uri: str) -> float:
    """Transactions per second of all processes together."""
    command = (sys.executable, "-m", "benchmarks.jobs_mongodb", uri)
    processes = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(PROCESSES)
    ]
    counts = [int((await process.communicate())[0]) for process in processes]
    return sum(counts) / SECONDS


async def order(store: Store, people: list[Person], count: int) -> None:
    """Put that many pictures into the queue."""
    clock = SystemClock()
    for place in range(count):
        now, owner = clock.now(), people[place % len(people)]
        wanted = pinned(provider="stub", model="stub/one", kind=Kind.IMAGE)
        times = {"created_at": now, "updated_at": now, "due_at": now, "stage_since": now}
        await store.generations.accept(generation(owner, pinned=wanted, **times), None, "")


async def job_rate(uri: str, data: Path, darkroom: str) -> float:
    """Jobs per second of the jobs that wait in the queue."""
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        jobs = client.get_default_database()["mutoscope_generations"]
        waiting = [job["_id"] async for job in jobs.find({"live": True}, ["_id"])]
        command = (sys.executable, "-m", "benchmarks.working", str(data), darkroom)
        with ExitStack() as workers:
            for _ in range(PROCESSES):
                workers.enter_context(Server(*command, MONGODB_URI=uri, JWT_SECRET=SECRET))
            until = time.monotonic() + PATIENCE_S
            while await jobs.count_documents({"live": True}, limit=1):
                assert time.monotonic() < until, "the jobs do not end"
                await asyncio.sleep(LOOK_S)
        done = {"_id": {"$in": waiting}, "state": "succeeded"}
        ended = sorted([job["finished_at"] async for job in jobs.find(done, ["finished_at"])])
    assert len(ended) == len(waiting), "a job was lost"
    tenth = len(ended) // 10
    return (len(ended) - 2 * tenth) / (ended[-tenth - 1] - ended[tenth - 1]) * 1000


async def measure(uri: str, data: Path) -> dict[str, float]:
    """Median rates: ``bare``, and jobs by their darkroom."""
    store = await open_mongo(uri, SystemClock(), SqliteCopies())
    people = [person(f"person-{n}") for n in range(PEOPLE)]
    for each in people:
        await store.people.add(each, grant(each.id, 1_000_000, secrets.token_hex(8), "for the benchmark", 0))
    rates: dict[str, list[float]] = {name: [] for name in ("bare", *JOBS)}
    for _ in range(ROUNDS):
        rates["bare"].append(await bare_rate(uri))
        for darkroom, count in JOBS.items():
            await order(store, people, count)
            rates[darkroom].append(await job_rate(uri, data, darkroom))
    await store.close()
    return {name: median(each) for name, each in rates.items()}


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as name, mongod(Path(name) / "mongod") as running:
        data = Path(name) / "data"
        data.mkdir()
        rates = asyncio.run(measure(running.uri(), data))
    for darkroom, what in (("none", "whole jobs but for the darkroom's work"), ("jail", "whole jobs")):
        yield Claim(
            what=f"{what}, {PROCESSES} workers", value=rates[darkroom], unit="per s", baseline="bare transactions",
            baseline_value=rates["bare"], direction=AT_LEAST,
        )  # fmt: skip


if __name__ == "__main__":
    print(asyncio.run(bare(sys.argv[1])))
