"""Unlocking: one purchase that opens one item to one buyer for ever, and its refund.

The buyer pays the whole price to the house's sales, which hand the owner the price less the house's share. A refund gives
the whole price back, and takes from the owner what they got, up to what they have available: the house bears the rest.
"""

import msgspec

from mutoscope.domain.errors import IdempotencyMismatch, NotFound, PriceChanged, WrongState
from mutoscope.domain.ids import Millis
from mutoscope.domain.ledger import Entry, EntryKind, House, available
from mutoscope.domain.media import Media, Visibility

WAY_OUT = "then unlock it"
"""What to do without enough tokens."""


class Unlock(msgspec.Struct, frozen=True, kw_only=True):
    """One purchase. ``price`` and ``share``, what the house keeps of it, in whole tokens; ``key``: the Idempotency-Key.

    It stands until ``refunded_at``; ``taken_back`` is what the seller gave of the refund.
    """

    id: str
    media_id: str
    buyer_id: str
    seller_id: str
    price: int
    share: int
    at: Millis
    key: str | None = None
    refunded_at: Millis | None = None
    taken_back: int | None = None

    @property
    def earned(self) -> int:
        """What the seller got, in whole tokens."""
        return self.price - self.share


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to buy, for the ``price`` that they were shown. ``id`` is for the new unlock."""

    id: str
    buyer_id: str
    media_id: str
    price: int
    key: str | None = None


def sell(wish: Wish, item: Media | None, share_percent: int, at: Millis) -> Unlock:
    """The unlock that a wish becomes. Raises NotFound, WrongState (one's own, or free), PriceChanged.

    ``share_percent`` of the price are the house's, rounded down.
    """
    if item is None or item.hidden or item.trashed_at is not None:
        raise NotFound("There is no such item, or it is not open to you.")
    if item.owner_id == wish.buyer_id:
        raise WrongState("This is yours: there is nothing to unlock.")
    if item.visibility is Visibility.PRIVATE:
        raise NotFound("There is no such item, or it is not open to you.")
    if item.unlock_price == 0:
        raise WrongState("This is not for sale." if item.is_blurred else "This is free: there is nothing to unlock.")
    if item.unlock_price != wish.price:
        raise PriceChanged(item.unlock_price)
    return Unlock(
        id=wish.id,
        media_id=item.id,
        buyer_id=wish.buyer_id,
        seller_id=item.owner_id,
        price=wish.price,
        share=wish.price * share_percent // 100,
        at=at,
        key=wish.key,
    )


def same(wish: Wish, earlier: Unlock) -> Unlock:
    """The unlock that the wish's key was used for. Raises IdempotencyMismatch when that was another wish."""
    if (wish.media_id, wish.price) != (earlier.media_id, earlier.price):
        raise IdempotencyMismatch("This Idempotency-Key came with another request before; use a new one.")
    return earlier


def purchase(unlock: Unlock) -> list[Entry]:
    """The entries of a purchase. Their memo is the item's id: its title may be withheld again after a refund."""
    entries = [_entry(EntryKind.UNLOCK, unlock, available(unlock.buyer_id), House.SALES, unlock.price, unlock.at)]
    if unlock.earned:
        entries.append(
            _entry(EntryKind.EARNING, unlock, House.SALES, available(unlock.seller_id), unlock.earned, unlock.at)
        )
    return entries


def refund(unlock: Unlock, seller_has: int, at: Millis) -> tuple[Unlock, list[Entry]]:
    """The unlock given back, and the entries on both sides. ``seller_has``: what the seller has available."""
    taken = min(unlock.earned, seller_has)
    entries = [_entry(EntryKind.REFUND, unlock, House.SALES, available(unlock.buyer_id), unlock.price, at)]
    if taken:
        entries.append(_entry(EntryKind.REVERSAL, unlock, available(unlock.seller_id), House.SALES, taken, at))
    return msgspec.structs.replace(unlock, refunded_at=at, taken_back=taken), entries


def _entry(kind: EntryKind, unlock: Unlock, debit: str, credit: str, amount: int, at: Millis) -> Entry:
    return Entry(kind=kind, reference=unlock.id, debit=debit, credit=credit, amount=amount, memo=unlock.media_id, at=at)
