"""oEmbed (https://oembed.com): what another site shows of an item, as a stranger sees it."""

from html import escape
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Response, get
from litestar.params import FromQuery, QueryParameter
from msgspec import structs

from mutoscope.domain.errors import NotFound, Refused
from mutoscope.domain.media import Kind
from mutoscope.domain.rights import STRANGER
from mutoscope.services.cards import FRAME_PX, Card, card_of, largest_within, within
from mutoscope.web.security import Asked, studio_of

SIDE_MAX_PX = 20_000
URL_CHARS = 2_000
Side = Annotated[int | None, QueryParameter(ge=1, le=SIDE_MAX_PX, description="pixels")]


class FormatNotOffered(Refused):
    """A format that oEmbed knows and this studio does not write."""

    code = "format_not_offered"
    status = 501
    title = "This format is not offered"


class Embed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. ``url`` is there for a picture, ``html`` for what is shown in a frame; sizes in pixels."""

    version: str = "1.0"
    type: Literal["photo", "video", "rich"]
    title: str
    author_name: str
    provider_name: str = "Mutoscope"
    provider_url: str
    width: int
    height: int
    url: str | msgspec.UnsetType = msgspec.UNSET
    html: str | msgspec.UnsetType = msgspec.UNSET
    thumbnail_url: str | msgspec.UnsetType = msgspec.UNSET
    thumbnail_width: int | msgspec.UnsetType = msgspec.UNSET
    thumbnail_height: int | msgspec.UnsetType = msgspec.UNSET


@get("/oembed", include_in_schema=False)
async def oembed(
    request: Asked,
    url: Annotated[str, QueryParameter(max_length=URL_CHARS)],
    format: FromQuery[str] = "json",
    maxwidth: Side = None,
    maxheight: Side = None,
) -> Response[Embed]:
    """How to show the item whose page is at ``url``. Who asks makes no difference: the answer is for others."""
    studio = studio_of(request)
    if format != "json":
        raise FormatNotOffered("Only JSON is offered here: format=json.")
    found = await studio.gallery.get(STRANGER, _item_at(url, studio.base_url))
    card = card_of(found, await studio.gallery.name_of(found.owner_id), studio.base_url)
    most = maxwidth or SIDE_MAX_PX, maxheight or SIDE_MAX_PX
    return Response(_embed(card, most, studio.base_url), headers={"Access-Control-Allow-Origin": "*"})


def _item_at(url: str, base_url: str) -> str:
    """The id in the address of an item's page here. Raises NotFound for any other address."""
    try:
        asked, own = urlsplit(url), urlsplit(base_url)
    except ValueError:
        raise NotFound("There is no page of this studio at that address.") from None
    before = own.path + "/m/"
    if (asked.scheme, asked.netloc.lower()) != (own.scheme, own.netloc.lower()) or not asked.path.startswith(before):
        raise NotFound("There is no page of this studio at that address.")
    return asked.path.removeprefix(before)


def _embed(card: Card, most: tuple[int, int], base_url: str) -> Embed:
    small = largest_within(card.pictures, most)
    width, height = within((card.width, card.height), (min(most[0], FRAME_PX), most[1]))
    framed = Embed(
        type="video" if card.plays else "rich",
        title=card.title,
        author_name=card.uploader,
        provider_url=base_url,
        html=_frame(card, width, height),
        width=width,
        height=height,
    )
    if small is None:
        return framed
    sizes = {"thumbnail_url": small.url, "thumbnail_width": small.width, "thumbnail_height": small.height}
    if card.kind is Kind.VIDEO:
        return structs.replace(framed, **sizes)
    picture = {"url": small.url, "width": small.width, "height": small.height}
    return structs.replace(framed, type="photo", html=msgspec.UNSET, **picture, **sizes)


def _frame(card: Card, width: int, height: int) -> str:
    return (
        f'<iframe src="{escape(card.frame)}" width="{width}" height="{height}" title="{escape(card.title)}"'
        ' frameborder="0" allow="fullscreen" allowfullscreen loading="lazy"></iframe>'
    )
