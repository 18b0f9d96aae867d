"""How people come in: set-up, registration, passwords, one-time links, and tokens for programs."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import jwt
import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mutoscope.domain.errors import Conflict, Forbidden, SignInNeeded, WrongCredentials
from mutoscope.domain.ids import DAY, HOUR, Clock, Ids, Millis
from mutoscope.domain.invites import Invite
from mutoscope.domain.ledger import Entry, grant
from mutoscope.domain.people import (
    OneTimeLink,
    Person,
    Purpose,
    Role,
    administer,
    check_name,
    check_password,
)
from mutoscope.services.policy import Policy
from mutoscope.services.turns import Turns
from mutoscope.store.port import Store

JWT_ISSUER = "mutoscope"
JWT_AUDIENCE = "mutoscope-api"
JWT_TYPE = "mutoscope+jwt"
JWT_ALGORITHM = "HS256"
JWT_LASTS: Millis = 12 * HOUR
SET_UP_MS: Millis = DAY
SIGN_IN_LINK_MS: Millis = HOUR

# OWASP's second choice for Argon2id: 19 MiB, two passes (cheatsheetseries.owasp.org, Password Storage).
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
HASHES_AT_ONCE = 2
WAITING_OF_ONE, WAITING = 16, 256
"""How many may wait for one, of one source and in all; at 256 the last waits for 128 turns."""


def hash_secret(secret: str) -> str:
    """What is stored of a random secret: its SHA-256, hexadecimal. The secrets have 256 bits, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Accounts:
    """The verbs. ``token_keys``: the secrets for JWT, newest first; the newest signs, all of them verify.

    Passwords are hashed a few at once; a ``source`` says whose turn it is. Where too many wait, TooOften is raised.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock, token_keys: Sequence[str], policy: Policy) -> None:
        self._store, self._ids, self._clock, self._policy = store, ids, clock, policy
        self._token_keys = tuple(token_keys)
        self._hashing = Turns(HASHES_AT_ONCE, WAITING_OF_ONE, WAITING)
        self._nobody = HASHER.hash(secrets.token_urlsafe())

    async def set_up_secret(self) -> str | None:
        """A fresh secret for the set-up link; None when the studio has an administrator."""
        if await self._store.people.first_admin() is not None:
            return None
        return await self._link(Purpose.SET_UP, None, SET_UP_MS)

    async def set_up(self, secret: str, name: str, password: str, source: str = "") -> Person:
        """Make the first administrator with the one-time link's secret. Raises WrongCredentials for a used or wrong one."""
        if await self._store.people.first_admin() is not None:
            raise Conflict("This studio has been set up. Sign in instead.")
        return await self._add(name, password, Role.ADMIN, source, hash_secret(secret))

    async def register(self, name: str, password: str, source: str = "", invite: str | None = None) -> Person:
        """Make an account, with the sign-up grant, and what the invitation gives. Raises WrongCredentials for one that is
        not good, Forbidden.
        """
        if not self._policy.registration_open and not (self._policy.invites_open and invite):
            raise Forbidden("Registration is closed here. Ask the administrator for an account or an invitation.")
        if await self._store.people.first_admin() is None:
            raise Forbidden("This studio has not been set up yet. Open the link that `mutoscope serve` printed.")
        invited = await self._invited(invite) if invite else None
        return await self._add(name, password, Role.USER, source, invite=invited)

    async def _invited(self, secret: str) -> Invite:
        invite = await self._store.invites.of_secret(hash_secret(secret), self._clock.now())
        if invite is None:
            raise WrongCredentials("This invitation was used up, has ended, or is none of ours. Ask for a new one.")
        return invite

    async def create(self, name: str, password: str, role: Role) -> Person:
        """Make an account as the operator, from the command line."""
        return await self._add(name, password, role)

    async def named(self, name: str) -> Person:
        """The person of that name. Raises WrongCredentials; only for callers who have proved that they may ask."""
        person = await self._store.people.by_name(name)
        if person is None:
            raise WrongCredentials(f"There is nobody of the name {name[:40]!r}.")
        return person

    async def administrator(self) -> Person:
        """The first administrator. Raises Conflict when the studio has not been set up."""
        person = await self._store.people.first_admin()
        if person is None:
            raise Conflict("This studio has no administrator yet: `mutoscope user create NAME --role admin` makes one.")
        return person

    async def sign_in(self, name: str, password: str, source: str = "") -> Person:
        """Who that is. Raises WrongCredentials."""
        return await self._check(name, password, source)

    async def sign_in_secret(self, person: Person) -> str:
        """A secret for a one-time sign-in link."""
        return await self._link(Purpose.SIGN_IN, person.id, SIGN_IN_LINK_MS)

    async def sign_in_by_link(self, secret: str) -> Person:
        """Use up a sign-in link. Raises WrongCredentials when it was used, has expired, or is none of ours."""
        link = await self._store.people.use_link(hash_secret(secret), Purpose.SIGN_IN, self._clock.now())
        person = await self._store.people.get(link.person_id) if link and link.person_id else None
        if person is None or person.suspended_at is not None:
            raise WrongCredentials(
                "This link was used or has expired. Ask for a new one, or sign in with your password."
            )
        return person

    async def sign_out_everywhere(self, person: Person) -> None:
        """End every session, token and key of the person."""
        await self._change(await self._store.people.get(person.id) or person)

    async def change_password(self, person: Person, old: str, new: str, source: str = "") -> Person:
        """Set a new password; every session, token and key ends. Raises Conflict when another change came between."""
        checked = await self._check(person.name, old, source)
        check_password(new, person.name)
        return await self._change(checked, password_hash=await self.hash_password(new, source))

    async def suspend(self, by: Person, name: str, suspended: bool = True) -> Person:
        """Shut a person out, or let them in again; sessions, tokens and keys end at once, and for good."""
        administer(by, "suspends people")
        person = await self.named(name)
        if person.id == by.id:
            raise Conflict("You cannot suspend yourself.")
        return await self._change(person, suspended_at=self._clock.now() if suspended else None)

    async def _change(self, person: Person, **fields: Any) -> Person:
        """Change the person as they were read, and no other: of two changes at once, the second is refused."""
        changed = msgspec.structs.replace(person, token_version=person.token_version + 1, **fields)
        await self._store.people.change(changed, person.token_version)
        return changed

    def token_for(self, person: Person) -> tuple[str, Millis]:
        """A JWT for a person who has been let in already, and when it expires."""
        now = self._clock.now()
        claims = {
            "iss": JWT_ISSUER,
            "aud": JWT_AUDIENCE,
            "sub": person.id,
            "ver": person.token_version,
            "iat": now // 1000,
            "exp": (now + JWT_LASTS) // 1000,
        }
        return jwt.encode(claims, self._token_keys[0], JWT_ALGORITHM, {"typ": JWT_TYPE}), now + JWT_LASTS

    async def of_token(self, token: str) -> Person:
        """Who a JWT stands for. Raises SignInNeeded for anything that is not a living token of ours."""
        claims = self._claims(token)
        person = await self._store.people.get(str(claims["sub"])) if claims else None
        if person is None or claims is None or person.suspended_at or claims.get("ver") != person.token_version:
            raise SignInNeeded("The token is not valid here or has ended. Get a new one at POST /api/auth/token.")
        return person

    def _claims(self, token: str) -> dict[str, Any] | None:
        for key in self._token_keys:
            try:
                decoded = jwt.decode_complete(
                    token,
                    key,
                    algorithms=[JWT_ALGORITHM],
                    issuer=JWT_ISSUER,
                    audience=JWT_AUDIENCE,
                    options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_exp": False},
                )
            except jwt.InvalidTokenError:
                continue
            claims: dict[str, Any] = decoded["payload"]
            if decoded["header"].get("typ") == JWT_TYPE and int(claims["exp"]) * 1000 > self._clock.now():
                return claims
        return None

    async def _check(self, name: str, password: str, source: str) -> Person:
        person = await self._store.people.by_name(name)
        # The same work is done for a name that nobody has, so that the time taken tells nothing.
        right = await self.verify_password(person.password_hash if person else self._nobody, password, source)
        if person is None or not right or person.suspended_at is not None:
            raise WrongCredentials("The name or the password is wrong.")
        return person

    async def _add(
        self,
        name: str,
        password: str,
        role: Role,
        source: str = "",
        link_hash: str | None = None,
        invite: Invite | None = None,
    ) -> Person:
        check_name(name)
        check_password(password, name)
        now = self._clock.now()
        person = Person(
            id=self._ids.new("usr"),
            name=name,
            password_hash=await self.hash_password(password, source),
            role=role,
            created_at=now,
        )
        given = self._sign_up_grant(person, now, invite.tokens if invite else 0)
        return await self._store.people.add(person, given, link_hash, invite.secret_hash if invite else None)

    def _sign_up_grant(self, person: Person, now: Millis, more: int) -> Entry | None:
        amount = self._policy.sign_up_grant + more
        return grant(person.id, amount, f"sign-up:{person.id}", "Welcome", now) if amount else None

    async def _link(self, purpose: Purpose, person_id: str | None, lasts_ms: Millis) -> str:
        secret = secrets.token_urlsafe(32)
        await self._store.people.add_link(
            OneTimeLink(
                secret_hash=hash_secret(secret),
                purpose=purpose,
                person_id=person_id,
                expires_at=self._clock.now() + lasts_ms,
            )
        )
        return secret

    async def hash_password(self, password: str, source: str = "") -> str:
        """What is stored of a password, when it is this source's turn. Raises TooOften in a crowd."""
        async with self._hashing.one(source):
            return await asyncio.to_thread(HASHER.hash, password)

    async def verify_password(self, hashed: str, password: str, source: str = "") -> bool:
        """Whether that is the password, when it is this source's turn. Raises TooOften in a crowd."""
        async with self._hashing.one(source):
            try:
                return await asyncio.to_thread(HASHER.verify, hashed, password[:1000])
            except (VerificationError, InvalidHashError):
                return False
