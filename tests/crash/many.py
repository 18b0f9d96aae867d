"""A studio of many processes over one MongoDB and one bucket: any of them is killed, and so are the two servers."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from crash.studio import CATALOGUE, PATIENCE_S, TESTS, DiedEarly, KilledStudio
from mutoscope.blobs.port import Blobs
from mutoscope.blobs.s3 import S3Place, open_s3
from mutoscope.domain.ids import SystemClock
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import ReplicaSet
from servers.s3 import S3Server
from stubs.running import RunningStub

WEBS, WORKERS = ("web-1", "web-2"), ("worker-1", "worker-2")


class Process:
    """One process of the studio, with a data folder of its own."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str], arguments: list[str]) -> None:
        self.name, self.data = name, folder / name
        self._environment, self._arguments = environment, arguments
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[str] | None = None
        self.base_url = ""
        self.data.mkdir(parents=True)
        (self.data / "catalogue.toml").write_text(CATALOGUE)

    def begin(self, crash_at: str = "", *more: str) -> None:
        """Start it, without waiting for it."""
        environment = self._environment | {"CRASH_AT": crash_at, "CRASH_ROLE": self.name.split("-")[0]}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crash.victim", str(self.data), *self._arguments, *more],
                cwd=TESTS, env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def ready(self) -> bool:
        """Wait until it works; False when it died before."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            self.base_url = json.loads(line)["base_url"]
        return bool(line)

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_S)

    def await_death(self, seconds: float) -> None:
        """Wait until it has killed itself where it should; it may never come there."""
        assert self._process is not None
        try:
            self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()


class ManyStudio(KilledStudio):
    """Two web processes and two workers."""

    lease_ms = 3_000
    """Short, since a killed worker's jobs wait for its end."""

    def __init__(self, folder: Path, stub: RunningStub, mongo: ReplicaSet, s3: S3Server, place: S3Place) -> None:
        super().__init__(folder / "data", stub)
        self.mongo, self.s3, self.place = mongo, s3, place
        environment = os.environ | {
            "MUTOSCOPE_PORT": "0", "MUTOSCOPE_SIGN_UP_GRANT": "0", "MUTOSCOPE_PER_PERSON_JOBS": "16",
            "MUTOSCOPE_ORDERS_PER_MINUTE": "6000",
            "MUTOSCOPE_DELIVERY": "studio", "CRASH_LEASE_MS": str(self.lease_ms),
            "MONGODB_URI": mongo.uri("studio"), "JWT_SECRET": random.Random(7).randbytes(32).hex(),
            "AWS_S3_BUCKET": place.bucket, "AWS_ENDPOINT_URL": place.endpoint or "",
            "AWS_ACCESS_KEY_ID": place.access_key_id or "", "AWS_SECRET_ACCESS_KEY": place.secret_access_key or "",
        }  # fmt: skip
        self.processes = {
            name: Process(name, folder, environment, [stub.address, self.kind]) for name in (*WEBS, *WORKERS)
        }

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()

    def begin(self, *more: str) -> None:
        """Start all that do not run, and wait for them."""
        waiting = [process for process in self.processes.values() if not process.alive()]
        for process in waiting:
            process.begin("", *more)
        for process in waiting:
            assert process.ready(), f"{process.name} did not start: see its log"

    def end(self) -> None:
        """Stop all."""
        for process in self.processes.values():
            if process.alive():
                process.stop()

    @contextmanager
    def through(self, name: str) -> Iterator[None]:
        """What is asked meanwhile is asked of that web process."""
        self.data, self.base_url = self.processes[name].data, self.processes[name].base_url
        yield

    def place_orders(self, keys: list[str], wishes: tuple[dict[str, Any], ...], rng: random.Random) -> None:
        """Order through either web process what was not accepted yet; who gets no answer, or a sorry, asks again later."""
        for number, key in enumerate(keys):
            web = self.processes[rng.choice(WEBS)]
            if key in self.accepted or not web.alive():
                continue
            with self.through(web.name):
                try:
                    answer = self.try_to_order(key, wishes[number % len(wishes)])
                    assert answer.is_success or answer.status_code == 503, answer.text
                except DiedEarly:
                    continue

    async def open_store(self) -> Store:
        return await open_mongo(self.mongo.uri("studio"), SystemClock(), SqliteCopies())

    def open_blobs(self) -> Blobs:
        return open_s3(self.place, SystemClock())

    def sweep(self) -> None:
        """Start the workers with a sweep that takes what is older than now, and wait until no spool holds a file."""
        for name in WORKERS:
            self.processes[name].begin("", "sweep-now")
        for name in WORKERS:
            assert self.processes[name].ready()
        deadline = time.monotonic() + PATIENCE_S
        while left := [
            path for name in WORKERS for path in (self.processes[name].data / "spool").rglob("*") if path.is_file()
        ]:
            assert time.monotonic() < deadline, f"left in the spool: {left}"
            time.sleep(0.1)
        time.sleep(1)
        self.end()


def unavailable(address: str) -> bool:
    """Whether nothing answers there yet."""
    try:
        httpx2.get(address, timeout=2)
    except httpx2.TransportError:
        return True
    return False
