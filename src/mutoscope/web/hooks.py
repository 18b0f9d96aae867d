"""Where providers call us: a public address, outside of sessions and tokens, with a signature in their place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Response, post
from litestar.params import FromPath

from mutoscope.domain.errors import Refused, TooMany
from mutoscope.services.hooks import Hooks
from mutoscope.store.port import StoreUnavailable
from mutoscope.web.bodies import chunks_of
from mutoscope.web.health import Metrics
from mutoscope.web.security import Asked, studio_of

BODY_BYTES = 1024 * 1024
AT_ONCE = 64
"""Calls that may be on the way or being verified at the same time: so many megabytes at most."""


class Doorkeeper:
    """Lets so many calls in at once."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """A place for one call, until it is answered. Raises TooMany."""
        if self._places.locked():
            raise TooMany("Too many calls are coming in at once. Send it again.")
        async with self._places:
            yield


@post("/hooks/{provider:str}/{reference:str}", include_in_schema=False, exclude_from_auth=True, status_code=200)
async def hook(request: Asked, provider: FromPath[str], reference: FromPath[str]) -> Response[str]:
    """A provider says that something happened to the job that it knows by our ``reference``."""
    hooks: Hooks = studio_of(request).hooks
    metrics: Metrics = request.app.state.metrics
    doorkeeper: Doorkeeper = request.app.state.doorkeeper
    hooks.check(provider, reference)
    try:
        async with doorkeeper.place():
            body = b"".join([chunk async for chunk in chunks_of(request, BODY_BYTES)])
            headers = {name.lower(): value for name, value in request.headers.items()}
            heard = await hooks.receive(provider, reference, headers, body)
    except Refused as e:
        metrics.called(provider, e.code)
        raise
    except StoreUnavailable:
        metrics.called(provider, "unavailable")
        raise
    metrics.called(provider, heard)
    return Response("", media_type="text/plain")
