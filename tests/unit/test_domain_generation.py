"""The table of a job's states, spelled out, and what people see of it."""

from typing import Any

import pytest

import cast
from mutoscope.domain.generation import (
    AT_PROVIDER,
    STAGE_DEADLINES_MS,
    TERMINAL,
    TRANSITIONS,
    State,
    backoff_ms,
    may_move,
    poll_after_ms,
    public_status,
    shown_progress,
)
from mutoscope.domain.ids import HOUR

STEPS = {
    "queued": "submitting failed canceled",
    "submitting": "queued rendering fetching canceling outcome_unknown failed canceled",
    "rendering": "queued fetching canceling failed",
    "canceling": "canceled fetching failed",
    "outcome_unknown": "queued rendering fetching canceling failed canceled",
    "fetching": "queued developing failed",
    "developing": "fetching succeeded failed",
    "succeeded": "",
    "failed": "fetching",
    "canceled": "fetching",
}


def reachable(start: State) -> set[State]:
    found, ahead = {start}, [start]
    while ahead:
        for to in TRANSITIONS[ahead.pop()] - found:
            found.add(to)
            ahead.append(to)
    return found


@pytest.mark.parametrize("from_", list(State))
def test_a_job_can_take_these_steps_and_no_others(from_: State) -> None:
    assert {to.value for to in State if may_move(from_, to)} == set(STEPS[from_].split())


@pytest.mark.parametrize("state", list(State))
def test_every_state_leads_to_an_end(state: State) -> None:
    assert reachable(state) & TERMINAL


def test_every_state_is_reached_from_the_queue() -> None:
    assert reachable(State.QUEUED) == set(State)


@pytest.mark.parametrize("state", sorted(set(State) - TERMINAL))
def test_every_state_that_is_no_end_has_a_deadline_and_may_fail_when_it_passes(state: State) -> None:
    assert STAGE_DEADLINES_MS[state] > 0
    assert may_move(state, State.FAILED)


def test_ends_have_no_deadline_and_hold_no_slot() -> None:
    assert not TERMINAL & set(STAGE_DEADLINES_MS)
    assert not TERMINAL & AT_PROVIDER


def test_a_success_is_never_taken_back() -> None:
    assert TRANSITIONS[State.SUCCEEDED] == frozenset()


def test_nothing_succeeds_that_was_not_developed() -> None:
    assert {from_ for from_ in State if may_move(from_, State.SUCCEEDED)} == {State.DEVELOPING}


def test_only_what_was_surely_not_taken_or_is_lost_where_it_costs_nothing_goes_back_to_the_queue() -> None:
    not_taken, lost = {State.SUBMITTING, State.OUTCOME_UNKNOWN}, {State.RENDERING, State.FETCHING}
    assert {from_ for from_ in State if may_move(from_, State.QUEUED)} == not_taken | lost


def test_an_outcome_that_nobody_knows_is_waited_for_72_hours() -> None:
    assert STAGE_DEADLINES_MS[State.OUTCOME_UNKNOWN] == 72 * HOUR


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("queued", "queued"), ("submitting", "in_progress"), ("rendering", "in_progress"), ("canceling", "in_progress"),
        ("outcome_unknown", "in_progress"), ("fetching", "in_progress"), ("developing", "in_progress"),
        ("succeeded", "succeeded"), ("failed", "failed"), ("canceled", "canceled"),
    ],
)  # fmt: skip
def test_the_api_has_five_words_for_the_states(state: str, word: str) -> None:
    assert public_status(State(state)) == word


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"state": State.QUEUED}, (None, None)),
        ({"state": State.RENDERING, "progress": 0.4}, (0.4, "provider")),
        ({"state": State.RENDERING, "progress": 1.0}, (0.99, "provider")),
        ({"state": State.RENDERING, "progress": -0.5}, (0.0, "provider")),
        ({"state": State.RENDERING, "submitted_at": cast.NOON - 1_000}, (0.25, "estimate")),
        ({"state": State.RENDERING, "submitted_at": cast.NOON - 10**6}, (0.95, "estimate")),
        ({"state": State.RENDERING, "submitted_at": cast.NOON + 500}, (0.0, "estimate")),
        ({"state": State.FETCHING, "progress": 0.2}, (0.99, "provider")),
        ({"state": State.DEVELOPING}, (0.99, "provider")),
        ({"state": State.SUCCEEDED}, (1.0, "provider")),
        ({"state": State.FAILED, "submitted_at": cast.NOON - 1_000}, (None, None)),
    ],
)
def test_progress_is_between_0_and_1_and_only_a_success_is_1(fields: dict[str, Any], shown: tuple[Any, Any]) -> None:
    assert shown_progress(cast.generation(cast.alice(), **fields), cast.NOON) == shown


def test_a_model_of_which_no_run_is_known_has_no_estimate() -> None:
    job = cast.generation(
        cast.alice(), state=State.RENDERING, submitted_at=cast.NOON - 5, pinned=cast.pinned(typical_ms=0)
    )
    assert shown_progress(job, cast.NOON) == (None, None)


@pytest.mark.parametrize(
    ("typical_ms", "minimum_ms", "pause_ms"),
    [(1_000, 250, 250), (60_000, 250, 3_000), (10**7, 250, 30_000), (10**7, 45_000, 45_000), (0, 500, 500)],
)
def test_polls_are_a_twentieth_of_the_usual_time_apart(typical_ms: int, minimum_ms: int, pause_ms: int) -> None:
    assert poll_after_ms(typical_ms, minimum_ms) == pause_ms


def test_pauses_between_tries_double_up_to_a_minute() -> None:
    assert [backoff_ms(tries) for tries in (0, 1, 2, 6, 7, 50, 10_000)] == [
        500,
        1_000,
        2_000,
        32_000,
        60_000,
        60_000,
        60_000,
    ]


def test_the_hold_is_the_price_of_every_result_and_a_job_is_settled_once_something_was_captured_or_nothing() -> None:
    assert cast.generation(cast.alice(), results=3, price_each=7).hold == 21
    assert not cast.generation(cast.alice()).settled
    assert cast.generation(cast.alice(), captured=0).settled
