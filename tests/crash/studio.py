"""A studio that is killed and started again over one data folder, and what must hold of it afterwards."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import httpx2

from crash.backends import Backend
from mutoscope.blobs.port import Blobs
from mutoscope.domain.generation import Generation, State
from mutoscope.domain.ledger import Entry, EntryKind
from mutoscope.domain.media import Kind, Previews, Variant
from mutoscope.domain.search import EVERYTHING, Query
from mutoscope.store.port import GenerationFilter, Store
from stubs.running import RunningStub

TESTS = Path(__file__).parents[1]
PATIENCE_S = 60.0
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

    def __init__(
        self, data: Path, stub: RunningStub, kind: str = "can-be-asked", backend: Backend | None = None
    ) -> None:
        """``kind``: the manners of its provider, see `victim.providers`. ``backend``: where it keeps things."""
        self.data, self.stub, self.kind, self.backend = data, stub, kind, backend or Backend()
        self.kills = 0
        self.accepted: dict[str, str] = {}
        """The id of each job, by the idempotency key of its order."""
        self._token = ""
        self._process: subprocess.Popen[str] | None = None
        data.mkdir(parents=True, exist_ok=True)
        (data / "catalogue.toml").write_text(CATALOGUE)
        self.log = data.parent / "server.log"

    def __enter__(self) -> "KilledStudio":
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process behind when a test breaks off."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def start(self, crash_at: str = "", sweep_now: bool = False) -> None:
        """Start the server and wait until it listens (or has died at ``crash_at``)."""
        self.crash_at = crash_at
        command = [sys.executable, "-m", "crash.victim", str(self.data), self.stub.address, self.kind]
        command += ["sweep-now"] if sweep_now else []
        environment = os.environ | self.backend.environment | {
            "CRASH_AT": crash_at, "MUTOSCOPE_PORT": "0", "MUTOSCOPE_SIGN_UP_GRANT": "0",
            "MUTOSCOPE_PER_PERSON_JOBS": "16", "MUTOSCOPE_ORDERS_PER_MINUTE": "6000",
        }  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=TESTS, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            self.base_url = json.loads(line)["base_url"]
        elif not crash_at:
            raise AssertionError("the server did not start: see server.log")

    def people(self, tokens: int = TOKENS) -> None:
        """An account with tokens, and the token to order with; it outlives the server."""
        with httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(self.data / "operator.sock")), base_url="http://localhost"
        ) as http:
            for path, body in (
                ("/operator/people", {"name": "alice", "role": "admin"}),
                ("/operator/grants", {"name": "alice", "amount": tokens, "reference": "start"}),
                ("/operator/tokens", {"name": "alice"}),
            ):
                answer = http.post(path, json=body).raise_for_status().json()
        self._token = answer["access_token"]

    def signed_in(self) -> dict[str, str]:
        """The header field that makes a request alice's."""
        return {"Authorization": f"Bearer {self._token}"}

    def order(self, key: str, wish: dict[str, Any]) -> None:
        """Place an order; remembers the job when the answer comes. Raises DiedEarly."""
        response = self.try_to_order(key, wish)
        assert response.is_success, response.text

    def try_to_order(self, key: str, wish: dict[str, Any], image: bytes | None = None) -> httpx2.Response:
        """Place an order, with a picture to start from if given; it may be refused. Raises DiedEarly."""
        headers = {**self.signed_in(), "Idempotency-Key": key}
        form = {"data": {"request": json.dumps(wish)}, "files": {"image": image}}
        body: dict[str, Any] = {"json": wish} if image is None else form
        try:
            response = httpx2.post(f"{self.base_url}/api/generations", headers=headers, timeout=PATIENCE_S, **body)
        except httpx2.TransportError as e:
            raise DiedEarly from e
        if response.is_success:
            self.accepted[key] = response.json()["id"]
        return response

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

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
        """Wait until no accepted job is on its way any more, and every film has its previews."""
        waiting = set(self.accepted.values())

        def on_their_way() -> set[str]:
            for id in list(waiting):
                job = self.ask(f"/api/generations/{id}")
                if job["status"] in ("succeeded", "failed", "canceled") or job["stage"] == State.OUTCOME_UNKNOWN:
                    waiting.discard(id)
            return waiting

        self.until_none(on_their_way, "still on their way")
        self.until_none(lambda: {film["id"] for film in self.films() if "preview" not in film["urls"]}, "no previews")

    def films(self) -> list[Any]:
        """Alice's films."""
        found, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.ask("/api/media", scope="library", q="kind:video", limit="100", **more)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def ask(self, path: str, **query: str) -> Any:
        """What alice gets to see."""
        answer = httpx2.get(self.base_url + path, params=query, headers=self.signed_in(), timeout=PATIENCE_S)
        return answer.raise_for_status().json()

    def until_none(self, left: Callable[[], Collection[Any]], what: str) -> None:
        """Wait until nothing is left."""
        deadline = time.monotonic() + PATIENCE_S
        while found := left():
            assert time.monotonic() < deadline, f"{what}: {found}"
            time.sleep(0.1)

    def wait_swept(self) -> None:
        """Start with a sweep that takes what is older than now, and wait until the spool holds no file."""
        self.start(sweep_now=True)
        self.until_none(self.left_in_spool, "left in the spool")
        time.sleep(1)  # One more round of the sweep over the stored objects.
        self.stop()

    def left_in_spool(self) -> list[str]:
        """The names of files that nobody there may need any more."""
        # os.walk, since folders go while they are looked through.
        return [name for _, _, names in os.walk(self.data / "spool") for name in names]

    async def examine(self) -> Counter[State]:
        """What must hold of a studio at rest. Returns how many jobs ended in which state."""
        store = await self.open_store()
        try:
            assert await store.ledger.proof() == []
            jobs = await _everything(lambda cursor: store.generations.list(GenerationFilter(), cursor, 100))
            items = await _everything(lambda cursor: store.media.search(EVERYTHING, Query(), True, cursor, 100))
            alice = await store.people.by_name("alice")
            assert alice is not None
            entries = await _everything(lambda cursor: store.ledger.statement(alice.id, cursor, 100))
        finally:
            await store.close()
        assert {job.id for job in jobs} >= set(self.accepted.values()), "an accepted job is gone"
        self._check_jobs(jobs, items)
        _check_entries(jobs, [entry for entry, _ in entries])
        await self._check_files(jobs, items)
        return Counter(job.state for job in jobs)

    async def jobs(self) -> list[Generation]:
        """All jobs, of a studio at rest."""
        store = await self.open_store()
        try:
            return await _everything(lambda cursor: store.generations.list(GenerationFilter(), cursor, 100))
        finally:
            await store.close()

    async def open_store(self) -> Store:
        """The records."""
        return await self.backend.open_store(self.data)

    def open_blobs(self) -> Blobs:
        """The media."""
        return self.backend.open_blobs(self.data)

    def named(self, job: Generation) -> str:
        """The name by which the stub counts a job."""
        return job.id

    def may_be_unknown(self, job: Generation) -> bool:
        """Whether a kill may leave that job with an outcome that nobody knows."""
        return self.kind == "cannot-be-asked"

    def _check_jobs(self, jobs: list[Any], items: list[Any]) -> None:
        counts = httpx2.get(f"{self.stub.address}/admin/counts", timeout=PATIENCE_S).json()
        made = Counter(item.generation_id for item in items)
        for job in jobs:
            paid = counts.get(self.named(job), {}).get("paid", 0)
            assert paid <= 1, f"{job.id} was paid for {paid} times"
            if job.state is State.SUCCEEDED:
                assert paid == 1 or self.kind == "local"
                assert made[job.id] == len(job.media_ids), f"{job.id} is in the gallery {made[job.id]} times"
                assert job.captured == job.hold
            else:
                assert job.state is State.OUTCOME_UNKNOWN, f"{job.id} ended {job.state}: {job.failure}"
                assert self.may_be_unknown(job), "only a provider that cannot be asked leaves something unknown"
                assert made[job.id] == 0
        assert len({item.id for item in items}) == len(items)
        for item in items:
            film = item.facts.kind is Kind.VIDEO
            assert item.previews is (Previews.DONE if film else Previews.NONE)
            assert (Variant.PREVIEW in item.files) is film

    async def _check_files(self, jobs: list[Generation], items: list[Any]) -> None:
        recorded = {file.key: file.size_bytes for item in items for file in item.files.values()}
        recorded |= {job.source.key: job.source.size_bytes for job in jobs if job.source is not None}
        stored = {info.key: info.size_bytes async for info in self.open_blobs().list("")}
        assert stored == recorded, (
            f"orphans {stored.keys() - recorded.keys()}, missing {recorded.keys() - stored.keys()}"
        )
        for item in items:
            master = hashlib.sha256(await self.read(item.files[Variant.MASTER].key))
            assert master.hexdigest() == item.facts.sha256, f"{item.id} holds other bytes than were looked at"
        assert not await self.backend.unfinished(self.data), "something half-stored is left"

    async def read(self, key: str) -> bytes:
        """The bytes of a stored file."""
        return b"".join([chunk async for chunk in self.open_blobs().read(key)])


def _check_entries(jobs: list[Any], entries: list[Entry]) -> None:
    """Each hold was opened once; it was settled once where the job has ended, and not where nobody knows."""
    booked = Counter((entry.reference, entry.kind) for entry in entries if entry.kind is not EntryKind.GRANT)
    assert booked == Counter(
        (job.id, kind)
        for job in jobs
        for kind in [EntryKind.HOLD, EntryKind.CAPTURE][: 2 if job.state is State.SUCCEEDED else 1]
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
