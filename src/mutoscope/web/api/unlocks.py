"""Unlocking: prices and blur of many items at once, buying, and refunds."""

from typing import Annotated

import msgspec
from litestar import Response, get, patch, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mutoscope.domain.errors import Refused
from mutoscope.domain.unlocking import Unlock
from mutoscope.services.gallery import Changes
from mutoscope.services.studio import Studio
from mutoscope.services.views import ItemView, moment
from mutoscope.web.api.tokens import Cursor, IdempotencyKey, Limit
from mutoscope.web.render import render_item, render_items
from mutoscope.web.security import Asked, person_of, studio_of, viewer_of

ITEMS_MAX = 100


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The price that was shown, in whole tokens: another one is refused, and nothing taken."""

    price: int


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """An unlock, for its buyer, and the item as it is for them now. ``refunded_at`` is null while the right stands."""

    id: str
    price: int
    bought_at: str | None
    refunded_at: str | None
    item: ItemView


class Locking(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of many items; what is left out stays."""

    ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=ITEMS_MAX)]
    unlock_price: int | None = None
    is_blurred: bool | None = None
    blur_intensity: int | None = None


class NotChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An item that stayed as it was, and why."""

    id: str
    code: str
    detail: str


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """Each item was changed by itself: those that were, and those that were not."""

    changed: list[ItemView]
    refused: list[NotChanged]


class UnlockView(msgspec.Struct, frozen=True, kw_only=True):
    """An unlock, for administrators. Tokens are whole; ``taken_back`` is what a refund took from the seller, the house bore
    the rest.
    """

    id: str
    media: str
    buyer: str
    seller: str
    price: int
    share: int
    bought_at: str | None
    refunded_at: str | None
    taken_back: int | None


class UnlockPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some unlocks, newest first; ``next`` is the cursor that continues after them, null at the end."""

    items: list[UnlockView]
    next: str | None


async def _view(studio: Studio, unlock: Unlock) -> UnlockView:
    return UnlockView(
        id=unlock.id,
        media=unlock.media_id,
        buyer=await studio.gallery.name_of(unlock.buyer_id),
        seller=await studio.gallery.name_of(unlock.seller_id),
        price=unlock.price,
        share=unlock.share,
        bought_at=moment(unlock.at),
        refunded_at=moment(unlock.refunded_at),
        taken_back=unlock.taken_back,
    )


@post("/media/{media_id:str}/unlock", status_code=201)
async def unlock_item(
    request: Asked, media_id: FromPath[str], data: JSONBody[Price], key: IdempotencyKey = None
) -> Response[Bought]:
    """Unlock an item for ever, for the price that was shown. What was unlocked before is answered again, uncharged (200)."""
    studio = studio_of(request)
    unlock, stood_before = await studio.unlocking.buy(person_of(request), media_id, data.price, key)
    item = await studio.gallery.get(viewer_of(request), unlock.media_id)
    bought = Bought(
        id=unlock.id,
        price=unlock.price,
        bought_at=moment(unlock.at),
        refunded_at=moment(unlock.refunded_at),
        item=await render_item(studio, viewer_of(request), item),
    )
    return Response(bought, status_code=200 if stood_before else 201)


@patch("/media")
async def lock_items(request: Asked, data: JSONBody[Locking]) -> Locked:
    """Set price and blur of many items of one's own (administrators: of anyone's), each by itself."""
    studio, viewer = studio_of(request), viewer_of(request)
    person_of(request)
    changes = Changes(unlock_price=data.unlock_price, is_blurred=data.is_blurred, blur_intensity=data.blur_intensity)
    changed, refused = [], list[NotChanged]()
    for id in dict.fromkeys(data.ids):
        try:
            changed.append(await studio.gallery.change(viewer, id, changes))
        except Refused as e:
            refused.append(NotChanged(id=id, code=e.code, detail=e.detail))
    return Locked(changed=await render_items(studio, viewer, changed), refused=refused)


@get("/admin/unlocks")
async def list_unlocks(
    request: Asked,
    media: Annotated[str | None, QueryParameter(max_length=40, description="only those of this item")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> UnlockPage:
    """Who unlocked what, newest first (administrators)."""
    studio = studio_of(request)
    page = await studio.unlocking.list(person_of(request), media, cursor, limit)
    return UnlockPage(items=[await _view(studio, unlock) for unlock in page.items], next=page.next)


@post("/admin/unlocks/{unlock_id:str}/refund", status_code=200)
async def refund_unlock(request: Asked, unlock_id: FromPath[str]) -> UnlockView:
    """Take a right back and give the tokens back (administrators); once, however often it is asked."""
    studio = studio_of(request)
    return await _view(studio, await studio.unlocking.refund(person_of(request), unlock_id))


routes: list[BaseRouteHandler] = [unlock_item, lock_items, list_unlocks, refund_unlock]
