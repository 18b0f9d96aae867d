"""What the darkroom can do. Paths are files of ours; what is in them is not trusted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from mutoscope.domain.media import Facts, Variant
from mutoscope.domain.source import SourceFit

SIDE_PX = 16_384
"""The longest side of a picture or film: WebP and most decoders of films end there, and rows or columns cost time too."""


BLUR_PX = 40, 6
"""How many pixels of the longer side are left at intensity 0 and at 100."""


def blur_px(intensity: int) -> int:
    """How many pixels of the longer side are left at an intensity from 0 to 100: each step takes the same part away."""
    most, least = BLUR_PX
    return round(most * (least / most) ** (intensity / 100))


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may be at most; checked from its header before anything is decoded."""

    size_bytes: int
    pixels: int
    duration_s: float


class Unreadable(Exception):
    """The file is not a picture or film that we take: ``str(e)`` says why, in a sentence for the person."""


class DarkroomBroken(Exception):
    """The darkroom itself failed (no memory, no disk, no jail): the same file may work later."""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was made, in the work folder. ``width`` and ``height`` in pixels, 0 for text."""

    path: Path
    mime_type: str
    width: int = 0
    height: int = 0


class Developed(msgspec.Struct, frozen=True, kw_only=True):
    """What an item needs to be whole: facts, poster and thumbnails, ThumbHash (base64)."""

    facts: Facts
    placeholder: str
    files: Mapping[Variant, Derived]


class Darkroom(Protocol):
    """Inspects and derives. Safe against hostile files; bounded in memory, time and output."""

    async def inspect(self, path: Path, limits: MediaLimits) -> Facts:
        """What the file is, found by decoding it to the end. Raises Unreadable, DarkroomBroken."""
        ...

    async def develop(self, path: Path, work: Path, limits: MediaLimits) -> Developed:
        """Facts, poster, thumbnails (never larger than the original) and placeholder. Raises Unreadable, DarkroomBroken."""
        ...

    async def plain(self, path: Path, target: Path, side_px: int, limits: MediaLimits) -> None:
        """The picture as a PPM (P6, https://netpbm.sourceforge.net/doc/ppm.html), upright, in sRGB, transparency on black.

        At most ``side_px`` on its longer side. For those who draw on it outside the jail: there is nothing to decode.
        Raises Unreadable, DarkroomBroken.
        """
        ...

    async def fit(self, path: Path, target: Path, fit: SourceFit, limits: MediaLimits) -> None:
        """The picture as a provider takes it: upright, in sRGB, to the pixel, as JPEG (transparency on black) or PNG.

        Nothing else of the file is in it, such as where it was taken. ``target`` appears whole, and is on the disk.
        Raises Unreadable, DarkroomBroken.
        """
        ...

    async def previews(self, path: Path, work: Path, limits: MediaLimits) -> Mapping[Variant, Derived]:
        """For a film of more than one frame: a muted preview loop of at most 3 s, a storyboard sprite and its WebVTT.

        Empty for a picture or a single frame. Raises Unreadable, DarkroomBroken.
        """
        ...

    async def blur(self, path: Path, work: Path, intensity: int, limits: MediaLimits) -> Mapping[Variant, Derived]:
        """The blurred files of a locked item: of a picture those that stand for poster and thumbnails, of a film the preview.

        Not more than `blur_px` of that intensity is left of a side, whatever the size of what is made.
        Raises Unreadable, DarkroomBroken.
        """
        ...

    def walls(self) -> Mapping[str, bool]:
        """Which walls of the jail hold on this machine, by name, for `doctor`."""
        ...

    async def close(self) -> None:
        """End the child processes."""
        ...
