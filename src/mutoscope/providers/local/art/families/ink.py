"""Ink: drops in water, drawn out by eddies. Followed backwards: where a pixel's water was decides its ink."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge, smooth
from mutoscope.providers.local.art.pixels import Dice, Field, Light
from mutoscope.providers.local.art.theme import Theme

STEPS = 14
EDDIES = 8
DROPS = 9


def ink(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """Ink on white paper, or, at night, smoke in a beam of light."""
    # Where water goes is smooth: it is followed coarsely, and only what it carries is drawn finely.
    width, height = canvas.small(2) if canvas.film else (canvas.width, canvas.height)
    coarse = canvas.small(4 if canvas.film else 2)
    x0, y0 = (enlarge(axis, *coarse) for axis in (canvas.x, canvas.y))
    eddies = [_Eddy(canvas, dice, number) for number in range(EDDIES)]
    wide, high = float(canvas.x[0, -1]), float(canvas.y[-1, 0])
    drops = [
        (
            dice.uniform(-0.75, 0.75) * wide,
            dice.uniform(-0.75, 0.75) * high,
            dice.uniform(0.18, 0.46),
            dice.uniform(0, 1),
        )
        for _ in range(DROPS)
    ]
    fibre = enlarge(Clouds(dice, *canvas.small(2), roughness=0.9, scale=0.6).at(0), canvas.width, canvas.height)
    paper = theme.colour(0.965, 0.012, 1.0) * (1 + 0.012 * fibre)
    night = theme.dark
    # What each ink swallows of the light that passes.
    inks = [np.log(1 / np.maximum(theme.colour(0.42 + 0.12 * tone, 0.17, tone), 0.015)) for *_, tone in drops]
    glows = [theme.colour(0.72, 0.15, tone) for *_, tone in drops]
    dark = theme.colour(0.12, 0.04, 0.3)

    def at(t: float) -> Light:
        x, y = x0, y0
        for step in range(STEPS):
            across, down = np.zeros_like(x), np.zeros_like(x)
            for eddy in eddies:
                eddy.stir(x, y, t, step, across, down)
            x, y = x - across * (1.15 / STEPS), y - down * (1.15 / STEPS)
        x, y = enlarge(x, width, height), enlarge(y, width, height)
        small = np.zeros((3, height, width), dtype=np.float32)
        for (cx, cy, size, _), swallows, glow in zip(drops, inks, glows, strict=True):
            far = np.hypot(x - cx, y - cy) / size
            # A drop is thin inside and dark at its rim, as ink is.
            body = smooth(1.25, 0.35, far) * (0.28 + 0.9 * np.exp(-(((far - 0.8) / 0.22) ** 2)))
            small += glow * (body * 0.75) if night else swallows * body
        light = np.stack([enlarge(plane, canvas.width, canvas.height) for plane in small])
        return dark + light if night else paper * np.exp(-light)

    return at


class _Eddy:
    """A wave of the stream function: water turns around its crests and troughs, and is never compressed."""

    def __init__(self, canvas: Canvas, dice: Dice, number: int) -> None:
        k, angle = 1.3 * 1.42**number, dice.uniform(0, TAU)
        self._kx, self._ky = k * math.cos(angle), k * math.sin(angle)
        self._force = 1.25 * dice.uniform(0.6, 1.2) / k**0.62
        self._phase, self._own = dice.uniform(0, TAU), dice.uniform(0, TAU)
        self._sway = canvas.sway(0.9) * (1.0 + 0.12 * number)
        self._age = dice.uniform(-1.5, 1.5)

    def stir(self, x: Field, y: Field, t: float, step: int, across: Field, down: Field) -> None:
        """Add its velocity at the places x, y."""
        phase = self._phase + self._sway * math.sin(TAU * t + self._own) - self._age * step / STEPS
        slope = np.cos(self._kx * x + self._ky * y + phase) * self._force
        across += slope * (self._ky / math.hypot(self._kx, self._ky))
        down -= slope * (self._kx / math.hypot(self._kx, self._ky))
