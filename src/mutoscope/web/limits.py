"""Where a request comes from, and limits around what it tries."""

from contextlib import AbstractAsyncContextManager

import structlog
from litestar.datastructures import State

from mutoscope.domain.counting import Visitor
from mutoscope.domain.limits import source_of
from mutoscope.web.security import Asked, person_of, studio_of

log = structlog.get_logger("mutoscope.web")

FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
PURPOSES = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Where browsers say that they fetch ahead: as the standard has it (https://fetch.spec.whatwg.org/#sec-purpose-header), and before."""


def source(request: Asked) -> str | None:
    """Whose request it is, for limits; None on the operator's socket. Proxies that are trusted have been seen through."""
    client = request.scope.get("client")
    if client is None:
        return None
    if not studio_of(request).policy.behind_proxy and any(name in request.headers for name in FORWARDED):
        _tell_of_proxy(request.app.state, client[0])
    return source_of(client[0])


def visitor(request: Asked) -> Visitor:
    """Where a look comes from. Of that no log says anything, also not that it may have come through a proxy."""
    client = request.scope.get("client")
    return Visitor(
        source=source_of(client[0]) if client is not None else None,
        user_agent=request.headers.get("user-agent", ""),
        purpose=" ".join(request.headers.get(name, "") for name in PURPOSES),
    )


def _tell_of_proxy(state: State, proxy: str) -> None:
    """Say it once: in front of strangers the log would fill up."""
    if not state.get("told_of_proxy"):
        state["told_of_proxy"] = True
        log.warning(
            "behind a proxy that is not trusted, limits take all people for one: set MUTOSCOPE_TRUSTED_PROXIES",
            proxy=proxy,
        )


def attempt(request: Asked, name: str | None = None) -> AbstractAsyncContextManager[None]:
    """Around a try at a secret, or at the password of ``name``. Raises TooOften."""
    return studio_of(request).limits.attempt(source(request), name)


async def count_registration(request: Asked) -> None:
    """Raises TooOften."""
    await studio_of(request).limits.register(source(request))


async def count_order(request: Asked) -> None:
    """Raises TooOften, SignInNeeded."""
    await studio_of(request).limits.order(person_of(request), source(request))


async def count_like(request: Asked) -> None:
    """Raises TooOften, SignInNeeded."""
    await studio_of(request).limits.like(person_of(request))
