"""Who asks, and whether the request comes from our own pages.

A browser carries a session cookie; a program carries ``Authorization: Bearer`` with a JWT or an API key. A bearer that is
not valid is refused (401), a key without the scope too (403); a cookie that is not valid, or no longer, makes whoever has it
a stranger.

Cross-site requests. A browser sends our cookie along with requests that other sites started (SameSite=Lax stops most of
them, not those from a sibling subdomain or port). A request with an unsafe method that has no bearer must therefore show
where it comes from: ``Sec-Fetch-Site`` must be ``same-origin`` and ``Origin`` must be ours, whichever of the two is there;
page scripts can forge neither (https://www.w3.org/TR/fetch-metadata/, RFC 6454). With our cookie at least one of them must
be there; without a cookie (a program that signs in) both may be missing. So forms need no token.
"""

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, State
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from mutoscope.domain.errors import Forbidden, SignInNeeded
from mutoscope.domain.keys import is_key
from mutoscope.domain.people import SESSION_MS, Person
from mutoscope.domain.rights import Viewer
from mutoscope.services.studio import Studio
from mutoscope.web.scopes import AS_STRANGER, check_scopes_for, opens

COOKIE = "mutoscope_session"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SECRET_CHARS = 200
FOR_PROGRAMS = ("/api/", "/media/")
"""Where keys open anything."""


class CrossSite(Forbidden):
    """The request came from another site, or does not say where it comes from."""

    code = "cross_site"
    title = "Not from our own pages"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody proved who they are; ``credential`` is the cookie's secret, the JWT or the key, and is never logged.

    ``holder``: whose key came along, where the key itself opens nothing.
    """

    means: Literal["none", "cookie", "bearer", "key"] = "none"
    person: Person | None = None
    credential: str = ""
    holder: Person | None = None


Connection = ASGIConnection[Any, Person | None, Caller, State]
Asked = Request[Person | None, Caller, State]
"""A request after `Authentication`."""


def studio_of(request: Connection) -> Studio:
    """The studio that the application serves."""
    studio: Studio = request.app.state.studio
    return studio


def viewer_of(request: Asked) -> Viewer:
    """Whoever asks, for questions of rights."""
    person = request.user
    return Viewer() if person is None else Viewer(person_id=person.id, is_admin=person.is_admin)


def person_of(request: Asked) -> Person:
    """Who is signed in. Raises SignInNeeded."""
    if request.user is None:
        raise SignInNeeded("Sign in first, or send a token: Authorization: Bearer ...")
    return request.user


def cookie_name(base_url: str) -> str:
    """The session cookie's name; the prefix makes browsers insist on HTTPS, this host and no Domain (RFC 6265bis)."""
    return f"__Host-{COOKIE}" if base_url.startswith("https:") else COOKIE


def session_cookie(studio: Studio, secret: str) -> Cookie:
    """The cookie that keeps somebody signed in."""
    return Cookie(
        key=cookie_name(studio.base_url),
        value=secret,
        path="/",
        max_age=SESSION_MS // 1000,
        httponly=True,
        samesite="lax",
        secure=studio.base_url.startswith("https:"),
    )


def ended_cookie(studio: Studio) -> Cookie:
    """The cookie that makes a browser forget its session."""
    return Cookie(
        key=cookie_name(studio.base_url),
        value="",
        path="/",
        max_age=0,
        httponly=True,
        samesite="lax",
        secure=studio.base_url.startswith("https:"),
    )


async def identify(studio: Studio, caller: Caller) -> Person | None:
    """Who the caller is now: asked again by long streams. None when the session has ended. Raises SignInNeeded."""
    if caller.means == "bearer":
        return await studio.accounts.of_token(caller.credential)
    if caller.means == "key":
        return (await studio.keys.of_secret(caller.credential))[1]
    return await studio.sessions.of_secret(caller.credential) if caller.means == "cookie" else None


class Authentication(AbstractAuthenticationMiddleware):
    """Puts the person into ``request.user`` and the Caller into ``request.auth``."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Find out who asks. Raises SignInNeeded for a bad bearer, ScopeNeeded, CrossSite."""
        studio = studio_of(connection)
        authorization = connection.headers.get("authorization", "")
        if authorization:
            credential = _bearer(authorization)
            if is_key(credential):
                return await _by_key(studio, credential, _operation(connection))
            caller = Caller(means="bearer", credential=credential)
        else:
            secret = cookie_value(connection.headers.get("cookie", ""), cookie_name(studio.base_url))
            if connection.scope.get("method") in UNSAFE:
                check_same_origin(connection, studio.base_url, bool(secret))
            caller = Caller(means="cookie", credential=secret) if secret else Caller()
        person = await identify(studio, caller)
        if person is None:
            caller = Caller()
        return AuthenticationResult(user=person, auth=msgspec.structs.replace(caller, person=person))


async def _by_key(studio: Studio, secret: str, operation: str) -> AuthenticationResult:
    key, person = await studio.keys.of_secret(secret)
    if operation in AS_STRANGER and not opens(operation, key.scopes):
        return AuthenticationResult(user=None, auth=Caller(holder=person))
    check_scopes_for(operation, key.scopes)
    return AuthenticationResult(user=person, auth=Caller(means="key", person=person, credential=secret))


def _operation(connection: Connection) -> str:
    """The name of the function that the request is for; none for pages, which take no keys and share some names."""
    if not connection.scope["path"].startswith(FOR_PROGRAMS):
        return ""
    return str(connection.scope["route_handler"].handler_name).rpartition(".")[2]


def check_same_origin(connection: Connection, base_url: str, has_cookie: bool) -> None:
    """Raises CrossSite unless the request may have been made by one of our own pages."""
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is None and origin is None:
        if has_cookie:
            raise CrossSite(
                "The request carries a session but not where it comes from. Programs use a token: POST /api/auth/token."
            )
        return
    own = {base_url, f"{connection.scope['scheme']}://{connection.headers.get('host', '')}"}
    if site not in (None, "same-origin") or (origin is not None and origin not in own):
        raise CrossSite("This was asked for by another site. Do it on the studio's own page.")


def allowed_hosts(base_url: str, more: tuple[str, ...] = ()) -> frozenset[str]:
    """The host names under which the studio answers: its own, the loopback's, and those that the operator added."""
    own = urlsplit(base_url).hostname or ""
    return frozenset({own, "localhost", "127.0.0.1", "::1", *(host.lower() for host in more)})


def host_name(header: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise SignInNeeded("Send the token like this: Authorization: Bearer <token>")
    return token.strip()


def cookie_value(header: str, name: str) -> str:
    """The value of the first cookie of that name; blank without one."""
    # Taken apart here: `http.cookies` gives up at the first cookie of somebody else's that it does not like.
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value[:SECRET_CHARS]
    return ""
