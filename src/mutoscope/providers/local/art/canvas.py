"""What every family draws on."""

from collections.abc import Callable
from typing import TypeAlias

from mutoscope.providers.local.art.field import grid
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme


class Canvas:
    """The picture's size in pixels, its grid, and how much moves. ``duration_s`` is 0 for a picture."""

    def __init__(self, width: int, height: int, duration_s: float, strength: float) -> None:
        self.width, self.height = width, height
        self.duration_s, self.strength = duration_s, strength
        self.x, self.y = grid(width, height)

    @property
    def film(self) -> bool:
        """Whether it moves: then a frame has to be made in hundredths of a second."""
        return self.duration_s > 0

    @property
    def pixel(self) -> float:
        """The side of a pixel on the grid."""
        return 2 / min(self.width, self.height)

    def small(self, part: int) -> tuple[int, int]:
        """Width and height of the picture divided, for what is soft anyway."""
        return max(self.width // part, 8), max(self.height // part, 8)

    def turns(self, per_second: float) -> int:
        """Whole rounds in the film for something that would turn so often, at middle strength; once at least."""
        return max(1, round(per_second * self.duration_s * (0.4 + 1.2 * self.strength)))

    def sway(self, per_second: float) -> float:
        """How far to swing in a film that comes back to its beginning, for about that speed at middle strength."""
        return min(per_second * self.duration_s * (0.4 + 1.2 * self.strength) / 6.3, 2.4)


Scene: TypeAlias = Callable[[float], Light]
"""The light at a moment: 0 is the beginning, 1 would be the beginning again."""
Family: TypeAlias = Callable[[Canvas, Theme, Dice], Scene]
