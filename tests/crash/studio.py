"""A studio that is killed and started again over one data folder, and what must hold of it afterwards."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

from mutoscope.blobs.folder import FolderBlobs
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.search import EVERYTHING, Query
from mutoscope.store.port import GenerationFilter
from mutoscope.store.sqlite import open_sqlite
from stubs.running import RunningStub

TESTS = Path(__file__).parents[1]
PATIENCE_S = 30.0
TOKENS = 1_000_000

CATALOGUE = """
[[model]]
id = "stub/picture"
provider = "stub"
upstream = "picture"
name = "Stub picture"
description = "A stub."
kind = "image"
results_max = 4
price = { base = 3 }
typical_ms = 200

[[model]]
id = "stub/film"
provider = "stub"
upstream = "film"
name = "Stub film"
description = "A stub."
kind = "video"
price = { base = 7 }
typical_ms = 200
"""


class DiedEarly(Exception):
    """The server ended while it was asked something."""


class KilledStudio:
    """The server process, the orders that were placed, and their keys."""

    def __init__(self, data: Path, stub: RunningStub, can_be_asked: bool) -> None:
        self.data, self.stub, self.can_be_asked = data, stub, can_be_asked
        self.kills = 0
        self.accepted: dict[str, str] = {}
        """The id of each job, by the idempotency key of its order."""
        self._token = ""
        data.mkdir(parents=True)
        (data / "catalogue.toml").write_text(CATALOGUE)
        self._log = data.parent / "server.log"

    def start(self, crash_at: str = "", sweep_now: bool = False) -> None:
        """Start the server and wait until it listens (or has died at ``crash_at``)."""
        self.crash_at = crash_at
        command = [sys.executable, "-m", "crash.victim", str(self.data), self.stub.address]
        command += [] if self.can_be_asked else ["cannot-be-asked"]
        command += ["sweep-now"] if sweep_now else []
        environment = os.environ | {"CRASH_AT": crash_at, "MUTOSCOPE_PORT": "0", "MUTOSCOPE_SIGN_UP_GRANT": "0",
                                    "MUTOSCOPE_PER_PERSON_JOBS": "16"}  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=TESTS, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            self.base_url = json.loads(line)["base_url"]
        elif not crash_at:
            raise AssertionError("the server did not start: see server.log")

    def people(self) -> None:
        """An account with tokens, and the token to order with; it outlives the server."""
        with httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(self.data / "operator.sock")), base_url="http://localhost"
        ) as http:
            for path, body in (
                ("/operator/people", {"name": "alice", "role": "admin"}),
                ("/operator/grants", {"name": "alice", "amount": TOKENS, "reference": "start"}),
                ("/operator/tokens", {"name": "alice"}),
            ):
                answer = http.post(path, json=body).raise_for_status().json()
        self._token = answer["access_token"]

    def order(self, key: str, wish: dict[str, Any]) -> None:
        """Place an order; remembers the job when the answer comes. Raises DiedEarly."""
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        try:
            response = httpx2.post(f"{self.base_url}/api/generations", json=wish, headers=headers, timeout=PATIENCE_S)
        except httpx2.TransportError as e:
            raise DiedEarly from e
        assert response.status_code in (200, 202), response.text
        self.accepted[key] = response.json()["id"]

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def wait_dead(self) -> None:
        """Wait until the process has been killed where it should be."""
        try:
            self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise AssertionError(f"it never came to {self.crash_at}") from None
        assert self._process.returncode == -9, f"ended with {self._process.returncode} at {self.crash_at}"
        self.kills += 1

    def kill(self) -> None:
        """SIGKILL, now."""
        self._process.kill()
        self.wait_dead()

    def stop(self) -> None:
        """End in peace."""
        if self.alive():
            self._process.terminate()
            self._process.communicate(timeout=PATIENCE_S)

    def wait_settled(self) -> None:
        """Wait until no accepted job is on its way any more."""
        deadline = time.monotonic() + PATIENCE_S
        headers = {"Authorization": f"Bearer {self._token}"}
        waiting = set(self.accepted.values())
        while waiting:
            for id in list(waiting):
                job = httpx2.get(f"{self.base_url}/api/generations/{id}", headers=headers, timeout=PATIENCE_S).json()
                if job["status"] in ("succeeded", "failed", "canceled") or job["stage"] == State.OUTCOME_UNKNOWN:
                    waiting.discard(id)
            assert time.monotonic() < deadline, f"still on their way: {waiting}"
            time.sleep(0.05)

    def wait_swept(self) -> None:
        """Start with a sweep that takes what is older than now, and wait until the spool holds no file."""
        self.start(sweep_now=True)
        deadline = time.monotonic() + PATIENCE_S
        while left := [path for path in (self.data / "spool").rglob("*") if path.is_file()]:
            assert time.monotonic() < deadline, f"left in the spool: {left}"
            time.sleep(0.05)
        time.sleep(0.5)  # One more round of the sweep over the stored objects.
        self.stop()

    async def examine(self) -> Counter[State]:
        """What must hold of a studio at rest. Returns how many jobs ended in which state."""
        store = await open_sqlite(self.data / "mutoscope.db", SystemClock())
        try:
            assert await store.ledger.proof() == []
            jobs = await _everything(lambda cursor: store.generations.list(GenerationFilter(), cursor, 100))
            items = await _everything(lambda cursor: store.media.search(EVERYTHING, Query(), True, cursor, 100))
        finally:
            await store.close()
        assert {job.id for job in jobs} >= set(self.accepted.values()), "an accepted job is gone"
        self._check_jobs(jobs, items)
        await self._check_files(items)
        return Counter(job.state for job in jobs)

    def _check_jobs(self, jobs: list[Any], items: list[Any]) -> None:
        counts = httpx2.get(f"{self.stub.address}/admin/counts", timeout=PATIENCE_S).json()
        made = Counter(item.generation_id for item in items)
        for job in jobs:
            paid = counts.get(job.id, {}).get("paid", 0)
            assert paid <= 1, f"{job.id} was paid for {paid} times"
            if job.state is State.SUCCEEDED:
                assert paid == 1
                assert made[job.id] == len(job.media_ids), f"{job.id} is in the gallery {made[job.id]} times"
                assert job.captured == job.hold
            else:
                assert job.state is State.OUTCOME_UNKNOWN, f"{job.id} ended {job.state}: {job.failure}"
                assert not self.can_be_asked, "a provider that can be asked leaves nothing unknown"
                assert made[job.id] == 0
        assert len({item.id for item in items}) == len(items)

    async def _check_files(self, items: list[Any]) -> None:
        recorded = {file.key: file.size_bytes for item in items for file in item.files.values()}
        stored = {info.key: info.size_bytes async for info in FolderBlobs(self.data / "media").list("")}
        assert stored == recorded, (
            f"orphans {stored.keys() - recorded.keys()}, missing {recorded.keys() - stored.keys()}"
        )


async def _everything(page_after: Any) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = await page_after(cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found
