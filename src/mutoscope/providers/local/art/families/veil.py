"""Veil: a sheet of points folded a few times by de Jong's map; where folds lie on each other it glows.

x' = sin(a y) - cos(b x), y' = sin(c x) - cos(d y) (P. de Jong, in Dewdney, Scientific American, July 1987).
"""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, smooth
from mutoscope.providers.local.art.pixels import Dice, Field, Light
from mutoscope.providers.local.art.theme import Theme

FORMS = (
    (1.4, -2.3, 2.4, -2.1),
    (-2.0, -2.0, -1.2, 2.0),
    (2.01, -2.53, 1.61, -0.33),
    (-2.7, -0.09, -0.86, -2.2),
    (-0.83, -2.3, -2.65, 1.9),
    (1.64, 1.9, 0.32, 1.53),
    (-2.24, 0.43, -0.65, -2.43),
)
FOLDS = 5


def veil(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A cloth of light."""
    form = [value + dice.normal(0, 0.06) for value in FORMS[dice.integers(len(FORMS))]]
    phases: list[float] = dice.uniform(0, TAU, 4).tolist()
    turns, sway = canvas.turns(0.08), 0.10 * (0.3 + 1.4 * canvas.strength) if canvas.film else 0.0
    x0, y0 = _sheet(canvas, dice, 1_300_000 if canvas.film else 5_000_000)
    frame = _Frame(canvas, form, x0[:60_000], y0[:60_000], dice)
    colours = theme.ramp((0.10, 0.04, 0.0), (0.32, 0.14, 0.0), (0.55, 0.18, 0.25), (0.76, 0.15, 0.8), (0.96, 0.04, 1.0))
    far = np.hypot(canvas.x, canvas.y)
    back = theme.colour(0.13, 0.045, 0.1) * (0.55 + 0.75 * np.exp(-far * far))

    def at(t: float) -> Light:
        a, b, c, d = (v + sway * math.sin(TAU * t * turns + p) for v, p in zip(form, phases, strict=True))
        x, y = x0, y0
        density = np.zeros(canvas.width * canvas.height, dtype=np.float32)
        for fold in range(FOLDS):
            x, y = np.sin(a * y) - np.cos(b * x), np.sin(c * x) - np.cos(d * y)
            if fold >= FOLDS - 2:
                density += frame.count(x, y, 0.12 * math.sin(TAU * t * turns))
        glow = density.reshape(canvas.height, canvas.width) * (canvas.width * canvas.height / len(x0))
        shade = np.log1p(glow * 0.55) * 0.30
        return back + paint(np.clip(shade, 0, 1), colours) * smooth(0.0, 0.22, shade) * 1.15

    return at


def _sheet(canvas: Canvas, dice: Dice, number: int) -> tuple[Field, Field]:
    """Points all over the plane, evenly and without a grid (the R2 sequence), the same for every frame."""
    number = min(number, canvas.width * canvas.height * 6)
    place = np.arange(number, dtype=np.float64)
    x, y = (place * 0.7548776662466927) % 1, (place * 0.5698402909980532) % 1
    return (x * 5 - 2.5).astype(np.float32), (y * 5 - 2.5).astype(np.float32)


class _Frame:
    """Puts the form into the picture: its middle in the middle, its long side along the picture's, filling most of it."""

    def __init__(self, canvas: Canvas, form: list[float], x: Field, y: Field, dice: Dice) -> None:
        self._canvas = canvas
        a, b, c, d = form
        for _ in range(FOLDS):
            x, y = np.sin(a * y) - np.cos(b * x), np.sin(c * x) - np.cos(d * y)
        self._middle = float(x.mean()), float(y.mean())
        spread = np.cov(np.stack([x, y]).astype(np.float64))
        self._angle = -0.5 * math.atan2(2 * float(spread[0, 1]), float(spread[0, 0] - spread[1, 1]))
        if canvas.height > canvas.width:
            self._angle += math.pi / 2
        self._angle += dice.choice([0.0, math.pi]) + dice.normal(0, 0.12)
        across, down = self._turned(x, y, 0.0)
        self._scale = 0.45 * min(
            canvas.width / float(np.percentile(np.abs(across), 99.5)),
            canvas.height / float(np.percentile(np.abs(down), 99.5)),
        )

    def _turned(self, x: Field, y: Field, more: float) -> tuple[Field, Field]:
        cos, sin = math.cos(self._angle + more), math.sin(self._angle + more)
        x, y = x - self._middle[0], y - self._middle[1]
        return x * cos - y * sin, x * sin + y * cos

    def count(self, x: Field, y: Field, more: float) -> Field:
        """How many points fall into each pixel; the form turned by ``more``."""
        width, height = self._canvas.width, self._canvas.height
        across, down = self._turned(x, y, more)
        column = (across * self._scale + width / 2).astype(np.int32)
        row = (down * self._scale + height / 2).astype(np.int32)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        return np.bincount((row * width + column)[inside], minlength=width * height).astype(np.float32)
