"""A line: claims what is due for one stage and runs it, at most so many at once. Work that waits is a row, no task."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from mutoscope.domain.ids import Clock, Millis
from mutoscope.store.port import StoreUnavailable
from mutoscope.worker.moves import log, where

T = TypeVar("T")


class Line(Generic[T]):
    """One stage's line. ``work`` raises nothing; ``next_due`` says when there may be something to claim.

    ``together``: how many claims may be under way at once, so that one commit holds them, where much is due.
    """

    def __init__(
        self,
        name: str,
        at_once: int,
        clock: Clock,
        tick_ms: Millis,
        claim: Callable[[], Awaitable[T | None]],
        work: Callable[[T], Coroutine[Any, Any, None]],
        next_due: Callable[[], Awaitable[Millis | None]],
        together: int = 1,
    ) -> None:
        self.name = name
        self._at_once, self._clock, self._tick_ms = at_once, clock, tick_ms
        self._claim, self._work, self._next_due, self._together = claim, work, next_due, together
        self._running: set[asyncio.Task[None]] = set()
        self._claiming: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._store_is_down = False

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    def start(self) -> None:
        """Begin, in a task of the running event loop."""
        self._claiming = asyncio.create_task(self._claim_on())

    async def stop(self, grace_ms: Millis) -> None:
        """Claim no more; give what runs ``grace_ms``, then let it go."""
        self._stopping = True
        self.wake()
        if self._claiming is not None:
            # Not canceled: a claim that is under way would take a job and leave it with nobody.
            await self._claiming
        if self._running:
            await asyncio.wait(self._running, timeout=grace_ms / 1000)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _claim_on(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                pause_ms = await self._fill()
                self._store_is_down = False
            except StoreUnavailable as e:
                if not self._store_is_down:  # once for each outage, not once for each tick
                    log.warning("the store does not answer", line=self.name, why=str(e))
                self._store_is_down = True
                pause_ms = self._tick_ms
            except Exception as e:  # a line never ends by itself
                log.error("claiming failed", line=self.name, why=type(e).__name__, where=where(e))
                pause_ms = self._tick_ms
            if self._stopping:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_ms / 1000):
                    await self._woken.wait()

    async def _fill(self) -> Millis:
        """Start what can be started; how long to rest then."""
        claims = 1
        while (room := self._at_once - len(self._running)) > 0 and not self._stopping:
            asked_at, claims = self._clock.now(), min(claims, room)
            if not await self._claimed(claims):
                return await self._rest_ms(asked_at)
            # Most looks find one job or none, so only where each was had more are looked for.
            claims = min(claims * 2, self._together)
        return self._tick_ms

    async def _claimed(self, claims: int) -> bool:
        """Claim and start so many; whether each was to be had."""
        found = await asyncio.gather(*(self._claim() for _ in range(claims)), return_exceptions=True)
        for claimed in found:
            if claimed is not None and not isinstance(claimed, BaseException):
                self._start(claimed)
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        return None not in found

    async def _rest_ms(self, asked_at: Millis) -> Millis:
        due_at = await self._next_due()
        # What was due and still not to be had waits for a free slot: no use in asking again at once.
        if due_at is None or due_at <= asked_at:
            return self._tick_ms
        return min(max(due_at - self._clock.now(), 0), self._tick_ms)

    def _start(self, claimed: T) -> None:
        task = asyncio.create_task(self._work(claimed))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake()
        if not task.cancelled() and (e := task.exception()) is not None:
            log.error("a stage let something through", line=self.name, why=type(e).__name__, where=where(e))
