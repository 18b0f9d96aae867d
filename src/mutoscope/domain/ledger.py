"""Tokens: an append-only, double-entry ledger.

Every entry moves ``amount`` from one account to another, so the sum over all accounts is zero at every moment. A person
has two accounts, *available* and *held*; both have a cached balance that no entry may take below zero. The accounts of
the house (what it issued, what it earned) have entries only.

A hold H moves tokens from available to held. It is settled once: c captured (held to the house's income), H - c
released (held back to available), 0 <= c <= H, in one commit.
"""

from enum import StrEnum

import msgspec

from mutoscope.domain.ids import Millis


class EntryKind(StrEnum):
    """Why tokens moved. (kind, reference) is unique in the ledger: the same thing cannot be booked twice."""

    GRANT = "grant"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    ADJUST = "adjust"
    UNLOCK = "unlock"
    EARNING = "earning"
    REFUND = "refund"
    REVERSAL = "reversal"


class House(StrEnum):
    """The accounts of the house: entries, no cached balance, and the only ones that may be negative."""

    ISSUED = "house:issued"
    INCOME = "house:income"
    SALES = "house:sales"
    """What buyers paid for unlocks, less what sellers got of it: the house's share, and what it bore of refunds."""


def available(person_id: str) -> str:
    """The name of the account that a person can spend from."""
    return f"available:{person_id}"


def held(person_id: str) -> str:
    """The name of the account that holds what a person's running jobs may cost."""
    return f"held:{person_id}"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of tokens, known by (kind, reference).

    ``amount`` is positive, in whole tokens; ``memo`` is for the person's statement.
    """

    kind: EntryKind
    reference: str
    debit: str
    credit: str
    amount: int
    memo: str
    at: Millis

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError(f"an entry moves a positive amount, not {self.amount}")
        if self.debit == self.credit:
            raise ValueError("an entry moves tokens between two accounts")


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens set aside for one job. ``captured`` is None while the hold is open, and written exactly once."""

    reference: str
    person_id: str
    amount: int
    captured: int | None = None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has, in whole tokens."""

    available: int
    held: int


def grant(person_id: str, amount: int, reference: str, memo: str, at: Millis) -> Entry:
    """New tokens for a person: the house issues them."""
    return Entry(
        kind=EntryKind.GRANT,
        reference=reference,
        debit=House.ISSUED,
        credit=available(person_id),
        amount=amount,
        memo=memo,
        at=at,
    )


def adjust(person_id: str, change: int, reference: str, memo: str, at: Millis) -> Entry:
    """An administrator's correction, up or down; down it cannot go below what is available."""
    up = change > 0
    return Entry(
        kind=EntryKind.ADJUST,
        reference=reference,
        debit=House.ISSUED if up else available(person_id),
        credit=available(person_id) if up else House.ISSUED,
        amount=abs(change),
        memo=memo,
        at=at,
    )


def open_hold(hold: Hold, memo: str, at: Millis) -> list[Entry]:
    """The entry that sets the hold aside; none for a free job."""
    if hold.amount == 0:
        return []
    return [
        Entry(
            kind=EntryKind.HOLD,
            reference=hold.reference,
            debit=available(hold.person_id),
            credit=held(hold.person_id),
            amount=hold.amount,
            memo=memo,
            at=at,
        )
    ]


def settle(hold: Hold, captured: int, memo: str, at: Millis) -> list[Entry]:
    """The entries that settle a hold: capture ``captured`` tokens, release the rest.

    Raises ValueError when the hold was settled before or ``captured`` is outside 0..H.
    """
    if hold.captured is not None:
        raise ValueError(f"the hold {hold.reference} was settled before")
    if not 0 <= captured <= hold.amount:
        raise ValueError(f"cannot capture {captured} of a hold of {hold.amount}")
    entries: list[Entry] = []
    if captured:
        entries.append(
            Entry(
                kind=EntryKind.CAPTURE,
                reference=hold.reference,
                debit=held(hold.person_id),
                credit=House.INCOME,
                amount=captured,
                memo=memo,
                at=at,
            )
        )
    if hold.amount > captured:
        entries.append(
            Entry(
                kind=EntryKind.RELEASE,
                reference=hold.reference,
                debit=held(hold.person_id),
                credit=available(hold.person_id),
                amount=hold.amount - captured,
                memo=memo,
                at=at,
            )
        )
    return entries
