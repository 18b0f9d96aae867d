"""Records as answers. Which fields a viewer gets is decided by `services.views` alone."""

from collections.abc import Sequence

import msgspec

from mutoscope.domain.generation import Generation
from mutoscope.domain.media import Media
from mutoscope.domain.rights import Viewer
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


async def _render(studio: Studio, viewer: Viewer, item: Media, *, liked: bool) -> ItemView:
    uploader = await studio.gallery.name_of(item.owner_id)
    return item_view(viewer, item, uploader, await studio.links.of(viewer, item), studio.base_url, liked=liked)


async def render_items(studio: Studio, viewer: Viewer, found: Sequence[Media]) -> list[ItemView]:
    """Items that the viewer may know of."""
    viewer = await studio.gallery.knowing(viewer, found)
    liked = await studio.liking.of(viewer, found)
    return [await _render(studio, viewer, item, liked=item.id in liked) for item in found]


async def render_generation(studio: Studio, viewer: Viewer, generation: Generation) -> GenerationView:
    """A job that the viewer may see, with the items that came of it."""
    found = await studio.store.media.of_generation(generation.id) if generation.delivered else ()
    return generation_view(generation, await render_items(studio, viewer, found), studio.clock.now())
