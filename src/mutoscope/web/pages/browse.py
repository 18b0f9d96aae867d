"""The gallery, the library, the trash and what one likes: cards, newest first, found by what stands in the address."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Media
from mutoscope.services.gallery import Scope
from mutoscope.store.port import Page
from mutoscope.web.api.media import Filters, query_of
from mutoscope.web.pages.forms import signed_in, wrong_fields
from mutoscope.web.pages.template import html, page, wants_fragment
from mutoscope.web.render import render_items
from mutoscope.web.security import Asked, studio_of, viewer_of

PAGE_ITEMS = 40

CHIPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("kind", (("video", "Films"), ("image", "Pictures"))),
    ("orientation", (("landscape", "Wide"), ("portrait", "Tall"), ("square", "Square"))),
    (
        "sort",
        (("oldest", "Oldest first"), ("longest", "Longest first"), ("popular", "Most viewed"), ("liked", "Most liked")),
    ),
)
"""The filters beside the search field: parameter, then its values with what they are called."""


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """A filter: a link that turns it on or off."""

    label: str
    href: str
    on: bool


def _asked_for(request: Asked) -> dict[str, str]:
    known = {name for name, _ in CHIPS} | {"q"}
    return {name: text for name in sorted(known) if (text := request.query_params.get(name, "").strip())}


def chips_of(path: str, chosen: dict[str, str]) -> list[list[Chip]]:
    """The filters, in groups; each link keeps what else is chosen."""

    def chip(name: str, value: str, label: str) -> Chip:
        on = chosen.get(name) == value
        rest = {key: text for key, text in chosen.items() if key != name} | ({} if on else {name: value})
        return Chip(label=label, href=path + ("?" + urlencode(rest) if rest else ""), on=on)

    return [[chip(name, value, label) for value, label in values] for name, values in CHIPS]


def _filters(chosen: dict[str, str]) -> Filters:
    try:
        return msgspec.convert(chosen, Filters)
    except msgspec.ValidationError as e:
        raise Invalid("There is no such filter. Choose one of those that are shown.") from e


async def _browse(request: Asked, scope: Scope, path: str) -> Response[str]:
    chosen, cursor = _asked_for(request), request.query_params.get("cursor")

    async def find() -> Page[Media]:
        query = query_of(_filters(chosen))
        return await studio_of(request).gallery.search(viewer_of(request), scope, query, cursor, PAGE_ITEMS)

    return await _show(request, scope, path, find, chosen, chips_of(path, chosen))


async def _show(
    request: Asked,
    scope: Scope | Literal["likes"],
    path: str,
    find: Callable[[], Awaitable[Page[Media]]],
    chosen: dict[str, str],
    chips: list[list[Chip]],
) -> Response[str]:
    studio, viewer, cursor = studio_of(request), viewer_of(request), request.query_params.get("cursor")
    status, items, after, wrong = 200, [], None, {}
    try:
        found = await find()
        items, after = await render_items(studio, viewer, found.items), found.next
    except Invalid as e:
        status, wrong = e.status, wrong_fields(e) or {"q": e.detail}
    context: dict[str, Any] = {
        "scope": scope,
        "home": path,
        "items": items,
        "more": path + "?" + urlencode(chosen | {"cursor": after}) if after else None,
        "first": cursor is None,
    }
    if wants_fragment(request):
        return html("cards.html", status, **context, now=studio.clock.now())
    return await page(request, "browse.html", status, **context, chosen=chosen, chips=chips, wrong=wrong)


@get(["/", "/gallery"])
async def gallery(request: Asked) -> Response[str]:
    """What everyone may see."""
    return await _browse(request, "gallery", "/")


@get("/library")
async def library(request: Asked) -> Response[str]:
    """What is one's own."""
    signed_in(request)
    return await _browse(request, "library", "/library")


@get("/library/trash")
async def trash(request: Asked) -> Response[str]:
    """What one threw away."""
    signed_in(request)
    return await _browse(request, "trash", "/library/trash")


@get("/library/likes")
async def likes(request: Asked) -> Response[str]:
    """What one likes, the newest like first."""
    person, cursor = signed_in(request), request.query_params.get("cursor")

    async def find() -> Page[Media]:
        return await studio_of(request).liking.list(person, viewer_of(request), cursor, PAGE_ITEMS)

    return await _show(request, "likes", "/library/likes", find, {}, [])
