"""Fields of numbers over the picture: grids, clouds that come round again, hills, soft edges.

Single numbers are Python's own floats here and in the families: they leave arrays in single precision, while numpy's
doubles (what ``np.cos`` of a float gives, or an element of an array of doubles) would make them double.
"""

import math
from typing import Any, cast

import numpy as np
import pyvips

from mutoscope.providers.local.art.pixels import Dice, Field, Line

TAU = math.tau


def grid(width: int, height: int) -> tuple[Field, Field]:
    """x and y of the pixels: the middle is 0, the shorter side goes from -1 to 1, y grows downwards."""
    short = min(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (2 * x - (width - 1)) / short, (2 * y - (height - 1)) / short


def smooth(low: float, high: float, values: Field) -> Field:
    """0 below ``low``, 1 above ``high``, an S between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def enlarge(field: Field, width: int, height: int) -> Field:
    """The field at the size of the picture, without steps."""
    if field.shape[:2] == (height, width):
        return field
    image = cast(Any, pyvips.Image.new_from_array(np.ascontiguousarray(field, dtype=np.float32)))
    grown = image.resize(width / image.width, vscale=height / image.height, kernel="cubic").numpy()
    return np.ascontiguousarray(grown[:height, :width])


class Clouds:
    """Noise that changes all the time and comes round: waves of all directions, each swaying in its own time.

    Values have mean 0 and deviation 1. ``roughness`` is the fall of the spectrum: 1.4 ragged, 2.4 soft. ``stretch``
    above 1 draws it out sideways; ``sway`` is how far the phases swing, in radians (`Canvas.sway`).
    """

    def __init__(
        self,
        dice: Dice,
        width: int,
        height: int,
        roughness: float,
        sway: float = 0,
        stretch: float = 1,
        scale: float = 1,
    ) -> None:
        self._shape = (height, width)
        fy = np.fft.fftfreq(height)[:, None] * height / scale
        fx = np.fft.rfftfreq(width)[None, :] * height * stretch / scale
        wave = np.hypot(fx, fy)
        power = np.zeros_like(wave)
        power[wave > 0] = (wave[wave > 0] ** 2 + 1.5) ** (-(roughness + 1) / 2)
        phase = dice.random(wave.shape) * 2 * np.pi
        self._waves = (power * dice.rayleigh(1, wave.shape) * np.exp(1j * phase)).astype(np.complex64)
        # What is finer goes further, as in a real cloud.
        self._sway = (1j * sway * (0.5 + 0.5 * np.sqrt(wave / 3)).clip(0, 2)).astype(np.complex64)
        self._own = (dice.random(wave.shape) * TAU).astype(np.float32)
        self._norm = float(1 / np.fft.irfft2(self._waves, s=self._shape).std())

    def at(self, t: float) -> Field:
        """The field at moment ``t``."""
        waves = self._waves * np.exp(self._sway * np.sin(self._own + TAU * t))
        return np.fft.irfft2(waves, s=self._shape).astype(np.float32) * self._norm


def hills(dice: Dice, roughness: float, octaves: int, steps: int = 4096) -> Line:
    """A line of hills that comes round again: heights of about -1 to 1 over ``steps`` places."""
    place = np.linspace(0, 1, steps, endpoint=False)
    line = np.zeros(steps)
    for octave in range(octaves):
        knots = 2 ** (octave + 2)
        heights = dice.standard_normal(knots)
        at = place * knots
        left = np.floor(at).astype(int)
        part = at - left
        part = part * part * part * (part * (part * 6 - 15) + 10)
        line += roughness**octave * (heights[left % knots] * (1 - part) + heights[(left + 1) % knots] * part)
    return (line / np.abs(line).max()).astype(np.float32)


def look_up(line: Line, at: Line) -> Line:
    """The line's heights at places 0 to 1, coming round."""
    place = (at % 1.0) * len(line)
    left = np.floor(place).astype(np.int32)
    part = (place - left).astype(np.float32)
    return line[left % len(line)] * (1 - part) + line[(left + 1) % len(line)] * part
