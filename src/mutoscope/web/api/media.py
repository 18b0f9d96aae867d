"""Items: looking, searching, changing, the trash."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from mutoscope.domain import search
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Kind, Media
from mutoscope.domain.search import QUERY_CHARS, Query, Sort
from mutoscope.services.gallery import Changes, Scope
from mutoscope.services.views import ItemView
from mutoscope.web.api.tokens import Cursor, Limit
from mutoscope.web.kept import Kept
from mutoscope.web.limits import visitor
from mutoscope.web.render import ItemPage, render_item, render_items
from mutoscope.web.security import Asked, person_of, studio_of, viewer_of

Orientation = Literal["landscape", "portrait", "square"]
Text = Annotated[str | None, QueryParameter(max_length=80)]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="the item's ETag: its version in quotes")]


class Edit(Changes, frozen=True, kw_only=True, omit_defaults=True):
    """What to change of an item; what is left out stays. ``version`` guards against overwriting a change of somebody else's."""

    version: int | None = None


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a list; each narrows what ``q`` finds. Days like 2026-11-22 (UTC), lengths in seconds."""

    q: str = ""
    kind: Kind | None = None
    model: str | None = None
    tag: str | None = None
    category: str | None = None
    owner: str | None = None
    orientation: Orientation | None = None
    after: str | None = None
    before: str | None = None
    longer: str | None = None
    shorter: str | None = None
    sort: Sort = "newest"


def query_of(filters: Filters) -> Query:
    """The search that the filters and the typed words make together. Raises Invalid."""
    typed = search.parse(filters.q, filters.sort)
    chosen = ((name, getattr(filters, name)) for name in ("kind", "model", "tag", "category", "owner", "orientation"))
    terms = [search.field(name, value) for name, value in chosen if value]
    after = search.day(filters.after, "after") if filters.after else None
    before = search.day(filters.before, "before") if filters.before else None
    longer = search.seconds(filters.longer, "longer") if filters.longer else None
    shorter = search.seconds(filters.shorter, "shorter") if filters.shorter else None
    return msgspec.structs.replace(
        typed,
        all=tuple(dict.fromkeys([*typed.all, *terms])),
        after=max((at for at in (typed.after, after) if at is not None), default=None),
        before=min((at for at in (typed.before, before) if at is not None), default=None),
        longer_s=max((s for s in (typed.longer_s, longer) if s is not None), default=None),
        shorter_s=min((s for s in (typed.shorter_s, shorter) if s is not None), default=None),
    )


def version_asked(if_match: str | None, version: int | None) -> int | None:
    """The version that a change is for, by header or body; None for any. Raises Invalid."""
    if if_match is None or if_match == "*":
        return version
    digits = if_match.removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise Invalid("If-Match is the version of what is changed, in quotes.", {"If-Match": "is not a version"})
    return int(digits)


async def _answer(request: Asked, item: Media) -> Response[ItemView]:
    view = await render_item(studio_of(request), viewer_of(request), item)
    return Response(view, status_code=200, headers={"ETag": f'"{item.version}"'})


@get("/media", middleware=[Kept])
async def list_media(
    request: Asked,
    where: Annotated[Scope, QueryParameter(name="scope")] = "gallery",
    q: Annotated[
        str, QueryParameter(max_length=QUERY_CHARS, description="words and fields, such as `rain tag:noir -kind:image`")
    ] = "",
    kind: FromQuery[Kind | None] = None,
    model: Text = None,
    tag: Text = None,
    category: Text = None,
    owner: Text = None,
    orientation: FromQuery[Orientation | None] = None,
    after: Text = None,
    before: Text = None,
    longer: Text = None,
    shorter: Text = None,
    sort: FromQuery[Sort] = "newest",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ItemPage:
    """Items of the public gallery, of one's own library, or of one's trash."""
    filters = Filters(
        q=q,
        kind=kind,
        model=model,
        tag=tag,
        category=category,
        owner=owner,
        orientation=orientation,
        after=after,
        before=before,
        longer=longer,
        shorter=shorter,
        sort=sort,
    )
    studio, viewer = studio_of(request), viewer_of(request)
    page = await studio.gallery.search(viewer, where, query_of(filters), cursor, limit)
    return ItemPage(items=await render_items(studio, viewer, page.items), next=page.next)


@get("/media/{media_id:str}")
async def get_item(request: Asked, media_id: FromPath[str]) -> Response[ItemView]:
    """One item."""
    return await _answer(request, await studio_of(request).gallery.get(viewer_of(request), media_id))


@patch("/media/{media_id:str}")
async def change_item(
    request: Asked, media_id: FromPath[str], data: JSONBody[Edit], if_match: IfMatch = None
) -> Response[ItemView]:
    """Change an item of one's own."""
    person_of(request)
    changes = Changes(
        title=data.title,
        description=data.description,
        tags=data.tags,
        category=data.category,
        visibility=data.visibility,
        unlock_price=data.unlock_price,
        is_blurred=data.is_blurred,
        blur_intensity=data.blur_intensity,
    )
    version = version_asked(if_match, data.version)
    return await _answer(
        request, await studio_of(request).gallery.change(viewer_of(request), media_id, changes, version)
    )


@delete("/media/{media_id:str}", status_code=200)
async def discard_item(request: Asked, media_id: FromPath[str]) -> Response[ItemView]:
    """Put an item of one's own in the trash."""
    person_of(request)
    return await _answer(request, await studio_of(request).gallery.discard(viewer_of(request), media_id))


@post("/media/{media_id:str}/restore", status_code=200)
async def restore_item(request: Asked, media_id: FromPath[str]) -> Response[ItemView]:
    """Take an item out of the trash."""
    person_of(request)
    return await _answer(request, await studio_of(request).gallery.restore(viewer_of(request), media_id))


@post("/media/{media_id:str}/view", status_code=204)
async def count_view(request: Asked, media_id: FromPath[str]) -> None:
    """Say that somebody looks at an item: once its page has been in sight for a moment.

    Each viewer counts once a day (UTC), within some seconds. The owner's own looks, robots and what browsers fetch ahead do
    not count, and no answer tells.
    """
    studio, viewer = studio_of(request), viewer_of(request)
    await studio.counting.viewed(viewer, await studio.gallery.get(viewer, media_id), visitor(request))


routes: list[BaseRouteHandler] = [list_media, get_item, change_item, discard_item, restore_item, count_view]
