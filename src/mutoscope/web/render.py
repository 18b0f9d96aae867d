"""Records as answers. Which fields a viewer gets is decided by `services.views` alone."""

from collections.abc import Sequence

import msgspec

from mutoscope.domain.collections import Collection
from mutoscope.domain.generation import Generation
from mutoscope.domain.media import Media
from mutoscope.domain.rights import Viewer
from mutoscope.services.collection_views import CollectionView, collection_view
from mutoscope.services.studio import Studio
from mutoscope.services.views import GenerationView, ItemView, generation_view, item_view


class ItemPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some items; ``next`` is the cursor that continues after them, null at the end."""

    items: list[ItemView]
    next: str | None


class GenerationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs, newest first; ``next`` is the cursor that continues after them, null at the end."""

    items: list[GenerationView]
    next: str | None


async def render_item(studio: Studio, viewer: Viewer, item: Media) -> ItemView:
    """An item that the viewer may know of."""
    [view] = await render_items(studio, viewer, [item])
    return view


async def _render(studio: Studio, viewer: Viewer, item: Media) -> ItemView:
    uploader = await studio.gallery.name_of(item.owner_id)
    return item_view(viewer, item, uploader, await studio.links.of(viewer, item), studio.base_url)


async def render_items(studio: Studio, viewer: Viewer, found: Sequence[Media]) -> list[ItemView]:
    """Items that the viewer may know of."""
    viewer = await studio.gallery.knowing(viewer, found)
    return [await _render(studio, viewer, item) for item in found]


async def render_generation(studio: Studio, viewer: Viewer, generation: Generation) -> GenerationView:
    """A job that the viewer may see, with the items that came of it."""
    found = await studio.store.media.of_generation(generation.id) if generation.delivered else ()
    return generation_view(generation, await render_items(studio, viewer, found), studio.clock.now())


async def render_collection(studio: Studio, viewer: Viewer, collection: Collection) -> CollectionView:
    """A collection that the viewer may know of."""
    [view] = await render_collections(studio, viewer, [collection])
    return view


async def render_collections(studio: Studio, viewer: Viewer, found: Sequence[Collection]) -> list[CollectionView]:
    """Collections that the viewer may know of, each with its cover."""
    glances = await studio.collections.glances(viewer, found)
    covers = {glance.cover.id: glance.cover for glance in glances if glance.cover}
    views = {view.id: view for view in await render_items(studio, viewer, list(covers.values()))}
    return [
        collection_view(
            viewer,
            glance,
            await studio.gallery.name_of(glance.collection.owner_id),
            views[glance.cover.id] if glance.cover else None,
            studio.base_url,
        )
        for glance in glances
    ]
