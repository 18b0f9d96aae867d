"""Invitations: administrators make them, list them and take them back."""

import secrets
from collections.abc import Sequence

from mutoscope.domain.errors import NotFound
from mutoscope.domain.ids import DAY, Clock, Ids
from mutoscope.domain.invites import Invite, check_invite
from mutoscope.domain.people import Person, administer
from mutoscope.services.accounts import hash_secret
from mutoscope.store.port import Store

WHAT = "invites people"


class Invites:
    """The verbs."""

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self._store, self._ids, self._clock = store, ids, clock

    async def create(
        self, by: Person, uses: int = 1, expires_in_days: int = 7, tokens: int = 0, note: str = ""
    ) -> tuple[Invite, str]:
        """An invitation, and the secret of its link, which nobody can be told again. Raises Invalid, Forbidden."""
        administer(by, WHAT)
        note = note.strip()
        check_invite(uses, expires_in_days, tokens, note)
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        invite = Invite(
            id=self._ids.new("inv"),
            secret_hash=hash_secret(secret),
            made_by=by.id,
            uses=uses,
            tokens=tokens,
            note=note,
            created_at=now,
            expires_at=now + expires_in_days * DAY,
        )
        await self._store.invites.add(invite)
        return invite, secret

    async def list(self, by: Person) -> Sequence[Invite]:
        """All of them, newest first; those that ended go after a month. Raises Forbidden."""
        administer(by, WHAT)
        return await self._store.invites.all()

    async def revoke(self, by: Person, id: str) -> None:
        """Take one back: no more accounts are made with it. Raises NotFound, Forbidden."""
        administer(by, WHAT)
        if not await self._store.invites.revoke(id):
            raise NotFound("There is no such invitation.")
