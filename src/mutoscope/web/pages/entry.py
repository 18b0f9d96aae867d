"""Coming in and going out: set up, sign in, register, sign out."""

from litestar import Response, get, post

from mutoscope.domain.errors import Conflict, Forbidden, Invalid, WrongCredentials
from mutoscope.domain.people import PASSWORD_CHARS, Person
from mutoscope.web.api.auth import let_in, register_as, reset_as, sign_in_as
from mutoscope.web.api.emails import ON_ITS_WAY, forgot_as
from mutoscope.web.limits import attempt, source
from mutoscope.web.pages.forms import fields_of, go, safe_path, wrong_fields
from mutoscope.web.pages.template import page
from mutoscope.web.security import Asked, ended_cookie, studio_of


async def welcome(request: Asked, person: Person, next_: str) -> Response[None]:
    """Lets a browser in, and sends it on."""
    answer: Response[None] = go(safe_path(next_))
    answer.cookies.append(await let_in(request, person))
    return answer


async def _form(
    request: Asked, template: str, typed: dict[str, str], wrong: dict[str, str], said: str, status: int
) -> Response[str]:
    typed = {name: text for name, text in typed.items() if "password" not in name}
    return await page(request, template, status, typed=typed, wrong=wrong, said=said, password_chars=PASSWORD_CHARS)


@get("/sign-in")
async def sign_in_page(request: Asked) -> Response[str]:
    """The form; for a one-time link a button, since whoever previews a link must not use it up."""
    typed = {"next": request.query_params.get("next", "/")}
    link = request.query_params.get("link")
    if link:
        return await page(request, "link.html", secret=link, next=typed["next"])
    return await _form(request, "sign-in.html", typed, {}, "", 200)


@post("/sign-in")
async def sign_in(request: Asked) -> Response[str] | Response[None]:
    """Sign in with name and password."""
    typed = await fields_of(request)
    try:
        person = await sign_in_as(request, typed.get("name", "").strip(), typed.get("password", ""))
    except WrongCredentials as e:
        return await _form(request, "sign-in.html", typed, {"password": e.detail}, "", 401)
    return await welcome(request, person, typed.get("next", "/"))


@post("/sign-in/link")
async def sign_in_by_link(request: Asked) -> Response[str] | Response[None]:
    """Sign in with a one-time link."""
    studio, typed = studio_of(request), await fields_of(request)
    try:
        async with attempt(request):
            person = await studio.accounts.sign_in_by_link(typed.get("secret", ""))
    except WrongCredentials as e:
        return await _form(request, "sign-in.html", {"next": typed.get("next", "/")}, {}, e.detail, 401)
    return await welcome(request, person, typed.get("next", "/"))


@get("/register")
async def register_page(request: Asked) -> Response[str]:
    """The form for a new account."""
    typed = {"next": request.query_params.get("next", "/"), "invite": request.query_params.get("invite", "")}
    return await _form(request, "register.html", typed, {}, "", 200)


@post("/register")
async def register(request: Asked) -> Response[str] | Response[None]:
    """Make an account, and sign in."""
    typed = await fields_of(request)
    name, password = typed.get("name", "").strip(), typed.get("password", "")
    try:
        person = await register_as(request, name, password, typed.get("invite") or None)
    except Invalid as e:
        return await _form(request, "register.html", typed, wrong_fields(e), "", 422)
    except Conflict as e:
        return await _form(request, "register.html", typed, {"name": e.detail}, "", 409)
    except (Forbidden, WrongCredentials) as e:
        return await _form(request, "register.html", typed, {}, e.detail, e.status)
    return await welcome(request, person, typed.get("next", "/"))


@get("/set-up")
async def set_up_page(request: Asked) -> Response[str]:
    """The form that makes the administrator; it needs the one-time link's secret."""
    typed = {"secret": request.query_params.get("secret", "")}
    return await _form(request, "set-up.html", typed, {}, "", 200)


@post("/set-up")
async def set_up(request: Asked) -> Response[str] | Response[None]:
    """Make the administrator, and sign in."""
    studio, typed = studio_of(request), await fields_of(request)
    name, password = typed.get("name", "").strip(), typed.get("password", "")
    try:
        async with attempt(request):
            person = await studio.accounts.set_up(typed.get("secret", ""), name, password, source(request) or "")
    except Invalid as e:
        return await _form(request, "set-up.html", typed, wrong_fields(e), "", 422)
    except (Conflict, WrongCredentials) as e:
        return await _form(request, "set-up.html", typed, {}, e.detail, e.status)
    return await welcome(request, person, "/create")


@get("/forgot")
async def forgot_page(request: Asked) -> Response[str]:
    """The form with which a link for a new password is asked for, or whom to ask instead."""
    return await _form(request, "forgot.html", {}, {}, "", 200)


@post("/forgot", status_code=200)
async def forgot(request: Asked) -> Response[str]:
    """Ask for the link; the answer is the same for every name and address."""
    typed = await fields_of(request)
    try:
        after = await forgot_as(request, typed.get("name", ""))
    except Conflict as e:
        return await _form(request, "forgot.html", {}, {}, e.detail, e.status)
    answer = await _form(request, "forgot.html", {}, {}, ON_ITS_WAY, 200)
    answer.background = after
    return answer


@get("/reset")
async def reset_page(request: Asked) -> Response[str]:
    """The form for a new password; it needs the secret of a one-time link, and looking at it uses up nothing."""
    return await _form(request, "reset.html", {"secret": request.query_params.get("link", "")}, {}, "", 200)


@post("/reset")
async def reset(request: Asked) -> Response[str] | Response[None]:
    """Set a new password, and sign in."""
    typed = await fields_of(request)
    try:
        person = await reset_as(request, typed.get("secret", ""), typed.get("password", ""))
    except Invalid as e:
        return await _form(request, "reset.html", typed, wrong_fields(e), "", 422)
    except (Conflict, WrongCredentials) as e:
        return await _form(request, "reset.html", typed, {}, e.detail, e.status)
    return await welcome(request, person, "/account?done=password")


@post("/sign-out")
async def sign_out(request: Asked) -> Response[None]:
    """End this session."""
    studio = studio_of(request)
    if request.auth.means == "cookie":
        await studio.sessions.close(request.auth.credential)
    answer: Response[None] = go("/sign-in?done=signed-out")
    answer.cookies.append(ended_cookie(studio))
    return answer
