"""Whose bucket it is, and turns at what takes a processor."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.domain.limits import Rate, TooOften, bucket, orders, registrations, source_of, taken_from, wait_for
from mutoscope.services.turns import Turns


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::/64"), ("::1", "::/64"), ("unknown", "unknown"),
        ("x" * 500, "x" * 80), ("", ""),
    ],
)  # fmt: skip
def test_an_address_stands_for_itself_and_of_ipv6_for_its_network(address: str, source: str) -> None:
    assert source_of(address) == source


def test_keys_of_buckets_tell_neither_address_nor_name_and_do_not_run_together() -> None:
    rate = Rate(name="r", burst=1, refill_ms=1)
    keys = {bucket(rate, *whose).key for whose in (("a", "bc"), ("ab", "c"), ("abc",), ("\ud800",))}
    assert len(keys) == 4
    assert "192.0.2.7" not in bucket(rate, "192.0.2.7", "alice").key


@given(st.integers(1, 5), st.integers(1, 20), st.lists(st.integers(0, 30), max_size=40))
def test_a_bucket_gives_what_counting_tokens_would_give(burst: int, refill_ms: int, steps: list[int]) -> None:
    rate = Rate(name="r", burst=burst, refill_ms=refill_ms)
    now, full_at, tokens = 0, 0, float(burst)
    for step in steps:
        now += step
        tokens = min(float(burst), tokens + step / refill_ms)
        there = tokens > 1 - 1e-9
        assert (wait_for(full_at, rate, now) == 0) is there
        if there:
            tokens -= 1
            full_at = taken_from(full_at, rate, now)
        else:
            assert wait_for(full_at, rate, now) == pytest.approx((1 - tokens) * refill_ms, abs=1e-6)


@pytest.mark.parametrize("count", [1, 7, 120, 3_600])
def test_rates_of_settings_refill_in_their_time(count: int) -> None:
    assert registrations(count).depth_ms == pytest.approx(3_600_000, abs=count)
    assert orders(count).depth_ms == pytest.approx(60_000, abs=count)


async def test_no_more_than_a_few_go_on_at_once() -> None:
    turns, running, most = Turns(2, 50, 100), 0, 0

    async def work(source: str) -> None:
        nonlocal running, most
        async with turns.one(source):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(work(f"{n % 7}") for n in range(60)))
    assert (most, running, len(turns)) == (2, 0, 0)


async def line_up(turns: Turns, done: list[str], sources: list[str], leave: asyncio.Event) -> list[asyncio.Task[None]]:
    async def work(source: str) -> None:
        async with turns.one(source):
            await leave.wait()
            done.append(source)

    tasks = [asyncio.create_task(work(source)) for source in sources]
    await asyncio.sleep(0)
    return tasks


async def test_a_crowd_of_one_source_holds_up_another_by_one_turn() -> None:
    turns, done, leave = Turns(1, 50, 100), [], asyncio.Event()
    tasks = await line_up(turns, done, ["crowd"] * 20 + ["alice"], leave)
    leave.set()
    await asyncio.gather(*tasks)
    assert done.index("alice") <= 2


async def test_a_source_that_has_enough_waiting_is_refused_and_no_other() -> None:
    turns, done, leave = Turns(1, 3, 100), [], asyncio.Event()
    tasks = await line_up(turns, done, ["crowd"] * 9 + ["alice"], leave)
    leave.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, TooOften) for answer in answers[:9]) == 5
    assert answers[9] is None


async def test_when_there_are_too_many_the_largest_crowd_has_to_make_room() -> None:
    turns, done, leave = Turns(1, 10, 10), [], asyncio.Event()
    tasks = await line_up(turns, done, ["crowd"] * 11 + ["alice", "bob"], leave)
    leave.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, TooOften) for answer in answers[:11]) == 2
    assert answers[11:] == [None, None]
    assert len(turns) == 0


async def test_whoever_gives_up_waiting_holds_nobody_up() -> None:
    turns, done, leave = Turns(1, 10, 10), [], asyncio.Event()
    tasks = await line_up(turns, done, ["a", "b", "c", "b"], leave)
    for gone in (tasks[1], tasks[2]):
        gone.cancel()
    await asyncio.sleep(0)
    tasks[0].cancel()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == ["b"]
    async with turns.one("d"):
        assert len(turns) == 0


async def test_a_turn_that_came_in_the_moment_of_giving_up_goes_to_the_next() -> None:
    turns, done, leave = Turns(1, 10, 10), [], asyncio.Event()
    tasks = await line_up(turns, done, ["a", "b", "c"], leave)
    leave.set()
    await asyncio.sleep(0)  # "a" leaves and hands its turn to "b" ...
    tasks[1].cancel()  # ... which gives up before it has noticed
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done[0] == "a"
    assert done[-1] == "c"
    assert len(turns) == 0
