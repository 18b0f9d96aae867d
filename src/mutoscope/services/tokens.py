"""What people do with tokens: look at them, and be given more."""

from mutoscope.domain.errors import Invalid, NotFound
from mutoscope.domain.ids import Clock
from mutoscope.domain.ledger import Balance, Entry, adjust, grant
from mutoscope.domain.people import Person, administer
from mutoscope.store.port import Page, Store

GRANT_MAX = 1_000_000_000


class Tokens:
    """The verbs."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def balance(self, person: Person) -> Balance:
        """What the person can spend, and what running jobs hold."""
        return await self._store.ledger.balance(person.id)

    async def statement(self, person: Person, cursor: str | None, limit: int) -> Page[tuple[Entry, int]]:
        """The person's entries, newest first, with the available balance after each."""
        return await self._store.ledger.statement(person.id, cursor, limit)

    async def grant(self, by: Person, to_name: str, amount: int, reference: str, memo: str = "") -> Balance:
        """New tokens for a person, by an administrator. The same ``reference`` grants once, however often it is sent.

        Raises IdempotencyMismatch when it was used for another amount or person.
        """
        administer(by, "gives or takes tokens")
        return await self.grant_as_operator(to_name, amount, reference, memo or f"Granted by {by.name}")

    async def grant_as_operator(self, to_name: str, amount: int, reference: str, memo: str) -> Balance:
        """New tokens for a person, by whoever runs the studio."""
        person = await self._someone(to_name)
        if not 0 < amount <= GRANT_MAX:
            raise Invalid("That many tokens cannot be granted.", {"amount": f"from 1 to {GRANT_MAX}"})
        entry = grant(person.id, amount, reference, memo or "Granted by the operator", self._clock.now())
        await self._store.ledger.post(entry)
        return await self._store.ledger.balance(person.id)

    async def adjust(self, by: Person, to_name: str, change: int, reference: str, memo: str) -> Balance:
        """A correction by an administrator, up or down, never below zero. Raises NotEnoughTokens."""
        administer(by, "gives or takes tokens")
        person = await self._someone(to_name)
        if not 0 < abs(change) <= GRANT_MAX:
            raise Invalid("That is no correction.", {"change": f"from 1 to {GRANT_MAX}, up or down"})
        await self._store.ledger.post(adjust(person.id, change, reference, memo, self._clock.now()))
        return await self._store.ledger.balance(person.id)

    async def _someone(self, name: str) -> Person:
        person = await self._store.people.by_name(name)
        if person is None:
            raise NotFound(f"There is nobody of the name {name[:40]!r}.")
        return person
