"""One's tokens and one's account."""

from litestar import Response, get, post

from mutoscope.domain.errors import Invalid, WrongCredentials
from mutoscope.domain.people import PASSWORD_CHARS
from mutoscope.web.api.tokens import entry_view
from mutoscope.web.pages.entry import welcome
from mutoscope.web.pages.forms import fields_of, go, signed_in, wrong_fields
from mutoscope.web.pages.template import page
from mutoscope.web.security import Asked, ended_cookie, studio_of

PAGE_ENTRIES = 50


@get("/tokens")
async def tokens(request: Asked) -> Response[str]:
    """Balance and statement."""
    person = signed_in(request)
    found = await studio_of(request).tokens.statement(person, request.query_params.get("cursor"), PAGE_ENTRIES)
    entries = [entry_view(entry, left, person.id) for entry, left in found.items]
    return await page(request, "tokens.html", entries=entries, next=found.next)


@get("/account")
async def account(request: Asked) -> Response[str]:
    """Name, password, sessions."""
    signed_in(request)
    return await page(request, "account.html", wrong={}, password_chars=PASSWORD_CHARS)


@post("/account/password")
async def change_password(request: Asked) -> Response[str] | Response[None]:
    """Set a new password; this browser stays signed in."""
    studio, person, typed = studio_of(request), signed_in(request), await fields_of(request)
    new = typed.get("new", "")
    try:
        await studio.accounts.change_password(person, typed.get("old", ""), new)
    except WrongCredentials:
        wrong = {"old": "This is not your password."}
        return await page(request, "account.html", 401, wrong=wrong, password_chars=PASSWORD_CHARS)
    except Invalid as e:
        wrong = {"new": wrong_fields(e).get("password", e.detail)}
        return await page(request, "account.html", 422, wrong=wrong, password_chars=PASSWORD_CHARS)
    _, secret = await studio.accounts.sign_in(person.name, new, request.headers.get("user-agent", ""))
    return welcome(studio, secret, "/account?done=password")


@post("/account/sign-out-everywhere")
async def sign_out_everywhere(request: Asked) -> Response[None]:
    """End every session and token of one's own, this one too."""
    studio, person = studio_of(request), signed_in(request)
    await studio.accounts.sign_out_everywhere(person)
    answer: Response[None] = go("/sign-in?done=signed-out")
    answer.cookies.append(ended_cookie(studio))
    return answer
