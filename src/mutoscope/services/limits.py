"""How often each may try: secrets and passwords, registrations, orders, mails, likes. Nothing counts a name alone, so that nobody
is locked out by what strangers do: a right password from an address that has done nothing wrong always works.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mutoscope.domain.emails import same_email
from mutoscope.domain.errors import WrongCredentials
from mutoscope.domain.ids import Clock
from mutoscope.domain.limits import (
    EMAIL_CHANGES,
    FORGOTTEN_FROM_ADDRESS,
    LIKES_OF_PERSON,
    MAILED_FOR_PERSON,
    MAILED_TO,
    NOTIFIED,
    WRONG_FOR_NAME_FROM_ADDRESS,
    WRONG_FROM_ADDRESS,
    Bucket,
    TooOften,
    bucket,
    orders,
    orders_from,
    registrations,
)
from mutoscope.domain.people import Person
from mutoscope.services.policy import Policy
from mutoscope.store.port import Buckets


class Limits:
    """A ``source`` is an address as `source_of` gives it; None is the operator's own socket, which has no limits by address."""

    def __init__(self, buckets: Buckets, clock: Clock, policy: Policy) -> None:
        self._buckets, self._clock = buckets, clock
        self._registrations = registrations(policy.registrations_per_hour)
        self._orders, self._orders_from = orders(policy.orders_per_minute), orders_from(policy.orders_per_minute)

    @asynccontextmanager
    async def attempt(self, source: str | None, name: str | None = None) -> AsyncGenerator[None]:
        """Around a try at a secret, or at the password of ``name``: what turns out wrong is counted, what is right is not.

        Many that are under way at once may all be wrong: those go into debt, so that none is free. Raises TooOften.
        """
        buckets: list[Bucket] = []
        if source is not None:
            buckets = [bucket(WRONG_FROM_ADDRESS, source)]
            buckets += [bucket(WRONG_FOR_NAME_FROM_ADDRESS, source, name.casefold())] if name is not None else []
        wait_ms = await self._buckets.wait(buckets, self._clock.now()) if buckets else 0
        if wait_ms:
            raise TooOften("Too many wrong tries came from where you are. Wait a little, then try again.", wait_ms)
        try:
            yield
        except WrongCredentials:
            if buckets:
                await self._buckets.charge(buckets, self._clock.now())
            raise

    async def register(self, source: str | None) -> None:
        """Count a registration. Raises TooOften."""
        if source is not None:
            await self._take(
                "Many accounts were made from where you are. Try again later.", bucket(self._registrations, source)
            )

    async def forgot(self, source: str | None) -> None:
        """Count that somebody asks for a link by mail. Raises TooOften, whoever it was asked for."""
        if source is not None:
            detail = "Many links were asked for from where you are. Try again later, or ask an administrator for one."
            await self._take(detail, bucket(FORGOTTEN_FROM_ADDRESS, source))

    async def may_mail(self, person: Person, email: str) -> bool:
        """Count a link that is mailed; False when the person, or that mailbox, has had many."""
        buckets = [bucket(MAILED_FOR_PERSON, person.id), bucket(MAILED_TO, same_email(email))]
        return await self._buckets.take(buckets, self._clock.now()) == 0

    async def may_notify(self, email: str) -> bool:
        """Count news of a changed address; False when that mailbox has had much of it."""
        return await self._buckets.take([bucket(NOTIFIED, same_email(email))], self._clock.now()) == 0

    async def email_change(self, person: Person) -> None:
        """Count a change of the person's address. Raises TooOften."""
        await self._take("You have changed your address often. Wait a little.", bucket(EMAIL_CHANGES, person.id))

    async def order(self, person: Person, source: str | None) -> None:
        """Count an order. Raises TooOften."""
        buckets = [bucket(self._orders, person.id)]
        buckets += [bucket(self._orders_from, source)] if source is not None else []
        await self._take("That is faster than this studio takes orders. Wait a moment.", *buckets)

    async def like(self, person: Person) -> None:
        """Count a like that is given or taken back. Raises TooOften."""
        await self._take("That is a lot of likes. Wait a moment.", bucket(LIKES_OF_PERSON, person.id))

    async def _take(self, detail: str, *buckets: Bucket) -> None:
        wait_ms = await self._buckets.take(buckets, self._clock.now())
        if wait_ms:
            raise TooOften(detail, wait_ms)
