"""One item: the film or picture itself, what is known of it, and what its owner does with it."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from mutoscope.domain.collections import COLLECTIONS_OF_ONE
from mutoscope.domain.errors import Conflict, Invalid, NotEnoughTokens
from mutoscope.domain.media import DESCRIPTION_CHARS, TITLE_CHARS, Media, Visibility
from mutoscope.domain.rights import STRANGER, allowed
from mutoscope.services.cards import Card, card_of
from mutoscope.services.gallery import Changes
from mutoscope.services.sorting import Sorting
from mutoscope.services.studio import Studio
from mutoscope.web.limits import count_like
from mutoscope.web.pages.forms import fields_of, go, signed_in, whole, wrong_fields
from mutoscope.web.pages.links import make_link, revoke_link, sharing_of
from mutoscope.web.pages.template import page
from mutoscope.web.render import render_item
from mutoscope.web.security import Asked, studio_of, viewer_of

KINDS = {"image": "picture", "video": "film"}


async def _show(
    request: Asked,
    item: Media,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    status: int = 200,
    **more: Any,
) -> Response[str]:
    studio, viewer = studio_of(request), viewer_of(request)
    view = await render_item(studio, viewer, item)
    shown: dict[str, Any] = {
        "unlock_wrong": "",
        "collect_wrong": "",
        "card": await _card(studio, item),
        **await sharing_of(request, item.id, f"/m/{item.id}", view.mine or viewer.is_admin),
    }
    fields: dict[str, Any] = {
        "title": view.title,
        "description": view.description,
        "tags": ", ".join(view.tags),
        "visibility": view.visibility,
        "unlock_price": view.unlock_price,
        "is_blurred": "yes" if view.is_blurred else "no",
        "blur_intensity": view.blur_intensity,
        "version": view.version,
    }
    by_title = Sorting(by="title")
    mine = await studio.collections.mine(request.user, by_title, None, COLLECTIONS_OF_ONE) if request.user else None
    return await page(
        request,
        "item.html",
        status,
        item=view,
        kind=KINDS[view.kind],
        may_change=view.mine or viewer.is_admin,
        typed=fields | (typed or {}),
        wrong=wrong or {},
        collections=mine.items if mine else (),
        title_chars=TITLE_CHARS,
        description_chars=DESCRIPTION_CHARS,
        **(shown | more),
    )


async def _card(studio: Studio, item: Media) -> Card | None:
    """What other sites are told of it: nothing of what strangers may not see."""
    if not allowed(STRANGER, item, None) or not (studio.policy.gallery_open or item.visibility is Visibility.UNLISTED):
        return None
    return card_of(item, await studio.gallery.name_of(item.owner_id), studio.base_url)


@get("/m/{id:str}")
async def item(request: Asked, id: FromPath[str]) -> Response[str]:
    """The page of an item, for whoever may know of it."""
    return await _show(request, await studio_of(request).gallery.get(viewer_of(request), id))


def _changes(typed: dict[str, str], item: Media) -> Changes:
    """What differs from the item: a field that was not touched stays with the words that came from the prompt."""
    title, description = typed.get("title", "").strip(), typed.get("description", "").replace("\r\n", "\n").strip()
    tags = [tag for tag in (part.strip() for part in typed.get("tags", "").split(",")) if tag]
    visibility = typed.get("visibility", item.visibility)
    if visibility not in {v.value for v in Visibility}:
        raise Invalid("The item cannot be changed like this.", {"visibility": "choose one of the three"})
    price, intensity = (_number(typed, name) for name in ("unlock_price", "blur_intensity"))
    return Changes(
        unlock_price=price,
        blur_intensity=intensity,
        is_blurred=typed["is_blurred"] == "yes" if "is_blurred" in typed else None,
        title=title if title != item.title else None,
        description=description if description != item.description else None,
        tags=tags if tags != list(item.tags) else None,
        visibility=Visibility(visibility),
    )


def _number(typed: dict[str, str], name: str) -> int | None:
    """What a field for a number says; None where it was not sent. Raises Invalid."""
    if name not in typed:
        return None
    number = whole(typed[name].strip())
    if number is None:
        raise Invalid("The item cannot be changed like this.", {name: "a whole number"})
    return number


def _version(typed: dict[str, str]) -> int | None:
    """The version that the form was made from. Raises Invalid when it is none."""
    version = whole(typed.get("version", ""))
    if version is None and typed.get("version"):
        raise Invalid(
            "The item cannot be changed like this.", {"form": "The form was damaged on its way. Look, and save again."}
        )
    return version


@post("/m/{id:str}")
async def edit(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Change title, description, tags and visibility."""
    signed_in(request)
    studio, viewer, typed = studio_of(request), viewer_of(request), await fields_of(request)
    found = await studio.gallery.get(viewer, id)
    again = {**typed, "version": str(found.version)}
    try:
        await studio.gallery.change(viewer, id, _changes(typed, found), _version(typed))
    except Invalid as e:
        return await _show(request, found, again, wrong_fields(e), e.status)
    except Conflict as e:
        return await _show(request, found, again, {"form": e.detail + " Your words are still here."}, e.status)
    return go(f"/m/{id}?done=saved")


@post("/m/{id:str}/unlock")
async def unlock(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Pay for it, at the price that the form showed."""
    person, studio, viewer = signed_in(request), studio_of(request), viewer_of(request)
    price = whole((await fields_of(request)).get("price", ""))
    found = await studio.gallery.get(viewer, id)
    try:
        await studio.unlocking.buy(person, id, -1 if price is None else price)
    except (Conflict, Invalid, NotEnoughTokens) as e:
        found = await studio.gallery.get(viewer, id)
        return await _show(request, found, status=e.status, unlock_wrong=e.detail)
    return go(f"/m/{found.id}?done=unlocked")


@post("/m/{id:str}/like")
async def like(request: Asked, id: FromPath[str]) -> Response[None]:
    """Like it."""
    person = signed_in(request)
    await count_like(request)
    await studio_of(request).liking.like(person, viewer_of(request), id)
    return go(f"/m/{id}")


@post("/m/{id:str}/unlike")
async def unlike(request: Asked, id: FromPath[str]) -> Response[None]:
    """Take the like back."""
    person = signed_in(request)
    await count_like(request)
    await studio_of(request).liking.unlike(person, viewer_of(request), id)
    return go(f"/m/{id}")


@post("/m/{id:str}/trash")
async def discard(request: Asked, id: FromPath[str]) -> Response[None]:
    """Put it in the trash."""
    signed_in(request)
    await studio_of(request).gallery.discard(viewer_of(request), id)
    return go(f"/m/{id}?done=trashed")


@post("/m/{id:str}/restore")
async def restore(request: Asked, id: FromPath[str]) -> Response[None]:
    """Take it out of the trash."""
    signed_in(request)
    await studio_of(request).gallery.restore(viewer_of(request), id)
    return go(f"/m/{id}?done=restored")


@post("/m/{id:str}/collect")
async def collect(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Take it into one of one's collections."""
    signed_in(request)
    studio, viewer, typed = studio_of(request), viewer_of(request), await fields_of(request)
    found = await studio.gallery.get(viewer, id)
    try:
        collection = await studio.collections.add(viewer, typed.get("collection", ""), [found.id])
    except (Conflict, Invalid) as e:
        return await _show(request, found, status=e.status, collect_wrong=e.detail)
    return go(f"/collections/{collection.id}?done=collected")


@post("/m/{id:str}/links", status_code=200)
async def share(request: Asked, id: FromPath[str]) -> Response[str]:
    """Make a share link, and show its address this once: the answer is the page itself, as nothing else has it."""
    signed_in(request)
    found = await studio_of(request).gallery.get(viewer_of(request), id)
    status, made = await make_link(request, id)
    return await _show(request, found, status=status, **made)


@post("/m/{id:str}/links/{link_id:str}/revoke")
async def stop_sharing(request: Asked, id: FromPath[str], link_id: FromPath[str]) -> Response[None]:
    """Revoke a share link."""
    await revoke_link(request, link_id)
    return go(f"/m/{id}?done=link-revoked")
