"""Patience: pauses, Retry-After, and the circuit breaker."""

import asyncio
from contextlib import suppress
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.outgoing import Again, BreakerNumbers, Limits, OutgoingError, Trouble
from mutoscope.outgoing.breaker import Breaker
from mutoscope.outgoing.patience import LONGEST_WAIT_MS, retry_after_ms
from outgoing.far import Asked, TestTime, always, answer, asking, in_turn, meeting, serving

NOW = 1_795_000_000_000


@pytest.mark.parametrize(
    ("said", "expected_ms"),
    [
        ("7", 7_000), ("0", 0), (" 12 ", 12_000), ("999999999999999999999999", LONGEST_WAIT_MS), ("86400", LONGEST_WAIT_MS),
        (formatdate(NOW / 1000 + 90, usegmt=True), 90_000), (formatdate(NOW / 1000 - 90, usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_MS), ("", None), ("soon", None), ("-5", None), ("1.5", None),
        ("٣", None), ("Fri, 99 Foo 2026 00:00:00 GMT", None), ("²", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_bounded(said: str, expected_ms: int | None) -> None:
    assert retry_after_ms({"retry-after": said}, NOW) == expected_ms


@given(st.text(max_size=40))
def test_no_retry_after_breaks_anything(said: str) -> None:
    found = retry_after_ms({"retry-after": said}, NOW)
    assert found is None or 0 <= found <= LONGEST_WAIT_MS


@given(tried=st.integers(1, 50), chance=st.floats(0, 1))
def test_a_pause_is_anything_up_to_its_bound(tried: int, chance: float) -> None:
    again = Again(tries=50, base_s=0.5, cap_s=8)
    assert 0 <= again.pause_s(tried, chance) <= min(0.5 * 2 ** (tried - 1), 8)
    assert again.pause_s(tried, 1) == min(0.5 * 2 ** (tried - 1), 8)


async def test_a_short_retry_after_is_waited_for_and_a_long_one_left_to_the_caller() -> None:
    time = TestTime(dice=0)
    turns = in_turn(answer(429, b"", "Retry-After: 3"), answer(200, b"there"))
    async with meeting(turns, time=time) as (_, outgoing):
        assert (await outgoing.ask("GET", "/x")).body == b"there"
    assert time.slept_s == [3]
    async with meeting(always(answer(429, b"", "Retry-After: 60")), time=time) as (server, outgoing):
        said = await outgoing.ask("GET", "/x")
    assert (said.status, said.retry_after_ms, len(server.asked)) == (429, 60_000, 1)


async def test_an_answer_that_is_final_is_not_asked_again() -> None:
    for status in (200, 400, 401, 402, 404, 422, 501):
        async with meeting(always(answer(status)), time=TestTime()) as (server, outgoing):
            assert (await outgoing.ask("GET", "/x")).status == status
        assert len(server.asked) == 1


async def test_the_last_trouble_is_told() -> None:
    time = TestTime()
    async with meeting(always(b""), time=time, again=Again(tries=2)) as (server, outgoing):

        async def hang_up(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server.handler = hang_up
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask("GET", "/x")
    assert (caught.value.trouble, len(time.slept_s), len(server.asked)) == (Trouble.LOST, 1, 2)


def breaker() -> tuple[Breaker, TestTime]:
    time = TestTime()
    return Breaker(BreakerNumbers(failures=3, window_s=60, pause_s=30), time.monotonic_s), time


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.enter()
        breaker.failed()


def test_it_opens_after_failures_in_a_row_within_the_window() -> None:
    closed, time = breaker()
    fail(closed, 2)
    assert closed.enter()
    closed.succeeded()
    fail(closed, 2)
    assert closed.state == "closed"
    time.seconds += 61
    fail(closed, 2)
    assert closed.state == "closed"
    fail(closed, 1)
    assert (closed.state, closed.enter(), closed.left_s()) == ("open", False, 30)


def test_half_open_lets_one_through_whose_end_decides() -> None:
    opened, time = breaker()
    fail(opened, 3)
    time.seconds += 30
    assert opened.state == "half_open"
    assert [opened.enter() for _ in range(3)] == [True, False, False]
    opened.failed()
    assert (opened.state, opened.left_s()) == ("open", 30)
    time.seconds += 30
    assert [opened.enter() for _ in range(2)] == [True, False]
    opened.dropped()
    assert [opened.enter() for _ in range(2)] == [True, False]
    opened.succeeded()
    assert [opened.enter() for _ in range(3)] == [True] * 3
    assert opened.state == "closed"


def test_what_was_under_way_when_it_opened_does_not_open_it_longer() -> None:
    opened, time = breaker()
    assert opened.enter()
    fail(opened, 3)
    time.seconds += 10
    opened.failed()
    assert opened.left_s() == 20


async def test_an_open_circuit_sends_nothing_and_says_when_to_come_again() -> None:
    async with meeting(always(answer(503)), time=TestTime(), breaker=BreakerNumbers(failures=2)) as (server, outgoing):
        for _ in range(2):
            assert (await outgoing.ask("POST", "/x")).status == 503
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask("POST", "/x")
    error = caught.value
    assert (error.trouble, error.sent, error.retry_after_ms) == (Trouble.CIRCUIT_OPEN, False, 30_000)
    assert (len(server.asked), outgoing.state) == (2, "open")


async def test_a_rate_limit_or_a_refusal_does_not_open_it() -> None:
    for status in (400, 401, 404, 429):
        async with meeting(always(answer(status)), breaker=BreakerNumbers(failures=1)) as (_, outgoing):
            await outgoing.ask("POST", "/x")
            assert outgoing.state == "closed"


async def test_trouble_of_our_own_does_not_open_it() -> None:
    limits = Limits(body_bytes=3)
    async with meeting(always(answer(200, b"long")), limits=limits, breaker=BreakerNumbers(failures=1)) as (
        _,
        outgoing,
    ):
        for address in ("/x", "https://evil.com/", "/.."):
            with pytest.raises(OutgoingError):
                await outgoing.ask("POST", address)
        assert outgoing.state == "closed"


async def test_nobody_at_home_opens_it() -> None:
    async with serving(always(answer())) as server:
        pass
    async with asking(server, time=TestTime(), breaker=BreakerNumbers(failures=3)) as outgoing:
        with pytest.raises(OutgoingError) as caught:
            await outgoing.ask(
                "GET",
                "/x",
            )
        assert caught.value.trouble is Trouble.NO_CONNECTION
        assert outgoing.state == "open"


async def test_who_goes_away_while_trying_leaves_the_trial_to_the_next() -> None:
    time = TestTime()

    async def never(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with meeting(always(answer(500)), time=time, breaker=BreakerNumbers(failures=1)) as (server, outgoing):
        await outgoing.ask("POST", "/x")
        time.seconds += 30
        server.handler = never
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outgoing.ask("POST", "/x"), 0.3)
        assert outgoing.state == "half_open"
        server.handler = always(answer())
        assert (await outgoing.ask("POST", "/x")).ok
        assert outgoing.state == "closed"


async def test_a_stream_that_nobody_reads_to_its_end_lets_go_of_its_connection() -> None:
    async def pour(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, b"", length=10**9))
        while not writer.is_closing():
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with meeting(pour) as (server, outgoing):
        for _ in range(70):
            stream = outgoing.stream("/film")
            assert await anext(stream)
            await stream.aclose()
        assert server.connections == 70


async def test_an_idle_connection_that_the_server_has_closed_is_not_used_for_a_question() -> None:
    async def once(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, b"there"))
        await writer.drain()
        writer.close()

    async with meeting(once, time=TestTime()) as (server, outgoing):
        for _ in range(3):
            assert (await outgoing.ask("GET", "/x")).body == b"there"
            await asyncio.sleep(0.05)
    assert server.connections == 3


async def test_who_goes_away_leaves_no_connection_taken() -> None:
    """Hundreds that give up at any moment, more than there are connections; then as many as there are go through."""

    async def slowly(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(answer(200, b"there"))

    async def impatient(number: int) -> None:
        with suppress(TimeoutError, OutgoingError):
            method = "POST" if number % 2 else "GET"
            await asyncio.wait_for(outgoing.ask(method, "/x"), number % 50 / 500)

    breaker = BreakerNumbers(failures=10**6)
    async with meeting(slowly, breaker=breaker, again=Again(tries=1), limits=Limits()) as (_, outgoing):
        await asyncio.gather(*(impatient(number) for number in range(400)))
        said = await asyncio.gather(*(outgoing.ask(method, "/x") for method in ("GET", "POST") * 64))
    assert {answer.body for answer in said} == {b"there"}
