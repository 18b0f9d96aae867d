"""Every error as problem details (RFC 9457), with a stable ``code``; as a page for browsers that ask for one."""

import re
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

from mutoscope.blobs.port import BlobMissing, BlobsUnavailable
from mutoscope.darkroom.port import DarkroomBroken
from mutoscope.domain.errors import Invalid, NotFound, Refused, TooLarge, Unavailable
from mutoscope.spool import SpoolFull, TooMuch
from mutoscope.store.port import StoreUnavailable

log = structlog.get_logger("mutoscope.web")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

AnyRequest = Request[Any, Any, Any]


class MethodNotAllowed(Refused):
    """The address is there, the method is not."""

    code = "method_not_allowed"
    status = 405
    title = "This cannot be done here"


class UnsupportedMediaType(Refused):
    """A body of a kind that the route does not take."""

    code = "unsupported_media_type"
    status = 415
    title = "The body is of the wrong kind"


class WrongHost(Refused):
    """The request names a host that is not this studio: a misdirected request (RFC 9110, 15.5.20)."""

    code = "wrong_host"
    status = 421
    title = "This is not the host that was asked for"


class Interrupted(Refused):
    """The body broke off; hardly anyone is there to read this."""

    code = "interrupted"
    title = "The upload broke off"


class Internal(Refused):
    """Something of ours is broken; the log says what."""

    code = "internal"
    status = 500
    title = "Something went wrong on our side"


UNAVAILABLE: Mapping[type[Exception], str] = {
    StoreUnavailable: "The database cannot be reached or is full. Try again in a moment.",
    BlobsUnavailable: "The file storage cannot be reached or is full. Try again in a moment.",
    BlobMissing: "The file is missing from the storage. The operator has been told.",
    SpoolFull: "The server has no space left for uploads. Try again later.",
    DarkroomBroken: "The file could not be looked at right now. Try again in a moment.",
}

_MISSING = re.compile(r"missing required field `(\w+)`")
_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?:the key in )?`\$(?P<path>.*)`)?$", re.DOTALL)


def invalid_body(error: msgspec.ValidationError) -> Invalid:
    """A complaint of msgspec's, with the field named."""
    return Invalid("The body is not as it should be.", dict([_named(str(error), "body")]))


def _named(message: str, fallback: str) -> tuple[str, str]:
    match = _PATH.match(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    if missing := _MISSING.search(what):
        return f"{path}.{missing[1]}".lstrip("."), "is missing"
    if fallback == "data":
        return path.lstrip(".") or "body", what if path else "is not as it should be"
    return path.lstrip(".") or fallback, what


GONE = "client disconnected prematurely"
"""What Litestar says when a client goes away within a body; it has no type of its own for that."""

WIRE_NAMES = {"where": "scope"}
"""Parameters whose name in Python is not that in the address."""


def _from_framework(error: HTTPException) -> Refused:
    if isinstance(error, InternalServerException) and error.detail == GONE:
        return Interrupted("The connection ended before the body did.")
    if isinstance(error, ValidationException):
        complaints: list[dict[str, str]] = error.extra if isinstance(error.extra, list) else []
        named = dict(_named(c["message"], c.get("key", "data")) for c in complaints)
        named = {WIRE_NAMES.get(name, name): text for name, text in named.items()}
        return Invalid("Something in the request is not right.", named or {"request": "is not as it should be"})
    by_status: dict[int, Refused] = {
        404: NotFound("There is nothing at this address."),
        405: MethodNotAllowed("This address does not take that method."),
        413: TooLarge("The body is larger than this address takes."),
        415: UnsupportedMediaType("This address does not take a body of that kind."),
    }
    if error.status_code in by_status:
        return by_status[error.status_code]
    if error.status_code < 500:
        return Invalid("The request cannot be read.", {"body": "is not well-formed"})
    return Internal("The error has been noted. Try again, and tell the operator if it stays.")


def refused_from(error: Exception) -> Refused:
    """The refusal that an exception is shown as; what is unexpected is logged and shown without details."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, msgspec.ValidationError):
        return invalid_body(error)
    if isinstance(error, RecursionError):
        return Invalid("The body is nested too deeply.", {"body": "is nested too deeply"})
    if isinstance(error, TooMuch):
        return TooLarge("The file is larger than this address takes.")
    if isinstance(error, tuple(UNAVAILABLE)):
        sentence = next(text for kind, text in UNAVAILABLE.items() if isinstance(error, kind))
        log.error("unavailable", error=type(error).__name__, detail=str(error))
        return Unavailable(sentence)
    refused = _from_framework(error) if isinstance(error, HTTPException) else None
    if refused is None or isinstance(refused, Internal):
        # As text made here: a renderer of tracebacks may show local variables, and among them passwords and prompts.
        log.error("unexpected", trace="".join(traceback.format_exception(error)))
    return refused or Internal("The error has been noted. Try again, and tell the operator if it stays.")


def problem_of(refused: Refused) -> dict[str, Any]:
    """The problem document of a refusal. ``code`` is stable, ``detail`` says what to do, ``fields`` what is wrong where."""
    return {
        "type": f"urn:mutoscope:problem:{refused.code}",
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
        "code": refused.code,
        **refused.extra,
    }


def headers_of(refused: Refused, error: Exception | None = None) -> dict[str, str]:
    """The header fields that belong to a refusal."""
    headers = {"Cache-Control": "private, no-store"}
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="mutoscope"'
    if refused.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = str(refused.extra.get("retry_after", RETRY_AFTER_S))
    if isinstance(error, HTTPException) and refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = (error.headers or {}).get("allow", "")
    return headers


ErrorPage = Callable[[AnyRequest, int, str, str], Response[Any]]


def _wants_page(request: AnyRequest) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith(
        ("/api/", "/media/", "/hooks/")
    )


def respond(request: AnyRequest, error: Exception) -> Response[Any]:
    """The answer to a request that failed."""
    refused = refused_from(error)
    headers = headers_of(refused, error)
    page: ErrorPage | None = request.app.state.get("error_page") if _wants_page(request) else None
    if page is not None:
        response = page(request, refused.status, refused.title, refused.detail)
        response.headers.update(headers)
        return response
    return Response(problem_of(refused), status_code=refused.status, media_type=MEDIA_TYPE, headers=headers)


exception_handlers: dict[int | type[Exception], Callable[[AnyRequest, Exception], Response[Any]]] = {Exception: respond}
