"""Forms without files, what stands in their fields, and where they lead."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote

from litestar import Response
from litestar.response import Redirect

from mutoscope.domain.errors import Invalid, SignInNeeded
from mutoscope.domain.people import Person
from mutoscope.web.bodies import chunks_of
from mutoscope.web.pages.template import wants_fragment
from mutoscope.web.problems import AnyRequest, respond
from mutoscope.web.security import Asked

FORM_BYTES = 64 * 1024
FIELDS_MAX = 64


async def fields_of(request: AnyRequest) -> dict[str, str]:
    """The fields of a plain form; of a name that is there twice, the last. Raises TooLarge, Invalid."""
    body = b"".join([chunk async for chunk in chunks_of(request, FORM_BYTES)])
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"))
    except ValueError:
        raise Invalid("The form cannot be read.", {"form": "is not well-formed"}) from None


_WHOLE = re.compile(r"-?[0-9]{1,18}")


def whole(text: str) -> int | None:
    """The whole number that a field says; None when it says none, or one that no 64 bits hold."""
    return int(text) if _WHOLE.fullmatch(text) else None


def wrong_fields(error: Invalid) -> dict[str, str]:
    """What is wrong at which field."""
    return dict(error.extra.get("fields", {}))


def go(path: str) -> Redirect:
    """The answer to a form that did its work: look there (303, so that loading it again sends nothing twice)."""
    return Redirect(path, status_code=303)


def safe_path(path: str) -> str:
    """A path on this site to go on to; the front page for anything else."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 2000
    return path if fine else "/"


def to_sign_in(request: Asked, error: SignInNeeded) -> Response[Any]:
    """Asks a visitor to sign in, and remembers where they wanted to go; a script just gets the problem."""
    if wants_fragment(request):
        return respond(request, error)
    wanted = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    if request.method != "GET":
        wanted, query = "/", ""
    return go("/sign-in?next=" + quote(wanted + ("?" + query if query else ""), safe=""))


def signed_in(request: Asked) -> Person:
    """Who is signed in. Raises SignInNeeded, which leads to the sign-in page."""
    if request.user is None:
        raise SignInNeeded("Sign in to go on.")
    return request.user
