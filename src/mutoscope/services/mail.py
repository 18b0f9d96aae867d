"""Mail to people: a link for a new password, and that an address was changed. Only where a server takes mail.

Whoever asks for a link learns nothing: all work, from looking for the account on, is done after the answer.
"""

import asyncio
from collections.abc import Mapping, Sequence

from mutoscope.domain.emails import check_email
from mutoscope.domain.errors import Invalid
from mutoscope.domain.ids import Clock
from mutoscope.domain.people import Person
from mutoscope.mail.port import Mailer
from mutoscope.services.letters import moved_letter, reset_letter
from mutoscope.services.limits import Limits
from mutoscope.services.outbox import Outbox
from mutoscope.services.resets import LINK_MS, Resets, reset_url
from mutoscope.store.port import Store

ACCOUNTS_OF_ONE = 10
"""How many accounts of one address get a mail, those that are oldest first; who gives a name gets theirs in any case."""

PAUSE_S = 0.1
"""Before the work is begun: the answer has arrived by then, and nothing of the work shows in how long that took."""


class Mail:
    """The verbs."""

    def __init__(
        self, store: Store, clock: Clock, limits: Limits, resets: Resets, mailer: Mailer, outbox: Outbox, base_url: str
    ) -> None:
        self._store, self._clock, self._limits, self._resets = store, clock, limits, resets
        self._mailer, self._outbox, self._base_url = mailer, outbox, base_url

    @property
    def counts(self) -> Mapping[str, int]:
        """What came of letters, by `outbox.OUTCOMES`."""
        return self._outbox.counts

    def forgot(self, name_or_email: str) -> None:
        """Mail a link to each account of that name or address, soon, if there is one and it has not had many just now."""
        self._outbox.later(lambda: self._forgot(name_or_email.strip()))

    async def _forgot(self, asked: str) -> None:
        await asyncio.sleep(PAUSE_S)
        for person in await self._meant(asked):
            if person.email is None or person.suspended_at is not None:
                continue
            if not await self._limits.may_mail(person, person.email):
                self._outbox.counts["limited"] += 1
                continue
            url = reset_url(self._base_url, await self._resets.link_to_mail(person, person.email))
            letter = reset_letter(person.email, person.name, self._base_url, url, LINK_MS, self._clock.now())
            self._outbox.post(letter)

    async def _meant(self, asked: str) -> Sequence[Person]:
        if "@" not in asked:
            person = await self._store.people.by_name(asked)
            return [person] if person is not None else []
        try:
            return await self._store.people.by_email(check_email(asked), ACCOUNTS_OF_ONE)
        except Invalid:
            return []

    def moved(self, person: Person, before: str, removed: bool) -> None:
        """Tell the address before that it is not the person's any more."""

        async def tell() -> None:
            if not await self._limits.may_notify(before):
                self._outbox.counts["limited"] += 1
                return
            self._outbox.post(moved_letter(before, person.name, self._base_url, removed, self._clock.now()))

        self._outbox.later(tell)

    async def close(self) -> None:
        """Give what is being sent a moment, and end the rest."""
        await self._outbox.close()

    async def check(self) -> str:
        """Try the server without sending. Raises MailUnavailable, MailRefused."""
        return await self._mailer.check()
