"""The picture that a job starts from, as its model takes it: one of a few exact sizes, or no longer than so many pixels."""

from fractions import Fraction
from typing import Literal

import msgspec

from mutoscope.domain.errors import Invalid

SIDE_MAX_PX = 4096
"""The longest side that a rule may ask for: at four bytes for each pixel that is 64 MiB, about what the darkroom may write."""


class SourceRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes: ``sizes`` to the pixel ("1024x576"); without them, at most ``side_px`` on the longer side.

    What has less than ``side_min_px`` on a side is refused.
    """

    sizes: tuple[str, ...] = ()
    side_px: int = 2048
    side_min_px: int = 64
    format: Literal["jpeg", "png"] = "jpeg"


class SourceFit(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one picture. ``crop`` says whether its edges are cut off: its ratio of sides is another."""

    width: int
    height: int
    crop: bool
    format: Literal["jpeg", "png"]

    @property
    def mime_type(self) -> str:
        """What it is then."""
        return f"image/{self.format}"


def sides(size: str) -> tuple[int, int]:
    """Width and height of a size such as "1024x576", in pixels."""
    width, _, height = size.partition("x")
    return int(width), int(height)


def fit(rule: SourceRule, width: int, height: int) -> SourceFit:
    """How a picture of that size, upright, is made to fit. Raises Invalid at the field ``image`` for one that never will."""
    least = rule.side_min_px
    if min(width, height) < least:
        small = f"too small with {width} × {height} pixels: at least {least} on each side are needed"
        raise Invalid("The picture is too small for this model.", {"image": small})
    across, down = _nearest(rule, width, height) if rule.sizes else _shrunk(rule, width, height)
    if min(across, down) < least:
        narrow = f"too narrow: as {across} × {down} pixels it would have less than {least} on one side"
        raise Invalid("The picture is too narrow for this model.", {"image": narrow})
    crop = bool(rule.sizes) and width * down != height * across
    return SourceFit(width=across, height=down, crop=crop, format=rule.format)


def _nearest(rule: SourceRule, width: int, height: int) -> tuple[int, int]:
    """The size whose ratio of sides is nearest on a logarithmic scale; of two as near the larger, else the first."""

    def distance(size: tuple[int, int]) -> tuple[Fraction, int]:
        # The quotient of the ratios has the order of the difference of their logarithms, and is exact.
        quotient = Fraction(width * size[1], height * size[0])
        return max(quotient, 1 / quotient), -size[0] * size[1]

    return min(map(sides, rule.sizes), key=distance)


def _shrunk(rule: SourceRule, width: int, height: int) -> tuple[int, int]:
    longer = max(width, height)
    if longer <= rule.side_px:
        return width, height
    return _scaled(width, rule.side_px, longer), _scaled(height, rule.side_px, longer)


def _scaled(side: int, to: int, longer: int) -> int:
    """``side * to / longer``, halves up, in whole numbers: the page does the same sum."""
    return max(1, (2 * side * to + longer) // (2 * longer))
