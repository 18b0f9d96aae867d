"""One's collections, and one collection: its cover, its cards, and what its owner does with it."""

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from mutoscope.domain.collections import Collection, may_know
from mutoscope.domain.errors import Conflict, Invalid
from mutoscope.domain.media import DESCRIPTION_CHARS, TITLE_CHARS, Visibility
from mutoscope.domain.rights import STRANGER
from mutoscope.services.collection_views import CollectionView
from mutoscope.services.collections import Revision
from mutoscope.services.sorting import ItemSort, Sorting
from mutoscope.web.pages.forms import fields_of, go, signed_in, whole, wrong_fields
from mutoscope.web.pages.links import make_link, revoke_link, sharing_of
from mutoscope.web.pages.template import page
from mutoscope.web.render import render_collection, render_collections, render_items
from mutoscope.web.security import Asked, studio_of, viewer_of

PAGE_COLLECTIONS = 40
PAGE_ITEMS = 40
LIMITS = {"title_chars": TITLE_CHARS, "description_chars": DESCRIPTION_CHARS}

SORTS: tuple[tuple[ItemSort, str], ...] = (
    ("order", "As arranged"),
    ("created", "Newest first"),
    ("title", "By title"),
    ("duration", "Longest first"),
)


async def _list(
    request: Asked, status: int = 200, typed: dict[str, str] | None = None, wrong: dict[str, str] | None = None
) -> Response[str]:
    person, studio, viewer = signed_in(request), studio_of(request), viewer_of(request)
    sorting, cursor = Sorting(by="updated"), request.query_params.get("cursor")
    found = await studio.collections.mine(person, sorting, cursor, PAGE_COLLECTIONS)
    shown: dict[str, Any] = {"collections": await render_collections(studio, viewer, found.items), "next": found.next}
    return await page(request, "collections.html", status, typed=typed or {}, wrong=wrong or {}, **shown, **LIMITS)


async def _show(
    request: Asked,
    id: str,
    status: int = 200,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    **made: Any,
) -> Response[str]:
    studio, viewer = studio_of(request), viewer_of(request)
    collection = await studio.collections.get(viewer, id)
    view = await render_collection(studio, viewer, collection)
    sorting, cursor = _sorting(request.query_params.get("sort", "order")), request.query_params.get("cursor")
    shown = await studio.collections.items(viewer, id, sorting, cursor, PAGE_ITEMS)
    sharing = await sharing_of(request, id, f"/collections/{id}", view.version is not None)
    fields = {"title": view.title, "description": view.description, "visibility": view.visibility}
    return await page(
        request,
        "collection.html",
        status,
        collection=view,
        items=await render_items(studio, viewer, shown.items.items),
        around=(shown.before, shown.after),
        next=shown.items.next,
        cursor_here=cursor,
        sort=sorting.by,
        sorts=SORTS,
        may_change=view.version is not None,
        typed=fields | {"version": view.version} | (typed or {}),
        wrong=wrong or {},
        told=await _told(request, collection),
        **LIMITS,
        **(sharing | made),
    )


async def _told(request: Asked, collection: Collection) -> CollectionView | None:
    """What other sites are told of it: as a stranger sees it, nothing of what is not open to them."""
    studio = studio_of(request)
    is_open = studio.policy.gallery_open or collection.visibility is Visibility.UNLISTED
    return await render_collection(studio, STRANGER, collection) if is_open and may_know(STRANGER, collection) else None


@get("/collections")
async def collections(request: Asked) -> Response[str]:
    """One's own, and a form for a new one."""
    return await _list(request)


@post("/collections")
async def create_collection(request: Asked) -> Response[str] | Response[None]:
    """Make a collection."""
    person, typed = signed_in(request), await fields_of(request)
    words = typed.get("title", ""), typed.get("description", "").replace("\r\n", "\n")
    try:
        made = await studio_of(request).collections.create(person, *words, _visibility(typed) or Visibility.PRIVATE)
    except Invalid as e:
        return await _list(request, e.status, typed, wrong_fields(e))
    except Conflict as e:
        return await _list(request, e.status, typed, {"form": e.detail})
    return go(f"/collections/{made.id}?done=collection-made")


@get("/collections/{id:str}")
async def collection(request: Asked, id: FromPath[str]) -> Response[str]:
    """One collection, for whoever may know of it."""
    return await _show(request, id)


@post("/collections/{id:str}")
async def edit_collection(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Change title, description, visibility or cover: whatever the form has."""
    signed_in(request)
    typed, viewer = await fields_of(request), viewer_of(request)
    try:
        description = typed["description"].replace("\r\n", "\n") if "description" in typed else None
        changes = Revision(
            title=typed.get("title"), description=description, visibility=_visibility(typed), cover=typed.get("cover")
        )
        await studio_of(request).collections.change(viewer, id, changes, _version(typed))
    except Invalid as e:
        return await _show(request, id, e.status, _kept(typed), wrong_fields(e))
    except Conflict as e:
        return await _show(request, id, e.status, _kept(typed), {"form": e.detail + " Your words are still here."})
    return go(f"/collections/{id}?done=saved")


@post("/collections/{id:str}/links", status_code=200)
async def share(request: Asked, id: FromPath[str]) -> Response[str]:
    """Make a share link, and show its address this once."""
    status, made = await make_link(request, id)
    return await _show(request, id, status, **made)


@post("/collections/{id:str}/links/{link_id:str}/revoke")
async def stop_sharing(request: Asked, id: FromPath[str], link_id: FromPath[str]) -> Response[None]:
    """Revoke a share link."""
    await revoke_link(request, link_id)
    return go(f"/collections/{id}?done=link-revoked")


@post("/collections/{id:str}/delete")
async def delete_collection(request: Asked, id: FromPath[str]) -> Response[None]:
    """Delete it; its items stay."""
    signed_in(request)
    await studio_of(request).collections.delete(viewer_of(request), id)
    return go("/collections?done=collection-deleted")


@post("/collections/{id:str}/remove")
async def remove_from_collection(request: Asked, id: FromPath[str]) -> Response[None]:
    """Take one item out."""
    signed_in(request)
    typed = await fields_of(request)
    await studio_of(request).collections.remove(viewer_of(request), id, [typed.get("item", "")])
    return go(_back(id, typed, "taken-out"))


@post("/collections/{id:str}/move")
async def move_in_collection(request: Asked, id: FromPath[str]) -> Response[str] | Response[None]:
    """Put one item before or after another one."""
    signed_in(request)
    typed = await fields_of(request)
    after = "after" in typed
    beside = typed.get("after" if after else "before", "")
    try:
        await studio_of(request).collections.move(viewer_of(request), id, typed.get("item", ""), beside, after)
    except Invalid as e:
        return await _show(request, id, e.status, wrong={"move": f"{e.detail} Look at the order as it is now."})
    return go(_back(id, typed, "moved"))


def _back(id: str, typed: dict[str, str], done: str) -> str:
    cursor = f"&cursor={quote(typed['cursor'], safe='')}" if typed.get("cursor") else ""
    return f"/collections/{id}?done={done}{cursor}"


def _sorting(asked: str) -> Sorting:
    try:
        return Sorting(by=msgspec.convert(asked, ItemSort))
    except msgspec.ValidationError as e:
        raise Invalid("There is no such order. Choose one of those that are shown.") from e


def _kept(typed: dict[str, str]) -> dict[str, str]:
    """What was typed, for the version that is shown with it."""
    return {name: text for name, text in typed.items() if name != "version"}


def _visibility(typed: dict[str, str]) -> Visibility | None:
    """What was chosen; None where it was not sent. Raises Invalid."""
    if "visibility" not in typed:
        return None
    if typed["visibility"] not in {visibility.value for visibility in Visibility}:
        raise Invalid("The collection cannot be changed like this.", {"visibility": "choose one of the three"})
    return Visibility(typed["visibility"])


def _version(typed: dict[str, str]) -> int | None:
    """The version that the form was made from. Raises Invalid when it is none."""
    version = whole(typed.get("version", ""))
    if version is None and typed.get("version"):
        damaged = "The form was damaged on its way. Look, and save again."
        raise Invalid("The collection cannot be changed like this.", {"form": damaged})
    return version
