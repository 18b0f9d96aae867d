"""The gallery, the library and the trash: cards, newest first, found by what stands in the address."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from mutoscope.domain.errors import Invalid
from mutoscope.services.gallery import Scope
from mutoscope.web.api.media import Filters, query_of
from mutoscope.web.pages.forms import signed_in, wrong_fields
from mutoscope.web.pages.template import html, page, wants_fragment
from mutoscope.web.render import render_items
from mutoscope.web.security import Asked, studio_of, viewer_of

PAGE_ITEMS = 40

CHIPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("kind", (("video", "Films"), ("image", "Pictures"))),
    ("orientation", (("landscape", "Wide"), ("portrait", "Tall"), ("square", "Square"))),
    ("sort", (("oldest", "Oldest first"), ("longest", "Longest first"))),
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
    studio, viewer, chosen = studio_of(request), viewer_of(request), _asked_for(request)
    cursor, wrong = request.query_params.get("cursor"), {}
    status, items, after = 200, [], None
    try:
        found = await studio.gallery.search(viewer, scope, query_of(_filters(chosen)), cursor, PAGE_ITEMS)
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
    return await page(
        request, "browse.html", status, **context, chosen=chosen, chips=chips_of(path, chosen), wrong=wrong
    )


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
