"""Colours in OKLCH (https://bottosson.github.io/posts/oklab/): equal steps look equal, and a hue stays a hue."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from mutoscope.providers.local.art.pixels import Field, Light

Colours: TypeAlias = NDArray[np.floating[Any]]
"""Linear light: red, green and blue along one axis."""

_LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
RAMP = 1024
"""Steps of a ramp."""


class Lch(msgspec.Struct, frozen=True):
    """Lightness 0 to 1, chroma 0 to about 0.3, hue in degrees (30 red, 60 orange, 110 yellow, 145 green, 260 blue)."""

    lightness: float
    chroma: float
    hue: float

    def lab(self) -> tuple[float, float, float]:
        """The same in OKLab."""
        angle = np.deg2rad(self.hue)
        return self.lightness, self.chroma * float(np.cos(angle)), self.chroma * float(np.sin(angle))


def _linear(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((lab @ _LMS.T) ** 3) @ _RGB.T


def linear(lab: NDArray[np.float64]) -> Colours:
    """Linear light of OKLab colours (n, 3); what the screen cannot show keeps lightness and hue, and loses chroma."""
    low, high = np.zeros(len(lab)), np.ones(len(lab))
    for _ in range(14):
        middle = (low + high) / 2
        shown = _linear(np.column_stack([lab[:, 0], lab[:, 1] * middle, lab[:, 2] * middle]))
        fits = ((shown >= -1e-4) & (shown <= 1 + 1e-4)).all(axis=1)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.clip(_linear(np.column_stack([lab[:, 0], lab[:, 1] * low, lab[:, 2] * low])), 0, 1).astype(np.float32)


def one(colour: Lch) -> Colours:
    """Linear light of one colour, to be multiplied with a field."""
    return linear(np.array([colour.lab()]))[0][:, None, None]


def ramp(stops: Sequence[Lch], steps: int = RAMP) -> Colours:
    """A smooth way through the colours: 3, steps."""
    labs = np.array([stop.lab() for stop in stops])
    places = np.linspace(0, len(stops) - 1, steps)
    knots = np.arange(len(stops))
    return np.ascontiguousarray(linear(np.column_stack([np.interp(places, knots, labs[:, i]) for i in range(3)])).T)


def paint(values: Field, colours: Colours) -> Light:
    """The colour for each number, 0 to 1 along the ramp."""
    place = np.clip(values * np.float32(colours.shape[1]), 0, colours.shape[1] - 1).astype(np.intp)
    return np.stack([np.take(plane, place, mode="clip") for plane in colours])
