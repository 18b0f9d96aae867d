"""Unlocking items for tokens, and giving the tokens back."""

from mutoscope.domain.errors import Invalid, NotFound
from mutoscope.domain.ids import Clock, Ids, is_id
from mutoscope.domain.media import UNLOCK_PRICE_MAX
from mutoscope.domain.people import Person, administer
from mutoscope.domain.unlocking import Unlock, Wish
from mutoscope.services.generate import check_key
from mutoscope.services.policy import Policy
from mutoscope.store.port import Page, Store


class Unlocking:
    """The verbs."""

    def __init__(self, store: Store, ids: Ids, clock: Clock, policy: Policy) -> None:
        self._store, self._ids, self._clock, self._policy = store, ids, clock, policy

    async def buy(self, person: Person, media_id: str, price: int, key: str | None = None) -> tuple[Unlock, bool]:
        """Unlock an item for the price that the person was shown, for ever. Returns the unlock, and whether it stood there
        before; then nothing is charged.

        Raises NotFound, WrongState (one's own, or not for sale), PriceChanged, NotEnoughTokens, IdempotencyMismatch.
        """
        check_key(key)
        if not is_id(media_id, "med"):
            raise NotFound("There is no such item, or it is not open to you.")
        if not 0 <= price <= UNLOCK_PRICE_MAX:
            raise Invalid("That is no price.", {"price": f"from 0 to {UNLOCK_PRICE_MAX:,}"})
        wish = Wish(id=self._ids.new("unl"), buyer_id=person.id, media_id=media_id, price=price, key=key)
        return await self._store.unlocks.buy(wish, self._policy.house_share_percent, self._clock.now())

    async def refund(self, by: Person, id: str) -> Unlock:
        """Take a right back and give the tokens back, by an administrator; once, however often it is asked. Raises NotFound."""
        administer(by, "refunds unlocks")
        if not is_id(id, "unl"):
            raise NotFound("There is no such unlock.")
        return await self._store.unlocks.refund(id, self._clock.now())

    async def list(self, by: Person, media_id: str | None, cursor: str | None, limit: int) -> Page[Unlock]:
        """Unlocks of one item or of all, newest first, for an administrator."""
        administer(by, "sees who unlocked what")
        return await self._store.unlocks.list(media_id, cursor, limit)
