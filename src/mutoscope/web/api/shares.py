"""Share links: making, listing and revoking them."""

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from mutoscope.domain.ids import Millis
from mutoscope.domain.sharing import HOURS_MAX, PASSWORD_CHARS, ShareLink, stands
from mutoscope.services.sharing import Wish
from mutoscope.services.studio import Studio
from mutoscope.services.views import moment
from mutoscope.web.api.tokens import Cursor, Limit
from mutoscope.web.limits import source
from mutoscope.web.security import Asked, person_of, studio_of


class NewShareLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to make. Without ``expires_in_hours`` it lasts until it is revoked, without ``password`` it asks for none."""

    expires_in_hours: Annotated[int, msgspec.Meta(ge=1, le=HOURS_MAX)] | None = None
    password: Annotated[str, msgspec.Meta(min_length=PASSWORD_CHARS[0], max_length=PASSWORD_CHARS[1])] | None = None


class ShareLinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A link, without the secret of its address. ``used_at`` is written at most every ten minutes."""

    id: str
    target: str
    has_password: bool
    stands: bool
    created_at: str | None
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None


class ShareLinkMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new link. ``url`` is told this once."""

    link: ShareLinkView
    url: str


class ShareLinkList(msgspec.Struct, frozen=True, kw_only=True):
    """All links to one thing, newest first."""

    items: list[ShareLinkView]


class ShareLinkPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some links, newest first; ``next`` is the cursor that continues after them, null at the end."""

    items: list[ShareLinkView]
    next: str | None


def link_view(link: ShareLink, now: Millis) -> ShareLinkView:
    """A link, as whoever may revoke it sees it."""
    return ShareLinkView(
        id=link.id,
        target=link.target,
        has_password=link.password_hash is not None,
        stands=stands(link, now),
        created_at=moment(link.created_at),
        expires_at=moment(link.expires_at),
        revoked_at=moment(link.revoked_at),
        used_at=moment(link.used_at),
    )


def share_url(studio: Studio, secret: str) -> str:
    """The address of a link."""
    return f"{studio.base_url}/s/{secret}"


async def _make(request: Asked, target: str, data: NewShareLink) -> ShareLinkMade:
    studio, person = studio_of(request), person_of(request)
    wish = Wish(hours=data.expires_in_hours, password=data.password)
    link, secret = await studio.sharing.create(person, target, wish, source(request) or "")
    return ShareLinkMade(link=link_view(link, studio.clock.now()), url=share_url(studio, secret))


async def _list(request: Asked, target: str) -> ShareLinkList:
    studio, person = studio_of(request), person_of(request)
    now = studio.clock.now()
    return ShareLinkList(items=[link_view(link, now) for link in await studio.sharing.of_target(person, target)])


@post("/media/{media_id:str}/share-links")
async def create_share_link(request: Asked, media_id: FromPath[str], data: JSONBody[NewShareLink]) -> ShareLinkMade:
    """Make a link to an item of one's own: whoever has it sees the item, also when it is private. What is locked stays locked."""
    return await _make(request, media_id, data)


@get("/media/{media_id:str}/share-links")
async def list_item_share_links(request: Asked, media_id: FromPath[str]) -> ShareLinkList:
    """The links to an item of one's own, also those that have ended."""
    return await _list(request, media_id)


@post("/collections/{collection_id:str}/share-links")
async def share_collection(request: Asked, collection_id: FromPath[str], data: JSONBody[NewShareLink]) -> ShareLinkMade:
    """Make a link to a collection of one's own, also a private one: whoever has it sees the items of one's own in it, private
    ones too, and the public ones of others. What is locked stays locked.
    """
    return await _make(request, collection_id, data)


@get("/collections/{collection_id:str}/share-links")
async def list_collection_share_links(request: Asked, collection_id: FromPath[str]) -> ShareLinkList:
    """The links to a collection of one's own, also those that have ended."""
    return await _list(request, collection_id)


@get("/share-links")
async def list_share_links(request: Asked, cursor: Cursor = None, limit: Limit = 50) -> ShareLinkPage:
    """The links to all that is one's own, also those that have ended."""
    studio, person = studio_of(request), person_of(request)
    now, page = studio.clock.now(), await studio.sharing.mine(person, cursor, limit)
    return ShareLinkPage(items=[link_view(link, now) for link in page.items], next=page.next)


@delete("/share-links/{link_id:str}", status_code=204)
async def revoke_share_link(request: Asked, link_id: FromPath[str]) -> None:
    """End a link at once, and the addresses of files that were handed out through it."""
    await studio_of(request).sharing.revoke(person_of(request), link_id)


routes: list[BaseRouteHandler] = [
    create_share_link, list_item_share_links, share_collection, list_collection_share_links, list_share_links,
    revoke_share_link,
]  # fmt: skip
