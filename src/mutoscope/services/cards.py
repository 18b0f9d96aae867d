"""What other sites are told of an item: as a stranger sees it, whoever asks."""

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from mutoscope.domain.media import THUMB_WIDTHS_PX, Kind, Media, StoredFile, Variant, Visibility
from mutoscope.domain.rights import STRANGER
from mutoscope.services.views import item_view

DESCRIPTION_CHARS = 200
FRAME_PX = 1280
"""How wide a frame is at most when whoever asks does not say."""


class CardPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of an item, with its size in pixels."""

    url: str
    mime_type: str
    width: int
    height: int


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An item for other sites. ``page``, ``frame`` and ``oembed`` are absolute addresses; sizes in pixels.

    ``pictures``: those that anybody may see, the largest last; ``film`` is the address of the film, where it is public.
    """

    id: str
    kind: Kind
    title: str
    description: str
    uploader: str
    page: str
    frame: str
    oembed: str
    width: int
    height: int
    is_locked: bool
    is_listed: bool
    mime_type: str | None
    pictures: tuple[CardPicture, ...]
    film: str | None

    @property
    def picture(self) -> CardPicture | None:
        """The best one: blurred of what is locked."""
        return self.pictures[-1] if self.pictures else None

    @property
    def plays(self) -> bool:
        """Whether the frame plays a film."""
        return self.kind is Kind.VIDEO and not self.is_locked


def card_of(item: Media, uploader: str, base_url: str) -> Card:
    """The card of an item that strangers may know of."""
    view = item_view(STRANGER, item, uploader, {}, base_url, liked=False)
    is_public = item.visibility is Visibility.PUBLIC
    film = f"{base_url}/media/{item.id}/{Variant.MASTER}"
    return Card(
        id=item.id,
        kind=view.kind,
        title=view.title,
        description=_shortened(view.description if view.description != view.prompt else ""),
        uploader=uploader,
        page=view.page,
        frame=f"{base_url}/embed/{item.id}",
        oembed=f"{base_url}/oembed?url={quote(view.page, safe='')}&format=json",
        width=view.width,
        height=view.height,
        is_locked=view.locked,
        is_listed=is_public,
        mime_type=view.mime_type,
        pictures=tuple(_pictures(item, view.locked, base_url)),
        film=film if view.kind is Kind.VIDEO and is_public and not view.locked else None,
    )


def within(size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    """The size made smaller so that it fits, with its ratio of sides; at least one pixel each."""
    scale = min(1.0, most[0] / size[0], most[1] / size[1])
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def largest_within(pictures: Iterable[CardPicture], most: tuple[int, int]) -> CardPicture | None:
    """The largest picture that fits."""
    fitting = [picture for picture in pictures if picture.width <= most[0] and picture.height <= most[1]]
    return fitting[-1] if fitting else None


def _pictures(item: Media, locked: bool, base_url: str) -> list[CardPicture]:
    variants = (Variant.BLURRED_SMALL, Variant.BLURRED) if locked else (*THUMB_WIDTHS_PX, Variant.POSTER)
    found = [_picture(f"{base_url}/media/{item.id}/{v}", item.files[v]) for v in variants if v in item.files]
    return sorted((picture for picture in found if picture.width and picture.height), key=lambda each: each.width)


def _picture(url: str, file: StoredFile) -> CardPicture:
    return CardPicture(url=url, mime_type=file.mime_type, width=file.width, height=file.height)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= DESCRIPTION_CHARS else text[: DESCRIPTION_CHARS - 1].rstrip() + "…"
