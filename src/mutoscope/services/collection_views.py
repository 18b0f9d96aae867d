"""How collections look from outside: what a viewer gets of one."""

from typing import Literal

import msgspec

from mutoscope.domain.collections import may_change
from mutoscope.domain.media import Visibility
from mutoscope.domain.rights import Viewer
from mutoscope.services.looking import Glance
from mutoscope.services.views import ItemView, moment


class CollectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A collection, as one viewer sees it. ``count`` and ``cover`` are of the items that this viewer is shown.

    ``chosen_cover``, ``updated_at`` and ``version`` are for those who may change it, null for others: what changed may be an
    item that others may not know of.
    """

    id: str
    object: Literal["collection"] = "collection"
    page: str
    title: str
    description: str
    visibility: Visibility
    owner: str
    mine: bool
    count: int
    cover: ItemView | None
    chosen_cover: str | None
    created_at: str | None
    updated_at: str | None
    version: int | None


def collection_view(
    viewer: Viewer, glance: Glance, owner: str, cover: ItemView | None, base_url: str
) -> CollectionView:
    """The view of a collection that the viewer may know of; ``cover`` as the view of `glance.cover`."""
    collection, own = glance.collection, may_change(viewer, glance.collection)
    return CollectionView(
        id=collection.id,
        page=f"{base_url}/collections/{collection.id}",
        title=collection.title,
        description=collection.description,
        visibility=collection.visibility,
        owner=owner,
        mine=viewer.person_id == collection.owner_id,
        count=glance.count,
        cover=cover,
        chosen_cover=collection.cover_id if own else None,
        created_at=moment(collection.created_at),
        updated_at=moment(collection.updated_at) if own else None,
        version=collection.version if own else None,
    )
