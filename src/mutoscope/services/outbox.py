"""What is done after the answer: letters on their way, and the looks into the store before them.

All of it is in memory and bounded: what a restart or a flood takes away is asked for again by whoever wants it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import structlog

from mutoscope.mail.port import Letter, Mailer, MailRefused, MailUnavailable
from mutoscope.store.port import StoreUnavailable

log = structlog.get_logger("mutoscope.mail")

PAUSES_S = (5.0, 30.0, 120.0)
"""Before a letter is tried again."""
WAITING = 256
"""Errands and letters that are under way at most; what comes then is dropped."""
AT_ONCE = 2
"""Connections to the server of mail."""
CLOSE_S = 5.0
"""How long those that are just being tried have when the studio stops."""
OUTCOMES = ("sent", "retried", "failed", "dropped", "limited")

Errand = Callable[[], Awaitable[None]]


class Outbox:
    """The verbs. ``counts``: what came of letters, by `OUTCOMES`."""

    def __init__(self, mailer: Mailer, pauses_s: Sequence[float] = PAUSES_S, waiting: int = WAITING) -> None:
        self._mailer, self._pauses_s, self._waiting = mailer, tuple(pauses_s), waiting
        self._tasks, self._turn, self._closing = set[asyncio.Task[None]](), asyncio.Semaphore(AT_ONCE), asyncio.Event()
        self.counts = Counter[str](dict.fromkeys(OUTCOMES, 0))

    def __len__(self) -> int:
        return len(self._tasks)

    def later(self, errand: Errand) -> None:
        """Do it soon, and let nobody wait for it."""
        if len(self._tasks) >= self._waiting:
            self._note("dropped", "too many mails wait: one more was dropped")
            return
        task = asyncio.create_task(self._do(errand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def post(self, letter: Letter) -> None:
        """Send a letter soon; what comes of it stands in the log and in ``counts``."""
        self.later(lambda: self._deliver(letter))

    async def _do(self, errand: Errand) -> None:
        try:
            await errand()
        except StoreUnavailable:
            self._note("failed", "a mail was not written: the database cannot be reached")
        except Exception as e:  # its words may hold an address
            self._note("failed", "a mail was not written", broke=type(e).__name__)

    async def _deliver(self, letter: Letter) -> None:
        tries, why = 0, ""
        for pause_s in (0.0, *self._pauses_s):
            if tries:
                self.counts["retried"] += 1
            if await self._stopped_within(pause_s):
                break
            tries += 1
            try:
                async with self._turn:
                    await self._mailer.send(letter)
            except MailRefused as e:
                why = str(e)
                break
            except MailUnavailable as e:
                why = str(e)
            else:
                self.counts["sent"] += 1
                return
        self._note("failed", "a mail was not sent", kind=letter.kind, tries=tries, why=why or "the studio stops")

    async def _stopped_within(self, pause_s: float) -> bool:
        """Wait; True when the studio stops meanwhile."""
        if pause_s:
            try:
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()
            except TimeoutError:
                return False
        return self._closing.is_set() and pause_s > 0

    def _note(self, outcome: str, event: str, **more: object) -> None:
        self.counts[outcome] += 1
        log.warning(event, **more)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give what is being tried a moment, and end the rest."""
        self._closing.set()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.settled()
        except TimeoutError:
            left = set(self._tasks)
            log.warning("the studio stops before all mails were sent", left=len(left))
            for task in left:
                task.cancel()
            await asyncio.wait(left)
