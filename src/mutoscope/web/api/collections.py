"""Collections: making, reading, filling, ordering."""

from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from mutoscope.domain.collections import ITEMS_OF_ONE, Collection
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Visibility
from mutoscope.services.collection_views import CollectionView
from mutoscope.services.collections import Revision
from mutoscope.services.sorting import Direction, ItemSort, ListSort, Sorting
from mutoscope.web.api.media import version_asked
from mutoscope.web.api.tokens import Cursor, Limit
from mutoscope.web.render import ItemPage, render_collection, render_collections, render_items
from mutoscope.web.security import Asked, person_of, studio_of, viewer_of

IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="the collection's ETag: its version in quotes")
]
Owner = Annotated[str | None, QueryParameter(max_length=80, description="the name of a person, for the public ones")]
Ids = Annotated[list[str], msgspec.Meta(min_length=1, max_length=ITEMS_OF_ONE)]
Way = Annotated[
    Direction | None,
    QueryParameter(description="without it `order` and `title` go up, the others begin with the newest or the longest"),
]


class NewCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection to make."""

    title: str
    description: str = ""
    visibility: Visibility = Visibility.PRIVATE


class CollectionEdit(Revision, frozen=True, kw_only=True, omit_defaults=True):
    """What to change of a collection; what is left out stays. ``cover`` is the id of an item in it, or "" for the first that can be
    shown. ``version`` guards against overwriting a change of somebody else's.
    """

    version: int | None = None


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """Some items, by id, in order; ``version`` as for other changes."""

    ids: Ids
    version: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An item, and the one that it is to stand right ``before`` or right ``after``: one of the two."""

    item: str
    before: str | None = None
    after: str | None = None
    version: int | None = None


class CollectionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some collections; ``next`` is the cursor that continues after them, null at the end."""

    items: list[CollectionView]
    next: str | None


async def _answer(request: Asked, collection: Collection, status: int = 200) -> Response[CollectionView]:
    view = await render_collection(studio_of(request), viewer_of(request), collection)
    headers = {} if view.version is None else {"ETag": f'"{view.version}"'}
    return Response(view, status_code=status, headers=headers)


@get("/collections")
async def list_collections(
    request: Asked,
    owner: Owner = None,
    sort: FromQuery[ListSort | None] = None,
    direction: Way = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CollectionPage:
    """One's own collections, by when they were changed; or with ``owner`` the public ones of that person, by when they were made."""
    studio, viewer = studio_of(request), viewer_of(request)
    if owner is None:
        mine = Sorting(by=sort or "updated", direction=direction)
        page = await studio.collections.mine(person_of(request), mine, cursor, limit)
    else:
        theirs = Sorting(by=sort or "created", direction=direction)
        page = await studio.collections.of(viewer, owner, theirs, cursor, limit)
    return CollectionPage(items=await render_collections(studio, viewer, page.items), next=page.next)


@post("/collections", status_code=201)
async def create_collection(request: Asked, data: JSONBody[NewCollection]) -> Response[CollectionView]:
    """Make a collection; it is private unless it is said."""
    made = await studio_of(request).collections.create(
        person_of(request), data.title, data.description, data.visibility
    )
    return await _answer(request, made, 201)


@get("/collections/{collection_id:str}")
async def get_collection(request: Asked, collection_id: FromPath[str]) -> Response[CollectionView]:
    """One collection, with its cover."""
    return await _answer(request, await studio_of(request).collections.get(viewer_of(request), collection_id))


@patch("/collections/{collection_id:str}")
async def change_collection(
    request: Asked, collection_id: FromPath[str], data: JSONBody[CollectionEdit], if_match: IfMatch = None
) -> Response[CollectionView]:
    """Rename or describe a collection of one's own, open or close it, choose its cover."""
    person_of(request)
    changes = Revision(title=data.title, description=data.description, visibility=data.visibility, cover=data.cover)
    version = version_asked(if_match, data.version)
    changed = await studio_of(request).collections.change(viewer_of(request), collection_id, changes, version)
    return await _answer(request, changed)


@delete("/collections/{collection_id:str}", status_code=204)
async def delete_collection(request: Asked, collection_id: FromPath[str], if_match: IfMatch = None) -> None:
    """Delete a collection of one's own for good; its items stay what they are."""
    person_of(request)
    await studio_of(request).collections.delete(viewer_of(request), collection_id, version_asked(if_match, None))


@get("/collections/{collection_id:str}/items")
async def list_collected(
    request: Asked,
    collection_id: FromPath[str],
    sort: FromQuery[ItemSort] = "order",
    direction: Way = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ItemPage:
    """The items of a collection that whoever asks may see: in the order that was made by hand, or sorted."""
    studio, viewer = studio_of(request), viewer_of(request)
    sorting = Sorting(by=sort, direction=direction)
    page = (await studio.collections.items(viewer, collection_id, sorting, cursor, limit)).items
    return ItemPage(items=await render_items(studio, viewer, page.items), next=page.next)


@post("/collections/{collection_id:str}/items", status_code=200)
async def add_to_collection(
    request: Asked, collection_id: FromPath[str], data: JSONBody[Items], if_match: IfMatch = None
) -> Response[CollectionView]:
    """Take items in at the end, in that order: one's own, and public ones. All of them or none; those that are in it stay."""
    person_of(request)
    studio, version = studio_of(request), version_asked(if_match, data.version)
    return await _answer(request, await studio.collections.add(viewer_of(request), collection_id, data.ids, version))


@post("/collections/{collection_id:str}/items/remove", status_code=200)
async def remove_from_collection(
    request: Asked, collection_id: FromPath[str], data: JSONBody[Items], if_match: IfMatch = None
) -> Response[CollectionView]:
    """Take items out; those that are not in it are ignored."""
    person_of(request)
    studio, version = studio_of(request), version_asked(if_match, data.version)
    return await _answer(request, await studio.collections.remove(viewer_of(request), collection_id, data.ids, version))


@put("/collections/{collection_id:str}/order")
async def order_collection(
    request: Asked, collection_id: FromPath[str], data: JSONBody[Items], if_match: IfMatch = None
) -> Response[CollectionView]:
    """Bring the items into that order. One that is not named stays behind whatever it stood behind."""
    person_of(request)
    studio, version = studio_of(request), version_asked(if_match, data.version)
    return await _answer(
        request, await studio.collections.arrange(viewer_of(request), collection_id, data.ids, version)
    )


@post("/collections/{collection_id:str}/move", status_code=200)
async def move_in_collection(
    request: Asked, collection_id: FromPath[str], data: JSONBody[Place], if_match: IfMatch = None
) -> Response[CollectionView]:
    """Put one item right before another one, or right after it."""
    person_of(request)
    studio, version = studio_of(request), version_asked(if_match, data.version)
    beside = data.after if data.before is None else data.before
    if beside is None or None not in (data.before, data.after):
        raise Invalid("There is no such place.", {"before": "say either this or after"})
    moved = await studio.collections.move(
        viewer_of(request), collection_id, data.item, beside, data.before is None, version
    )
    return await _answer(request, moved)


routes: list[BaseRouteHandler] = [
    list_collections,
    create_collection,
    get_collection,
    change_collection,
    delete_collection,
    list_collected,
    add_to_collection,
    remove_from_collection,
    order_collection,
    move_in_collection,
]
