"""Likes: giving one, taking it back, and the list of one's own."""

from litestar import Response, delete, get, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from mutoscope.domain.media import Media
from mutoscope.services.views import ItemView
from mutoscope.web.api.tokens import Cursor, Limit
from mutoscope.web.limits import count_like
from mutoscope.web.render import ItemPage, render_item, render_items
from mutoscope.web.security import Asked, person_of, studio_of, viewer_of


async def _answer(request: Asked, item: Media) -> Response[ItemView]:
    return Response(await render_item(studio_of(request), viewer_of(request), item), status_code=200)


@put("/media/{media_id:str}/like", status_code=200)
async def like_item(request: Asked, media_id: FromPath[str]) -> Response[ItemView]:
    """Like an item. A person likes an item once, however often it is asked."""
    await count_like(request)
    liking = studio_of(request).liking
    return await _answer(request, await liking.like(person_of(request), viewer_of(request), media_id))


@delete("/media/{media_id:str}/like", status_code=200)
async def unlike_item(request: Asked, media_id: FromPath[str]) -> Response[ItemView]:
    """Take a like back, where there is one."""
    await count_like(request)
    liking = studio_of(request).liking
    return await _answer(request, await liking.unlike(person_of(request), viewer_of(request), media_id))


@get("/likes")
async def list_likes(request: Asked, cursor: Cursor = None, limit: Limit = 50) -> ItemPage:
    """What one likes, the newest like first; without what is gone or not open to one any more, so that a page may be short."""
    studio, viewer = studio_of(request), viewer_of(request)
    page = await studio.liking.list(person_of(request), viewer, cursor, limit)
    return ItemPage(items=await render_items(studio, viewer, page.items), next=page.next)


routes: list[BaseRouteHandler] = [like_item, unlike_item, list_likes]
