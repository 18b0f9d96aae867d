"""Identifiers."""

import pytest

import cast
from mutoscope.domain.ids import Ids, SystemClock, is_id


def test_an_id_is_its_kind_the_time_and_the_dice() -> None:
    assert Ids(cast.HandClock(0), lambda bits: 0).new("med") == "med_" + "0" * 26
    assert Ids(cast.HandClock((1 << 48) - 1), lambda bits: (1 << bits) - 1).new("gen") == "gen_7" + "z" * 25
    # The example of https://github.com/ulid/javascript: ulid(1469918176385) begins with 01ARYZ6S41.
    assert Ids(cast.HandClock(1_469_918_176_385), lambda bits: 0).new("usr") == "usr_01aryz6s41" + "0" * 16


def test_ids_sort_by_the_time_they_were_made_whatever_the_dice() -> None:
    clock, dice = cast.HandClock(), iter([(1 << 80) - 1, 0, 5])
    ids = Ids(clock, lambda bits: next(dice))
    made = [ids.new("gen"), clock.tick() and ids.new("gen"), clock.tick() and ids.new("gen")]
    assert made == sorted(made)


def test_ids_of_the_same_moment_differ() -> None:
    ids = Ids(cast.HandClock())
    assert len({ids.new("med") for _ in range(1000)}) == 1000


def test_the_clock_tells_milliseconds_of_this_century() -> None:
    assert 1_700_000_000_000 < SystemClock().now() < 4_102_444_800_000


@pytest.mark.parametrize(
    "text",
    [
        "", "med_", "med", "gen_01kahtr2x09e3v6k8m5q7w4c2n", "med_81kahtr2x09e3v6k8m5q7w4c2n", "med_01kahtr2x09e3v6k8m5q7w4c2",
        "med_01kahtr2x09e3v6k8m5q7w4c2nn", "med_01KAHTR2X09E3V6K8M5Q7W4C2N", "med_01kahtr2x09e3v6k8m5q7w4c2i",
        "med_01kahtr2x09e3v6k8m5q7w4c2n\n", "med_01kahtr2x09e3v6k8m5q7w4c2n/..", "../med_01kahtr2x09e3v6k8m5q7w4c2n",
    ],
)  # fmt: skip
def test_what_does_not_have_the_form_of_an_id_is_none(text: str) -> None:
    assert not is_id(text, "med")


def test_an_id_is_one_of_its_own_kind_alone() -> None:
    made = {kind: cast.ids.new(kind) for kind in ("gen", "med", "usr", "ses", "lnk")}
    assert all(is_id(id, other) is (kind == other) for kind, id in made.items() for other in made)
