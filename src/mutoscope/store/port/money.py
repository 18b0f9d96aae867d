"""Tokens, and what was bought with them."""

from collections.abc import Sequence
from typing import Protocol

from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Balance, Entry
from mutoscope.domain.unlocking import Unlock, Wish
from mutoscope.store.port.basics import Page


class Ledger(Protocol):
    """Tokens."""

    async def post(self, entry: Entry) -> bool:
        """Append an entry (grant, adjust). False when the same (kind, reference) was booked before.

        Raises IdempotencyMismatch when that was for another amount or person, NotEnoughTokens.
        """
        ...

    async def balance(self, person_id: str) -> Balance:
        """What a person has."""
        ...

    async def statement(self, person_id: str, cursor: str | None, limit: int) -> Page[tuple[Entry, int]]:
        """A person's entries, newest first, each with the available balance after it."""
        ...

    async def proof(self) -> list[str]:
        """What does not add up: cached balances against sums, negative balances, open holds without a running job and
        the reverse. Empty when all is right.
        """
        ...


class Unlocks(Protocol):
    """Purchases that open an item to a buyer."""

    async def buy(self, wish: Wish, share_percent: int, now: Millis) -> tuple[Unlock, bool]:
        """Debit the buyer, credit the owner, keep the right and count it, in one commit. Returns the unlock, and whether
        it stood there before: an item is bought once, and a wish of an earlier key gets that key's unlock, also a
        refunded one; then nothing is charged.

        Raises what `unlocking.sell` and `unlocking.same` raise, and NotEnoughTokens.
        """
        ...

    async def refund(self, id: str, now: Millis) -> Unlock:
        """Take the right back and reverse the entries on both sides, in one commit; one that was refunded stays as it is.

        Raises NotFound.
        """
        ...

    async def bought(self, buyer_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        """Which of the items the buyer has unlocked."""
        ...

    async def list(self, media_id: str | None, cursor: str | None, limit: int) -> Page[Unlock]:
        """Unlocks of one item or of all, newest first, refunded ones too. Raises Invalid for a cursor that is not ours."""
        ...
