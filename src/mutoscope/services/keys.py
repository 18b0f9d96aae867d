"""API keys: making, listing and revoking them, and who a key stands for."""

import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress

from msgspec import structs

from mutoscope.domain.errors import NotFound, SignInNeeded
from mutoscope.domain.ids import Clock, Ids
from mutoscope.domain.keys import (
    KEYS_OF_ONE,
    PREFIX,
    SECRET_BYTES,
    USED_EVERY,
    ApiKey,
    Scope,
    check_key_name,
    check_scopes,
    end_of,
)
from mutoscope.domain.people import Person, Role
from mutoscope.services.accounts import hash_secret
from mutoscope.store.port import Store, StoreUnavailable


class Keys:
    """The verbs."""

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self._store, self._ids, self._clock = store, ids, clock

    async def create(
        self, person: Person, name: str, scopes: Iterable[Scope], expires_in_days: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key, and its secret, which nobody can be told again. Raises Invalid, Forbidden, Conflict."""
        secret, now = PREFIX + secrets.token_urlsafe(SECRET_BYTES), self._clock.now()
        key = ApiKey(
            id=self._ids.new("key"),
            secret_hash=hash_secret(secret),
            person_id=person.id,
            name=check_key_name(name),
            scopes=check_scopes(person, scopes),
            token_version=person.token_version,
            created_at=now,
            expires_at=end_of(expires_in_days, now),
        )
        await self._store.keys.add(key, KEYS_OF_ONE)
        return key, secret

    async def list(self, person: Person) -> Sequence[ApiKey]:
        """The person's keys, also those that have expired; newest first."""
        return await self._store.keys.of_person(person.id)

    async def revoke(self, person: Person, id: str) -> None:
        """End a key at once. Raises NotFound for one that is not the person's."""
        if not await self._store.keys.revoke(person.id, id):
            raise NotFound("You have no such key.")

    async def of_secret(self, secret: str) -> tuple[ApiKey, Person]:
        """The key, and who it stands for: without the scope `admin`, a person who administers nothing.

        Raises SignInNeeded for anything that is not a living key of ours.
        """
        now = self._clock.now()
        found = await self._store.keys.of_secret(hash_secret(secret), now)
        if found is None:
            raise SignInNeeded("The key is not known here, was revoked, or has expired. Make a new one.")
        key, person = found
        if key.used_at is None or now - key.used_at >= USED_EVERY:
            with suppress(StoreUnavailable):  # a full disk keeps nobody from reading
                await self._store.keys.use(key.id, now)
        return key, person if Scope.ADMIN in key.scopes else structs.replace(person, role=Role.USER)
