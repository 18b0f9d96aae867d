"""Ordering pictures and films, and following the jobs."""

from typing import Annotated

from litestar import Response, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter

from mutoscope.domain.generation import Generation, PublicStatus, State, public_status
from mutoscope.domain.rights import Viewer
from mutoscope.services.generate import Upload, Wish
from mutoscope.services.studio import Studio
from mutoscope.services.views import GenerationView
from mutoscope.web.api.tokens import Cursor, IdempotencyKey, Limit
from mutoscope.web.bodies import media_type, read_json, received_form, wish_of
from mutoscope.web.limits import count_order
from mutoscope.web.problems import UnsupportedMediaType
from mutoscope.web.render import GenerationPage, render_generation
from mutoscope.web.security import Asked, person_of, studio_of, viewer_of

Statuses = Annotated[
    list[PublicStatus] | None, QueryParameter(name="status", description="only jobs of that status; may be repeated")
]


async def _accepted(studio: Studio, viewer: Viewer, found: tuple[Generation, bool]) -> Response[GenerationView]:
    generation, replayed = found
    return Response(
        await render_generation(studio, viewer, generation),
        status_code=200 if replayed else 202,
        headers={"Location": f"{studio.base_url}/api/generations/{generation.id}"},
    )


async def _order(request: Asked, wish: Wish, upload: Upload | None, key: str | None) -> Response[GenerationView]:
    studio = studio_of(request)
    found = await studio.generate.accept(person_of(request), wish, upload, key)
    return await _accepted(studio, viewer_of(request), found)


@post("/generations", status_code=202)
async def create_generation(request: Asked, key: IdempotencyKey = None) -> Response[GenerationView]:
    """Order a picture or film. Its price is held until it is there, and comes back when it fails.

    The body is the order as JSON, or a multipart form with the same fields (or all of them as JSON in ``request``) and the
    source picture as ``image``.
    """
    await count_order(request)
    kind, _ = media_type(request)
    if kind == "application/json":
        return await _order(request, await read_json(request, Wish), None, key)
    if kind != "multipart/form-data":
        raise UnsupportedMediaType("Send the order as application/json or multipart/form-data.")
    studio = studio_of(request)
    async with received_form(request, studio.spool, studio.policy.upload_limits.size_bytes) as form:
        return await _order(request, wish_of(form.fields), form.image, key)


@get("/generations")
async def list_generations(
    request: Asked, status: Statuses = None, cursor: Cursor = None, limit: Limit = 50
) -> GenerationPage:
    """One's own jobs, newest first."""
    studio, viewer = studio_of(request), viewer_of(request)
    states = frozenset(state for state in State if public_status(state) in status) if status else None
    page = await studio.generate.list(person_of(request), states, cursor, limit)
    return GenerationPage(
        items=[await render_generation(studio, viewer, generation) for generation in page.items], next=page.next
    )


@get("/generations/{generation_id:str}")
async def get_generation(request: Asked, generation_id: FromPath[str]) -> GenerationView:
    """One job of one's own."""
    studio = studio_of(request)
    generation = await studio.generate.get(person_of(request), generation_id)
    return await render_generation(studio, viewer_of(request), generation)


@post("/generations/{generation_id:str}/cancel", status_code=200)
async def cancel_generation(request: Asked, generation_id: FromPath[str]) -> GenerationView:
    """Ask for a job to be stopped. What it costs then is in ``cancel_fee``."""
    studio = studio_of(request)
    generation = await studio.generate.cancel(person_of(request), generation_id)
    return await render_generation(studio, viewer_of(request), generation)


@post("/generations/{generation_id:str}/retry", status_code=202)
async def retry_generation(
    request: Asked, generation_id: FromPath[str], key: IdempotencyKey = None
) -> Response[GenerationView]:
    """Order the same again, as a new job at today's price, after one that failed or was canceled."""
    await count_order(request)
    studio = studio_of(request)
    found = await studio.generate.retry(person_of(request), generation_id, key)
    return await _accepted(studio, viewer_of(request), found)


routes: list[BaseRouteHandler] = [list_generations, get_generation, cancel_generation, retry_generation]
