"""Turns at something that takes a processor: a few at once, the sources that wait one after the other, and no crowd."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mutoscope.domain.ids import SECOND
from mutoscope.domain.limits import TooOften

CROWDED = "Too many people are coming in at once. Try again in a moment."


class Turns:
    """``at_once`` go on, at most ``waiting_of_one`` of a source wait, and ``waiting`` in all.

    Each source that waits has every n-th turn, however many of another wait. When there are too many, the one that came
    last from the source with the most has to go, so that a crowd from one place never keeps out somebody from another.
    """

    def __init__(self, at_once: int, waiting_of_one: int, waiting: int) -> None:
        self._free, self._waiting_of_one, self._waiting = at_once, waiting_of_one, waiting
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @asynccontextmanager
    async def one(self, source: str) -> AsyncGenerator[None]:
        """Wait for a turn, and have it. Raises TooOften in a crowd."""
        await self._come(source)
        try:
            yield
        finally:
            self._next()

    async def _come(self, source: str) -> None:
        if self._free:
            self._free -= 1
            return
        line = self._lines.setdefault(source, deque())
        if len(line) >= self._waiting_of_one:
            raise TooOften(CROWDED, SECOND)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        if len(self) > self._waiting:
            longest = max(self._lines, key=lambda each: len(self._lines[each]))
            self._leave(longest, self._lines[longest][-1]).set_exception(TooOften(CROWDED, SECOND))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._next()  # the turn came just then: somebody else has it
            elif turn in self._lines.get(source, ()):
                self._leave(source, turn)
            raise

    def _leave(self, source: str, turn: asyncio.Future[None]) -> asyncio.Future[None]:
        line = self._lines[source]
        line.remove(turn)
        if not line:
            del self._lines[source]
        return turn

    def _next(self) -> None:
        """Give the turn to the source that has waited longest for one."""
        while self._lines:
            source, line = next(iter(self._lines.items()))
            turn = self._leave(source, line[0])
            if source in self._lines:
                self._lines.move_to_end(source)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
