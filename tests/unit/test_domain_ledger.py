"""Entries, holds and their settlement."""

import pytest

from mutoscope.domain.ledger import Entry, EntryKind, Hold, House, adjust, available, grant, held, open_hold, settle

NOON = 1_795_348_800_000
HOLD = Hold(reference="gen_1", person_id="alice", amount=10)


def moves(entries: list[Entry]) -> list[tuple[str, str, str, int]]:
    return [(entry.kind.value, entry.debit, entry.credit, entry.amount) for entry in entries]


def test_a_grant_is_issued_by_the_house() -> None:
    assert moves([grant("alice", 100, "sign-up:alice", "Welcome", NOON)]) == [
        ("grant", "house:issued", "available:alice", 100)
    ]


def test_an_adjustment_goes_up_or_down() -> None:
    assert moves([adjust("alice", 5, "a", "", NOON), adjust("alice", -5, "b", "", NOON)]) == [
        ("adjust", "house:issued", "available:alice", 5),
        ("adjust", "available:alice", "house:issued", 5),
    ]


@pytest.mark.parametrize("amount", [0, -1])
def test_an_entry_that_moves_nothing_or_backwards_is_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        grant("alice", amount, "x", "", NOON)
    with pytest.raises(ValueError, match="positive"):
        adjust("alice", 0, "x", "", NOON)


def test_an_entry_within_one_account_is_refused() -> None:
    with pytest.raises(ValueError, match="two accounts"):
        Entry(kind=EntryKind.ADJUST, reference="x", debit="a", credit="a", amount=1, memo="", at=NOON)


def test_a_hold_moves_what_is_available_to_what_is_held() -> None:
    assert moves(open_hold(HOLD, "", NOON)) == [("hold", "available:alice", "held:alice", 10)]


def test_a_free_job_moves_nothing() -> None:
    free = Hold(reference="gen_1", person_id="alice", amount=0)
    assert open_hold(free, "", NOON) == settle(free, 0, "", NOON) == []


def test_a_hold_of_less_than_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        open_hold(Hold(reference="gen_1", person_id="alice", amount=-3), "", NOON)


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        (10, [("capture", "held:alice", "house:income", 10)]),
        (0, [("release", "held:alice", "available:alice", 10)]),
        (4, [("capture", "held:alice", "house:income", 4), ("release", "held:alice", "available:alice", 6)]),
    ],
)
def test_a_settlement_captures_a_part_and_releases_the_rest(
    captured: int, expected: list[tuple[str, str, str, int]]
) -> None:
    assert moves(settle(HOLD, captured, "", NOON)) == expected


@pytest.mark.parametrize("captured", [-1, 11])
def test_more_than_was_held_or_less_than_nothing_cannot_be_captured(captured: int) -> None:
    with pytest.raises(ValueError, match="cannot capture"):
        settle(HOLD, captured, "", NOON)


@pytest.mark.parametrize("captured", [0, 4, 10])
def test_a_second_settlement_of_the_same_hold_is_refused(captured: int) -> None:
    settled = Hold(reference="gen_1", person_id="alice", amount=10, captured=captured)
    with pytest.raises(ValueError, match="settled before"):
        settle(settled, 0, "", NOON)


def test_the_accounts_of_people_and_of_the_house_never_have_one_name() -> None:
    assert len({available("issued"), held("issued"), House.ISSUED, House.INCOME}) == 4
