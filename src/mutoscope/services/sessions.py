"""Signed-in browsers: opening a session, who it stands for, listing and ending them."""

import secrets
from collections.abc import Sequence
from contextlib import suppress

from mutoscope.domain.errors import NotFound
from mutoscope.domain.ids import Clock
from mutoscope.domain.people import SEEN_EVERY, SESSION_MS, Person, Session, id_of
from mutoscope.services.accounts import hash_secret
from mutoscope.store.port import Store, StoreUnavailable

AGENT_CHARS = 200


def session_id(secret: str) -> str:
    """What the session of that secret is called in lists."""
    return id_of(hash_secret(secret))


class Sessions:
    """The verbs. A secret is what the cookie holds; it is made anew at each sign-in, and never taken from a request."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def open(self, person: Person, user_agent: str) -> str:
        """Let a browser in; returns the secret for its cookie."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        await self._store.people.open_session(
            Session(
                secret_hash=hash_secret(secret),
                person_id=person.id,
                created_at=now,
                expires_at=now + SESSION_MS,
                user_agent=user_agent[:AGENT_CHARS],
                token_version=person.token_version,
            )
        )
        return secret

    async def of_secret(self, secret: str) -> Person | None:
        """Who a cookie's secret stands for."""
        now = self._clock.now()
        found = await self._store.people.session(hash_secret(secret), now)
        if found is None:
            return None
        session, person = found
        if now - (session.used_at or session.created_at) >= SEEN_EVERY:
            with suppress(StoreUnavailable):  # a full disk keeps nobody from reading
                await self._store.people.use_session(session.secret_hash, now)
        return person

    async def list(self, person: Person) -> Sequence[Session]:
        """The person's sessions, newest first."""
        return await self._store.people.sessions_of(person.id, self._clock.now())

    async def end(self, person: Person, id: str) -> None:
        """End one of the person's sessions at once. Raises NotFound for one that is not theirs."""
        for session in await self.list(person):
            if session.id == id:
                return await self._store.people.close_session(session.secret_hash)
        raise NotFound("You have no such session; it may have ended.")

    async def end_others(self, person: Person, secret: str | None) -> None:
        """End all sessions of the person but the one of that secret."""
        await self._store.people.close_sessions(person.id, None if secret is None else hash_secret(secret))

    async def close(self, secret: str) -> None:
        """End the session of that secret; ending it twice is harmless."""
        await self._store.people.close_session(hash_secret(secret))
