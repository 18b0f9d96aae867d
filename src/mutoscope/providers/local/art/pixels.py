"""Frames, and the last step to them: vignette, film curve and grain."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Frame: TypeAlias = NDArray[np.uint8]
"""Height, width, 3: sRGB."""
Light: TypeAlias = NDArray[np.floating[Any]]
"""3, height, width (planes are twice as fast): linear light, 1 is the white of the paper; more is allowed."""
Field: TypeAlias = NDArray[np.floating[Any]]
"""Height, width: one number for each pixel. All that is drawn is float32: doubles take five times as long."""
Line: TypeAlias = NDArray[np.floating[Any]]
"""One number for each place along a line."""
Dice: TypeAlias = np.random.Generator

_STEPS = 4096
_TOP = 2.0
_GRAIN_PX = 512


def _curve() -> NDArray[np.uint8]:
    """From the square root of light, 0 to _TOP, to sRGB: straight up to 0.7, then a soft shoulder."""
    light = np.linspace(0, _TOP, _STEPS) ** 2
    soft = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(np.maximum(light, 0.7) - 0.7) / 0.3)))
    coded = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * np.maximum(soft, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(np.clip(coded, 0, 1) * 255).astype(np.uint8)


class Finish:
    """Turns the light of a scene into frames. ``grain`` is about the noise's deviation in steps of 255."""

    def __init__(self, dice: Dice, width: int, height: int, grain: float, vignette: float) -> None:
        self._curve = _curve()
        tile = dice.standard_normal((_GRAIN_PX, _GRAIN_PX), dtype=np.float32)
        # Neighbours share a little: single pixels of noise look like a sensor, not like film.
        tile = tile + 0.45 * (np.roll(tile, 1, 0) + np.roll(tile, 1, 1))
        self._grain = np.tile(
            tile * np.float32(grain * _STEPS / 255 / _TOP), (height // _GRAIN_PX + 2, width // _GRAIN_PX + 2)
        )
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        far = (x * x + y * y) / 2
        self._shade = np.sqrt(1 - np.float32(vignette) * far * far) * np.float32(_STEPS / _TOP)

    def __call__(self, light: Light, place: int) -> Frame:
        """The frame with the number ``place``."""
        height, width = light.shape[1:]
        down, right = (place * 197) % _GRAIN_PX, (place * 331) % _GRAIN_PX
        level = np.sqrt(np.maximum(light, 0, dtype=np.float32))
        level *= self._shade
        level += self._grain[down : down + height, right : right + width]
        coded = self._curve[np.clip(level, 0, _STEPS - 1, out=level).astype(np.uint16)]
        return np.ascontiguousarray(coded.transpose(1, 2, 0))
