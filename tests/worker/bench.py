"""A worker on a real store, real folders and a real stub server, and the words that its tests are written in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from cast import alice, generation, grant, ids, pinned
from mutoscope.blobs.port import Blobs
from mutoscope.darkroom.port import Darkroom, MediaLimits
from mutoscope.domain.generation import STAGE_DEADLINES_MS, Generation, Source, State
from mutoscope.domain.ids import MINUTE, Millis
from mutoscope.domain.ledger import Balance
from mutoscope.domain.media import Kind, Media, source_key
from mutoscope.domain.source import SourceFit
from mutoscope.spool import Spool
from mutoscope.store.port import Store
from mutoscope.worker.context import Numbers, Worker
from mutoscope.worker.loop import Loop
from stubs.running import RunningStub

GRANTED = 1_000
PATIENCE_S = 20.0

QUICK = Numbers(
    lease_ms=3_000, tick_ms=50, stop_ms=200, stall_ms=400, gone_after_ms=0, retry_base_ms=10, retry_cap_ms=60,
    free_bytes=0, jobs_per_person=100,
)  # fmt: skip


class MovableClock:
    """The machine's clock, that a test can put forward."""

    def __init__(self) -> None:
        self.ahead_ms: Millis = 0

    def now(self) -> Millis:
        """Milliseconds since 1970-01-01 UTC, and what the test added."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def forward(self, by_ms: Millis) -> None:
        """Put it forward."""
        self.ahead_ms += by_ms


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait until the condition gives something true; fails after PATIENCE_S."""
    end = time.monotonic() + PATIENCE_S
    while not (found := await condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.01)
    return found


class Bench:
    """One test's studio, without its front."""

    def __init__(
        self,
        tmp_path: Path,
        store: Store,
        blobs: Blobs,
        darkroom: Darkroom,
        stub: RunningStub,
        clock: MovableClock,
    ) -> None:
        self.tmp_path, self.store, self.blobs, self.darkroom = tmp_path, store, blobs, darkroom
        self.stub, self.provider, self.clock = stub, stub.provider(), clock
        self.spool = Spool(tmp_path / "spool")
        self.alice = alice()
        self.numbers = QUICK
        self.model_name: Callable[[str], str] = str
        self.leftovers: tuple[Spool, ...] = ()
        self.deadlines = dict(STAGE_DEADLINES_MS)
        self.limits = MediaLimits(size_bytes=10_000_000, pixels=10_000_000, duration_s=60.0)
        self._loops: list[Loop] = []

    def worker(self, name: str = "one", place: str = "") -> Worker:
        """A worker with what the bench holds at this moment; one of another place has a spool of its own."""
        return Worker(
            name=name, store=self.store, blobs=self.blobs, darkroom=self.darkroom, place=place,
            spool=Spool(self.tmp_path / place) if place else self.spool,
            providers={self.provider.name: self.provider}, clock=self.clock, media_limits=self.limits,
            numbers=self.numbers, deadlines=self.deadlines, model_name=self.model_name, leftovers=self.leftovers,
        )  # fmt: skip

    def start(self, name: str = "one", place: str = "") -> Loop:
        """Start a loop; it is stopped with the test."""
        loop = Loop(self.worker(name, place))
        loop.start()
        self._loops.append(loop)
        return loop

    def turn(self, **numbers: Any) -> None:
        """Other numbers for workers that start from now on."""
        self.numbers = msgspec.structs.replace(self.numbers, **numbers)

    async def stop(self) -> None:
        """Stop all loops."""
        while self._loops:
            await self._loops.pop().stop()

    async def move_in(self) -> None:
        """Alice, with tokens."""
        await self.store.people.add(self.alice, grant(self.alice, GRANTED))

    async def order(
        self,
        results: int = 1,
        kind: Kind = Kind.IMAGE,
        cancel_fee: int = 0,
        source: Source | None = None,
        fit: SourceFit | None = None,
        id: str | None = None,
        **script: Any,
    ) -> Generation:
        """Alice orders from the stub, which treats the job as the script says. 10 tokens a result."""
        now = self.clock.now()
        job = generation(
            self.alice, id=id or ids.new("gen"), results=results, source=source, parameters={"script": script} if script else {},
            pinned=pinned(
                provider="stub", model="stub/one", kind=kind, cancel_fee=cancel_fee, typical_ms=400, source=fit
            ),
            created_at=now, updated_at=now, due_at=now, stage_since=now,
        )  # fmt: skip
        accepted, _ = await self.store.generations.accept(job, None, "")
        return accepted

    async def picture(self) -> Source:
        """A source picture in the blob store."""
        path = self.tmp_path / "upload.png"
        path.write_bytes(b"a picture, as far as the stub cares")
        key = source_key(ids.new("gen"), "image/png")
        await self.blobs.put(key, path, "image/png")
        size = path.stat().st_size
        return Source(key=key, mime_type="image/png", width=8, height=8, size_bytes=size, sha256="0" * 64)

    async def get(self, job: Generation) -> Generation:
        """The job as it is."""
        found = await self.store.generations.get(job.id)
        assert found is not None
        return found

    async def until(self, job: Generation, *states: State) -> Generation:
        """Wait until the job is in one of the states."""

        async def there() -> Generation | None:
            now_is = await self.get(job)
            return now_is if now_is.state in states else None

        try:
            return await until(there, f"{job.id} in {states}")
        except AssertionError as e:
            raise AssertionError(f"{e}; it is in {(await self.get(job)).state}") from None

    async def until_tried(self, job: Generation, state: State, attempts: int) -> Generation:
        """Wait until the job was tried so often in a state."""

        async def tried() -> Generation | None:
            now_is = await self.get(job)
            return now_is if now_is.state is state and now_is.attempts >= attempts else None

        return await until(tried, f"{attempts} tries of {state}")

    async def items(self, job: Generation) -> list[Media]:
        """What came of it."""
        return list(await self.store.media.of_generation(job.id))

    async def balance(self) -> Balance:
        """What alice has."""
        return await self.store.ledger.balance(self.alice.id)

    async def counts(self, job: Generation) -> dict[str, int]:
        """How often the stub was asked for this job, and would have been paid."""
        return (await self.provider.counts()).get(job.id, {"asked": 0, "paid": 0})

    async def whole(self, item: Media) -> bool:
        """Whether every file of an item is stored with its size."""
        return all([(await self.blobs.head(f.key)).size_bytes == f.size_bytes for f in item.files.values()])

    async def was_released(self, job: Generation) -> bool:
        """Whether everything held for the only job came back."""
        return (await self.get(job)).captured == 0 and await self.balance() == Balance(available=GRANTED, held=0)

    def past(self, state: State) -> None:
        """Put the clock behind a stage's deadline."""
        self.clock.forward(self.deadlines[state] + MINUTE)
