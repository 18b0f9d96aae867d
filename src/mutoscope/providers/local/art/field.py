"""Fields of numbers over the picture: grids, clouds that come round again, hills, soft edges."""

from typing import Any, cast

import numpy as np
import pyvips

from mutoscope.providers.local.art.pixels import Dice, Field, Line

TAU = np.float32(2 * np.pi)


def grid(width: int, height: int) -> tuple[Field, Field]:
    """x and y of the pixels: the middle is 0, the shorter side goes from -1 to 1, y grows downwards."""
    short = min(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (2 * x - (width - 1)) / short, (2 * y - (height - 1)) / short


def smooth(low: float, high: float, values: Field) -> Field:
    """0 below ``low``, 1 above ``high``, an S between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def enlarge(field: Field, width: int, height: int) -> Field:
    """The field at the size of the picture, without steps."""
    if field.shape[:2] == (height, width):
        return field
    image = cast(Any, pyvips.Image.new_from_array(np.ascontiguousarray(field, dtype=np.float32)))
    grown = image.resize(width / image.width, vscale=height / image.height, kernel="cubic").numpy()
    return np.ascontiguousarray(grown[:height, :width])


class Clouds:
    """Noise that changes all the time and comes round: waves of all directions whose phases turn whole times.

    Values have mean 0 and deviation 1. ``roughness`` is the fall of the spectrum: 1.4 ragged, 2.4 soft. ``stretch``
    above 1 draws it out sideways.
    """

    def __init__(
        self,
        dice: Dice,
        width: int,
        height: int,
        roughness: float,
        turns: float = 1,
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
        # Faster where it is finer, as in a real cloud; whole numbers, so that the end meets the beginning.
        pace = turns * np.sqrt(wave / 4 + 0.2) * dice.choice([-1.0, 1.0], wave.shape) * (0.5 + dice.random(wave.shape))
        self._turns = np.round(pace).astype(np.float32)
        still = np.fft.irfft2(self._waves, s=self._shape)
        self._norm = np.float32(1 / still.std())

    def at(self, t: float, turns_x: float = 0.0) -> Field:
        """The field at moment ``t``, moved sideways by ``turns_x`` of its width."""
        waves = self._waves
        if t:
            waves = waves * np.exp(1j * TAU * np.float32(t) * self._turns)
        if turns_x:
            columns = np.arange(waves.shape[1], dtype=np.float32)
            waves = waves * np.exp(-1j * TAU * np.float32(turns_x) * columns)[None, :]
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
