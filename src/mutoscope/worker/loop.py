"""The loop: a line for each stage, and the sweep, from start to stop.

Wiring: ``loop = Loop(Worker(...))``, hand ``loop.wake`` to the services, ``loop.start()``, and ``await loop.stop()``
before the ports are closed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from mutoscope.domain.generation import AT_PROVIDER, TERMINAL, Generation, State
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.store.port import Blur
from mutoscope.worker import moves
from mutoscope.worker.blurs import blur
from mutoscope.worker.cancel import cancel
from mutoscope.worker.context import Numbers, Worker
from mutoscope.worker.develop import develop
from mutoscope.worker.fetch import fetch
from mutoscope.worker.holding import Held, run
from mutoscope.worker.line import Line
from mutoscope.worker.poll import poll
from mutoscope.worker.previews import previews
from mutoscope.worker.recover import recover
from mutoscope.worker.submit import submit
from mutoscope.worker.sweep import sweep
from mutoscope.worker.unknown import unknown

__all__ = ["Loop", "Numbers", "Worker"]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """``limit_s`` bounds one run, also where a provider or a disk never answers. ``together``: see `Line`."""

    state: State
    run: Callable[[Worker, Generation], Awaitable[Generation]]
    at_once: int
    limit_s: float
    together: int = 1


STAGES = (
    Stage(state=State.QUEUED, run=submit, at_once=8, limit_s=900),
    Stage(state=State.SUBMITTING, run=recover, at_once=4, limit_s=900),
    Stage(state=State.RENDERING, run=poll, at_once=32, limit_s=120, together=8),
    Stage(state=State.CANCELING, run=cancel, at_once=8, limit_s=120),
    Stage(state=State.OUTCOME_UNKNOWN, run=unknown, at_once=4, limit_s=120),
    Stage(state=State.FETCHING, run=fetch, at_once=8, limit_s=3600),
    Stage(state=State.DEVELOPING, run=develop, at_once=2, limit_s=3600),
)
PREVIEWS, BLURS = "previews", "blurs"


class Loop:
    """All lines of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lines = {stage.state: self._line(stage) for stage in STAGES}
        self._previews = self._preview_line()
        self._blurs = self._blur_line()
        self._all: list[Line[Generation] | Line[Media] | Line[Blur]] = [
            *self._lines.values(), self._previews, self._blurs
        ]  # fmt: skip
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work, in tasks of the running event loop."""
        for line in self._all:
            line.start()
        self._sweeping = asyncio.create_task(sweep(self._worker))

    def wake(self) -> None:
        """Look for work now: something was ordered, canceled, or heard of."""
        for line in self._all:
            line.wake()

    async def stop(self) -> None:
        """Claim no more, give what runs its time, let go of the rest, and return when nothing runs."""
        await asyncio.gather(*(line.stop(self._worker.numbers.stop_ms) for line in self._all))
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})

    def _line(self, stage: Stage) -> Line[Generation]:
        worker, states = self._worker, frozenset({stage.state})
        generations, numbers = worker.store.generations, worker.numbers

        async def claim() -> Generation | None:
            now = worker.clock.now()
            return await generations.claim(
                states, worker.name, now, now + numbers.lease_ms, worker.limits(), worker.place
            )

        return Line(
            stage.state, numbers.at_once.get(stage.state, stage.at_once), worker.clock, numbers.tick_ms,
            claim, partial(self._run, stage), partial(generations.next_due, states), stage.together,
        )  # fmt: skip

    async def _run(self, stage: Stage, job: Generation) -> None:
        worker = self._worker
        moved = await run(
            worker,
            Held(
                about={"generation": job.id, "stage": stage.state, "attempt": job.attempts}, limit_s=stage.limit_s,
                renew=partial(worker.store.generations.renew, job.id, job.fence),
                let_go=partial(_let_go, worker, job, _due_now), later=partial(_let_go, worker, job, _later),
            ),
            partial(stage.run, worker, job),
        )  # fmt: skip
        if moved is not None:
            self._moved(moved)

    def _moved(self, job: Generation) -> None:
        if job.state in self._lines:
            self._lines[job.state].wake()
        if job.state not in AT_PROVIDER:
            self._lines[State.QUEUED].wake()
        if job.state is State.SUCCEEDED:
            self._previews.wake()

    def _preview_line(self) -> Line[Media]:
        worker = self._worker
        numbers = worker.numbers

        async def claim() -> Media | None:
            now = worker.clock.now()
            return await worker.store.media.claim_previews(worker.name, now, now + numbers.lease_ms)

        return Line(
            PREVIEWS, numbers.at_once.get(PREVIEWS, 1), worker.clock, numbers.tick_ms,
            claim, self._run_previews, _at_the_next_tick,
        )  # fmt: skip

    def _blur_line(self) -> Line[Blur]:
        worker = self._worker
        numbers = worker.numbers

        async def claim() -> Blur | None:
            now = worker.clock.now()
            return await worker.store.media.claim_blur(now, now + numbers.lease_ms)

        return Line(
            BLURS, numbers.at_once.get(BLURS, 1), worker.clock, numbers.tick_ms,
            claim, self._run_blur, _at_the_next_tick,
        )  # fmt: skip

    async def _run_previews(self, item: Media) -> None:
        worker, media, numbers = self._worker, self._worker.store.media, self._worker.numbers
        again = partial(_again, worker, partial(media.postpone_previews, item.id, item.fence))
        await run(
            worker,
            Held(
                about={"media": item.id, "stage": PREVIEWS, "attempt": item.previews_attempts},
                limit_s=numbers.preview_ms / 1000,
                renew=partial(media.renew_previews, item.id, item.fence),
                let_go=partial(again, 0), later=partial(again, numbers.retry_cap_ms),
            ),
            partial(previews, worker, item),
        )  # fmt: skip

    async def _run_blur(self, taken: Blur) -> None:
        worker, media, numbers, id = self._worker, self._worker.store.media, self._worker.numbers, taken.item.id
        again = partial(_again, worker, partial(media.postpone_blur, id, taken.fence))
        await run(
            worker,
            Held(
                about={"media": id, "stage": BLURS, "attempt": taken.attempts}, limit_s=numbers.preview_ms / 1000,
                renew=partial(media.renew_blur, id, taken.fence),
                let_go=partial(again, 0), later=partial(again, numbers.retry_cap_ms),
            ),
            partial(blur, worker, taken),
        )  # fmt: skip


async def _let_go(worker: Worker, job: Generation, move: Callable[[Worker, Generation], Awaitable[object]]) -> None:
    """Give up the lease, from whatever state the stage had reached, unless the job is another's by now."""
    now_is = await worker.store.generations.get(job.id)
    if now_is is not None and now_is.fence == job.fence and now_is.state not in TERMINAL:
        await move(worker, now_is)


async def _due_now(worker: Worker, job: Generation) -> None:
    # Not `again`: a stage that was stopped has not had its look yet, so its deadline may not end it.
    now = worker.clock.now()
    await worker.store.generations.postpone(job.id, job.fence, job.state, now, now)


async def _later(worker: Worker, job: Generation) -> None:
    await moves.again(worker, job, moves.pause_ms(worker, job))


async def _at_the_next_tick() -> Millis | None:
    return None


async def _again(worker: Worker, postpone: Callable[[Millis], Awaitable[None]], pause_ms: Millis) -> None:
    await postpone(worker.clock.now() + pause_ms)
