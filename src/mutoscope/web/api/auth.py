"""Coming in and going out."""

import msgspec
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from mutoscope.domain.errors import Forbidden
from mutoscope.domain.people import Person, Role
from mutoscope.services.resets import reset_url
from mutoscope.services.studio import Studio
from mutoscope.services.views import moment
from mutoscope.web.limits import attempt, count_registration, source
from mutoscope.web.security import Asked, ended_cookie, person_of, session_cookie, studio_of


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs in."""

    name: str
    password: str


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A new account; ``invite`` is what stands behind ``invite=`` in the link of an invitation."""

    name: str
    password: str
    invite: str | None = None


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """The first administrator, with the secret of the set-up link."""

    secret: str
    name: str
    password: str


class LinkSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The secret of a one-time sign-in link."""

    secret: str


class ResetWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose password is lost, by name."""

    name: str


class ResetLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that works once, for an hour."""

    url: str


class PasswordReset(msgspec.Struct, frozen=True, kw_only=True):
    """A new password, with the secret of the link."""

    secret: str
    password: str


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True):
    """The password as it is, and as it shall be."""

    old: str
    new: str


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """Whole tokens: what can be spent, and what running jobs hold."""

    available: int
    held: int


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """The person who asks."""

    id: str
    name: str
    role: Role
    balance: BalanceView
    created_at: str | None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token for a program; ``expires_in`` in seconds (the field names of OAuth 2.0, RFC 6749)."""

    access_token: str
    token_type: str
    expires_in: int


async def view_of(studio: Studio, person: Person) -> PersonView:
    """A person, as they see themselves."""
    balance = await studio.tokens.balance(person)
    return PersonView(
        id=person.id,
        name=person.name,
        role=person.role,
        balance=BalanceView(available=balance.available, held=balance.held),
        created_at=moment(person.created_at),
    )


async def let_in(request: Asked, person: Person) -> Cookie:
    """Opens a session for this browser, under a new secret, and ends the one that it had."""
    studio = studio_of(request)
    if request.auth.means == "cookie":
        await studio.sessions.close(request.auth.credential)
    return session_cookie(studio, await studio.sessions.open(person, request.headers.get("user-agent", "")))


async def sign_in_as(request: Asked, name: str, password: str) -> Person:
    """Who that is. Raises WrongCredentials, TooOften."""
    async with attempt(request, name):
        return await studio_of(request).accounts.sign_in(name, password, source(request) or "")


async def register_as(request: Asked, name: str, password: str, invite: str | None) -> Person:
    """The new person. Raises Invalid, Conflict, Forbidden, WrongCredentials for a bad invitation, TooOften."""
    async with attempt(request):
        await count_registration(request)
        return await studio_of(request).accounts.register(name, password, source(request) or "", invite)


async def reset_as(request: Asked, secret: str, password: str) -> Person:
    """Whose password was set. Raises WrongCredentials, Invalid, Conflict, TooOften."""
    async with attempt(request):
        return await studio_of(request).resets.reset(secret, password, source(request) or "")


async def set_password(request: Asked, old: str, new: str) -> Person:
    """Change the password of whoever asks. Raises WrongCredentials, Invalid, Conflict, TooOften."""
    person = person_of(request)
    async with attempt(request, person.name):
        return await studio_of(request).accounts.change_password(person, old, new, source(request) or "")


async def _signed_in(request: Asked, person: Person, status: int = 200) -> Response[PersonView]:
    cookie = await let_in(request, person)
    return Response(await view_of(studio_of(request), person), status_code=status, cookies=[cookie])


@post("/auth/set-up")
async def set_up(request: Asked, data: JSONBody[SetUp]) -> Response[PersonView]:
    """Make the first administrator with the secret of the link that `mutoscope serve` printed, and sign in."""
    async with attempt(request):
        person = await studio_of(request).accounts.set_up(data.secret, data.name, data.password, source(request) or "")
    return await _signed_in(request, person, 201)


@post("/auth/register")
async def register(request: Asked, data: JSONBody[Registration]) -> Response[PersonView]:
    """Make an account, and sign in."""
    person = await register_as(request, data.name, data.password, data.invite)
    return await _signed_in(request, person, 201)


@post("/auth/sign-in", status_code=200)
async def sign_in(request: Asked, data: JSONBody[Credentials]) -> Response[PersonView]:
    """Sign in with name and password; the answer sets the session cookie."""
    return await _signed_in(request, await sign_in_as(request, data.name, data.password))


@post("/auth/sign-in-link", status_code=200)
async def sign_in_link(request: Asked, data: JSONBody[LinkSecret]) -> Response[PersonView]:
    """Sign in with a one-time link."""
    async with attempt(request):
        person = await studio_of(request).accounts.sign_in_by_link(data.secret)
    return await _signed_in(request, person)


@post("/auth/sign-out", status_code=204)
async def sign_out(request: Asked) -> Response[None]:
    """End this session. Doing it twice is harmless."""
    studio = studio_of(request)
    if request.auth.means == "cookie":
        await studio.sessions.close(request.auth.credential)
    return Response(None, status_code=204, cookies=[ended_cookie(studio)])


@post("/auth/sign-out-everywhere", status_code=204)
async def sign_out_everywhere(request: Asked) -> Response[None]:
    """End every session, token and key of one's own."""
    studio = studio_of(request)
    await studio.accounts.sign_out_everywhere(person_of(request))
    return Response(None, status_code=204, cookies=[ended_cookie(studio)])


@post("/auth/password", status_code=204)
async def change_password(request: Asked, data: JSONBody[PasswordChange]) -> Response[None]:
    """Set a new password. Every session, token and key ends; the browser that asked stays signed in, under a new secret."""
    person = await set_password(request, data.old, data.new)
    cookies = [await let_in(request, person)] if request.auth.means == "cookie" else []
    return Response(None, status_code=204, cookies=cookies)


@post("/admin/reset-links")
async def create_reset_link(request: Asked, data: JSONBody[ResetWanted]) -> ResetLink:
    """Make a link with which somebody sets a new password (administrators, who hand it over)."""
    studio = studio_of(request)
    secret = await studio.resets.link_for(person_of(request), data.name)
    return ResetLink(url=reset_url(studio.base_url, secret))


@post("/auth/reset", status_code=200)
async def reset_password(request: Asked, data: JSONBody[PasswordReset]) -> Response[PersonView]:
    """Set a new password with the secret of a link, and sign in. Everything that was signed in before ends."""
    return await _signed_in(request, await reset_as(request, data.secret, data.password))


@post("/auth/token", status_code=200)
async def issue_token(request: Asked, data: JSONBody[Credentials]) -> TokenView:
    """A token for a program, for name and password."""
    if request.auth.means == "bearer":
        raise Forbidden("A token is given for name and password, without an Authorization header.")
    studio = studio_of(request)
    token, expires_at = studio.accounts.token_for(await sign_in_as(request, data.name, data.password))
    return TokenView(
        access_token=token,
        token_type="Bearer",  # noqa: S106  # the name of the scheme
        expires_in=(expires_at - studio.clock.now()) // 1000,
    )


@get("/me")
async def get_me(request: Asked) -> PersonView:
    """Who asks, with their balance."""
    return await view_of(studio_of(request), person_of(request))


routes: list[BaseRouteHandler] = [
    set_up,
    register,
    sign_in,
    sign_in_link,
    sign_out,
    sign_out_everywhere,
    change_password,
    create_reset_link,
    reset_password,
    issue_token,
    get_me,
]
