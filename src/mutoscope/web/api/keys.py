"""One's API keys and sessions. No key opens these routes: a key cannot make another one."""

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from mutoscope.domain.ids import Millis
from mutoscope.domain.keys import DAYS_MAX, NAME_CHARS, ApiKey, Scope
from mutoscope.domain.people import Session
from mutoscope.services.sessions import session_id
from mutoscope.services.views import moment
from mutoscope.web.security import Asked, person_of, studio_of


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to make. Without ``expires_in_days`` it lasts until it is revoked."""

    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)]
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1)]
    expires_in_days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] | None = None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret. ``used_at`` is written at most once a minute."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: str | None
    expires_at: str | None
    used_at: str | None
    expired: bool


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new key. ``secret`` is told this once."""

    key: KeyView
    secret: str


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """All keys, newest first."""

    items: list[KeyView]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in browser. ``used_at`` is written at most every ten minutes; ``current`` is the one that asks."""

    id: str
    user_agent: str
    created_at: str | None
    used_at: str | None
    expires_at: str | None
    current: bool


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions, newest first."""

    items: list[SessionView]


def key_view(key: ApiKey, now: Millis) -> KeyView:
    """A key, as its person sees it."""
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=list(key.scopes),
        created_at=moment(key.created_at),
        expires_at=moment(key.expires_at),
        used_at=moment(key.used_at),
        expired=key.expires_at is not None and key.expires_at <= now,
    )


def session_view(session: Session, current: str | None) -> SessionView:
    """A session, as its person sees it; ``current`` is the id of the one that asks."""
    return SessionView(
        id=session.id,
        user_agent=session.user_agent,
        created_at=moment(session.created_at),
        used_at=moment(session.used_at),
        expires_at=moment(session.expires_at),
        current=session.id == current,
    )


def current_secret(request: Asked) -> str | None:
    """The secret of the session that asks; None where it is no session."""
    return request.auth.credential if request.auth.means == "cookie" else None


def current_session(request: Asked) -> str | None:
    """The id of the session that asks."""
    secret = current_secret(request)
    return None if secret is None else session_id(secret)


@get("/keys")
async def list_keys(request: Asked) -> KeyList:
    """One's keys, also those that have expired."""
    studio, person = studio_of(request), person_of(request)
    now = studio.clock.now()
    return KeyList(items=[key_view(key, now) for key in await studio.keys.list(person)])


@post("/keys")
async def create_key(request: Asked, data: JSONBody[NewKey]) -> KeyMade:
    """Make a key. Its secret is in this answer and nowhere else."""
    studio, person = studio_of(request), person_of(request)
    key, secret = await studio.keys.create(person, data.name, data.scopes, data.expires_in_days)
    return KeyMade(key=key_view(key, studio.clock.now()), secret=secret)


@delete("/keys/{key_id:str}", status_code=204)
async def revoke_key(request: Asked, key_id: FromPath[str]) -> None:
    """End a key at once."""
    await studio_of(request).keys.revoke(person_of(request), key_id)


@get("/sessions")
async def list_sessions(request: Asked) -> SessionList:
    """Where one is signed in."""
    found = await studio_of(request).sessions.list(person_of(request))
    return SessionList(items=[session_view(session, current_session(request)) for session in found])


@delete("/sessions/{session_id:str}", status_code=204)
async def end_session(request: Asked, session_id: FromPath[str]) -> None:
    """End one session at once."""
    await studio_of(request).sessions.end(person_of(request), session_id)


@delete("/sessions", status_code=204)
async def end_other_sessions(request: Asked) -> None:
    """End every session but the one that asks. Tokens and keys stay; POST /api/auth/sign-out-everywhere ends those too."""
    await studio_of(request).sessions.end_others(person_of(request), current_secret(request))


routes: list[BaseRouteHandler] = [list_keys, create_key, revoke_key, list_sessions, end_session, end_other_sessions]
