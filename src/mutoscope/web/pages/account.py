"""One's tokens and one's account."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from mutoscope.domain.errors import Conflict, Forbidden, Invalid, NotFound, WrongCredentials
from mutoscope.domain.keys import KEYS_OF_ONE, NAME_CHARS, Scope
from mutoscope.domain.people import PASSWORD_CHARS
from mutoscope.web.api.auth import set_password
from mutoscope.web.api.emails import set_email_as
from mutoscope.web.api.invites import invite_url, invite_view
from mutoscope.web.api.keys import current_secret, current_session, key_view, session_view
from mutoscope.web.api.shares import link_view
from mutoscope.web.api.tokens import entry_view
from mutoscope.web.pages.entry import welcome
from mutoscope.web.pages.forms import fields_of, go, signed_in, whole, wrong_fields
from mutoscope.web.pages.template import page
from mutoscope.web.security import Asked, ended_cookie, studio_of

PAGE_ENTRIES = 50
PAGE_SESSIONS = 50
PAGE_LINKS = 50


@get("/tokens")
async def tokens(request: Asked) -> Response[str]:
    """Balance and statement."""
    person = signed_in(request)
    found = await studio_of(request).tokens.statement(person, request.query_params.get("cursor"), PAGE_ENTRIES)
    entries = [entry_view(entry, left, person.id) for entry, left in found.items]
    return await page(request, "tokens.html", entries=entries, next=found.next)


async def _show(
    request: Asked, status: int = 200, wrong: Mapping[str, str] | None = None, **more: Any
) -> Response[str]:
    """The account, with what is wrong at which field."""
    studio, person = studio_of(request), signed_in(request)
    now, current = studio.clock.now(), current_session(request)
    sessions = (await studio.sessions.list(person))[:PAGE_SESSIONS]
    links = (await studio.sharing.mine(person, None, PAGE_LINKS)).items
    shown: dict[str, Any] = {
        "typed": {},
        "secret": None,
        "invite_link": None,
        "password_chars": PASSWORD_CHARS,
        "name_chars": NAME_CHARS,
        "keys_of_one": KEYS_OF_ONE,
        "scopes": [scope for scope in Scope if scope is not Scope.ADMIN or person.is_admin],
        "keys": [key_view(key, now) for key in await studio.keys.list(person)],
        "sessions": [session_view(session, current) for session in sessions],
        "links": [link_view(link, now) for link in links],
        "titles": await studio.sharing.titles(links),
    }
    invites = await studio.invites.list(person) if person.is_admin else []
    shown["invites"] = [invite_view(invite, now) for invite in invites]
    return await page(request, "account.html", status, wrong=wrong or {}, **(shown | more))


@get("/account")
async def account(request: Asked) -> Response[str]:
    """Name, password, keys, sessions."""
    return await _show(request)


@post("/account/password")
async def change_password(request: Asked) -> Response[str] | Response[None]:
    """Set a new password; this browser stays signed in."""
    signed_in(request)
    typed = await fields_of(request)
    try:
        changed = await set_password(request, typed.get("old", ""), typed.get("new", ""))
    except WrongCredentials:
        return await _show(request, 401, {"old": "This is not your password."})
    except Invalid as e:
        return await _show(request, 422, {"new": wrong_fields(e).get("password", e.detail)})
    return await welcome(request, changed, "/account?done=password")


@post("/account/email")
async def set_email(request: Asked) -> Response[str] | Response[None]:
    """Set the e-mail address, or remove it where the field is empty."""
    signed_in(request)
    typed = await fields_of(request)
    email = typed.get("email", "").strip()
    try:
        await set_email_as(request, email or None, typed.get("password", ""))
    except WrongCredentials:
        return await _show(request, 401, {"password": "This is not your password."}, typed={"email": email})
    except Invalid as e:
        return await _show(request, 422, wrong_fields(e), typed={"email": email})
    return go("/account?done=email" if email else "/account?done=email-removed")


@post("/account/keys", status_code=200)
async def create_key(request: Asked) -> Response[str]:
    """Make a key, and show its secret this once: the answer is the page itself, as nothing else has it."""
    studio, person, typed = studio_of(request), signed_in(request), await fields_of(request)
    days = typed.get("expires_in_days", "").strip()
    try:
        lasts = whole(days) if days else None
        if days and lasts is None:
            raise Invalid("A key lasts whole days.", {"expires_in_days": "a number of days, or nothing"})
        scopes = [scope for scope in Scope if typed.get(f"scope-{scope}") == "on"]
        _, secret = await studio.keys.create(person, typed.get("name", ""), scopes, lasts)
    except Invalid as e:
        return await _show(request, 422, wrong_fields(e), typed=typed)
    except (Conflict, Forbidden) as e:
        return await _show(request, e.status, {"scopes": e.detail}, typed=typed)
    return await _show(request, secret=secret)


@post("/account/keys/{id:str}/revoke")
async def revoke_key(request: Asked, id: FromPath[str]) -> Response[None]:
    """End a key; one that is gone already is no reason to complain."""
    try:
        await studio_of(request).keys.revoke(signed_in(request), id)
    except NotFound:
        return go("/account")
    return go("/account?done=revoked")


@post("/account/invites", status_code=200)
async def create_invite(request: Asked) -> Response[str]:
    """Make an invitation, and show its link this once."""
    studio, person, typed = studio_of(request), signed_in(request), await fields_of(request)
    asked = {"uses": "1", "days": "7", "tokens": "0"} | {name: text for name, text in typed.items() if text.strip()}
    uses, days, given = (whole(asked[name].strip()) for name in ("uses", "days", "tokens"))
    try:
        if uses is None or days is None or given is None:
            raise Invalid("Those have to be whole numbers.")
        _, secret = await studio.invites.create(person, uses, days, given, typed.get("note", ""))
    except Invalid as e:
        said = ", ".join(f"{name.replace('_', ' ')}: {text}" for name, text in wrong_fields(e).items())
        return await _show(request, 422, {"invite": said or e.detail}, typed=typed)
    return await _show(request, invite_link=invite_url(studio, secret))


@post("/account/invites/{id:str}/revoke")
async def revoke_invite(request: Asked, id: FromPath[str]) -> Response[None]:
    """Take an invitation back; one that is gone already is no reason to complain."""
    with suppress(NotFound):
        await studio_of(request).invites.revoke(signed_in(request), id)
    return go("/account?done=invite-revoked")


@post("/account/sessions/{id:str}/end")
async def end_session(request: Asked, id: FromPath[str]) -> Response[None]:
    """End a session; one that is gone already is no reason to complain."""
    try:
        await studio_of(request).sessions.end(signed_in(request), id)
    except NotFound:
        return go("/account")
    return go("/account?done=session-ended")


@post("/account/sessions/end-others")
async def end_other_sessions(request: Asked) -> Response[None]:
    """End every session but this one."""
    await studio_of(request).sessions.end_others(signed_in(request), current_secret(request))
    return go("/account?done=sessions-ended")


@post("/account/sign-out-everywhere")
async def sign_out_everywhere(request: Asked) -> Response[None]:
    """End every session, token and key of one's own, this session too."""
    studio, person = studio_of(request), signed_in(request)
    await studio.accounts.sign_out_everywhere(person)
    answer: Response[None] = go("/sign-in?done=signed-out")
    answer.cookies.append(ended_cookie(studio))
    return answer
