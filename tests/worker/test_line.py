"""A line claims what is due: singly where little is, and several in one commit where it is behind."""

import asyncio
from collections.abc import Callable

import pytest

from mutoscope.domain.ids import SystemClock
from mutoscope.store.port import StoreUnavailable
from mutoscope.worker.line import Line
from worker.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE, TOGETHER = 32, 8


class Due:
    """Jobs that are due, by number, and how many claims were under way at once."""

    def __init__(self, jobs: int) -> None:
        self.left, self.claiming, self.most, self.looks = list(range(jobs)), 0, 0, 0
        self.done: list[int] = []
        self.running = self.most_running = 0
        self.broken = False

    async def claim(self) -> int | None:
        self.claiming += 1
        self.looks += 1
        self.most = max(self.most, self.claiming)
        mine = self.left.pop(0) if self.left else None
        await asyncio.sleep(0.001)
        self.claiming -= 1
        if self.broken and mine is not None and mine % 2:
            self.left.append(mine)
            raise StoreUnavailable("gone")
        return mine

    async def work(self, job: int) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0.01)
        self.running -= 1
        self.done.append(job)

    async def next_due(self) -> None:
        return None

    def line(self, together: int = TOGETHER) -> Line[int]:
        return Line("polls", AT_ONCE, SystemClock(), 50, self.claim, self.work, self.next_due, together)


async def run(line: Line[int], condition: Callable[[], bool]) -> None:
    """Let it work until then."""

    async def held() -> bool:
        return condition()

    line.start()
    await until(held, "what was waited for")
    await line.stop(1_000)


async def test_where_much_is_due_several_claims_are_under_way_and_no_more_run_than_may() -> None:
    due = Due(500)
    await run(due.line(), lambda: len(due.done) == 500)
    assert sorted(due.done) == list(range(500))
    assert due.most == TOGETHER
    assert due.most_running <= AT_ONCE


async def test_where_one_at_a_time_is_claimed_it_stays_so() -> None:
    due = Due(100)
    await run(due.line(together=1), lambda: len(due.done) == 100)
    assert due.most == 1


async def test_a_line_with_nothing_to_do_looks_once_a_tick() -> None:
    due = Due(0)
    await run(due.line(), lambda: due.looks >= 3)
    assert due.most == 1


async def test_what_was_claimed_beside_a_claim_that_failed_is_worked_on() -> None:
    due = Due(200)
    due.broken = True
    line = due.line()
    await run(line, lambda: len(due.done) >= 100)
    assert not [job for job in due.done if job % 2]
    assert sorted(due.done + due.left) == list(range(200))


async def test_what_was_claimed_while_the_line_was_stopped_is_finished_and_nothing_is_left_with_nobody() -> None:
    due = Due(300)
    await run(due.line(), lambda: len(due.done) >= 40)
    assert sorted(due.done + due.left) == list(range(300))
