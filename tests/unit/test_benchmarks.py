"""What benchmarks say of a figure. Nothing here is timed."""

import importlib
from pathlib import Path

import pytest
from benchmarks.__main__ import NAMES
from benchmarks.claim import AT_LEAST, UNDER, Claim, median
from benchmarks.waiting import busiest_per_s

FIGURES = Path(__file__).parents[2] / "docs" / "reference" / "benchmarks.md"


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_run_and_has_its_figures_told(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.run)
    assert (module.__doc__ or "").strip()
    assert f"\n## {name}\n" in FIGURES.read_text()


def test_a_figure_under_its_aim_is_met_and_one_at_it_is_missed() -> None:
    assert Claim(what="page", value=14.9, unit="ms", aim=15).met is True
    assert Claim(what="page", value=15, unit="ms", aim=15).met is False


def test_a_rate_is_met_from_its_aim_on() -> None:
    assert Claim(what="rate", value=600, unit="per s", aim=600, direction=AT_LEAST).met is True
    assert Claim(what="rate", value=599, unit="per s", aim=600, direction=AT_LEAST).met is False


def test_the_ratio_is_value_by_baseline_and_can_be_what_is_aimed_at() -> None:
    claim = Claim(
        what="rate", value=300, unit="per s", baseline="bare", baseline_value=600, aim=0.6, direction=AT_LEAST,
        of_ratio=True,
    )  # fmt: skip
    assert claim.ratio == 0.5
    assert claim.met is False
    assert claim.line() == "rate: 300 per s | bare: 600 per s | ratio 0.5 | aim: at least 0.6 ratio: MISSED"


def test_without_an_aim_nothing_is_met_or_missed() -> None:
    claim = Claim(what="jobs", value=12_345.6, unit="per s", baseline="commits", baseline_value=4_000)
    assert claim.met is None
    assert claim.line() == "jobs: 12,346 per s | commits: 4,000 per s | ratio 3.09"


def test_an_aim_of_a_ratio_without_a_baseline_is_neither_met_nor_missed() -> None:
    assert Claim(what="page", value=1, unit="ms", aim=1.3, of_ratio=True).met is None
    assert Claim(what="page", value=1, unit="ms", baseline="none", baseline_value=0, aim=1.3, of_ratio=True).met is None


@pytest.mark.parametrize(
    ("value", "said"), [(0.6774, "0.677 s"), (9.679, "9.68 s"), (1_234_567.8, "1,234,568 s"), (0, "0 s")]
)
def test_a_line_has_three_digits_that_count_and_no_exponent(value: float, said: str) -> None:
    assert Claim(what="start", value=value, unit="s", aim=2_000_000, direction=UNDER).line() == (
        f"start: {said} | aim: under 2,000,000 s: met"
    )


def test_the_busiest_time_is_found_wherever_it_begins_and_in_whatever_order_polls_ended() -> None:
    seldom, often = range(0, 100_000, 1_000), range(50_500, 60_500, 10)
    assert busiest_per_s([*often, *seldom]) == (1_000 + 10) / 10
    assert busiest_per_s([]) == 0


def test_the_median_is_the_middle_value() -> None:
    assert median([9, 1, 2]) == 2
    assert median([4, 1]) == 2.5
