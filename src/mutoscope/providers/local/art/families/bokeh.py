"""Bokeh: lights of a city far out of focus, mirrored in a wet street."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge, smooth
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme

LIGHTS = 120


class _Disc:
    """One light: a disc as wide as it is far from the focus."""

    def __init__(self, canvas: Canvas, theme: Theme, dice: Dice, street: float) -> None:
        wide, top = float(canvas.x[0, -1]), float(canvas.y[0, 0])
        near = dice.random() ** 2.2
        self.x = dice.uniform(-1.1, 1.1) * wide
        self.y = street - (street - top) * abs(dice.normal(0, 0.34)) * (0.35 + near)
        self.radius = 0.030 + 0.15 * near
        tone = float(np.clip(dice.normal(0.5, 0.5), 0, 1))
        self.colour = theme.colour(dice.uniform(0.66, 0.88), dice.uniform(0.09, 0.2), tone)
        self.strength = dice.uniform(0.18, 0.75) * (0.55 - 0.38 * near) * 1.7
        self.phase, self.turns = dice.uniform(0, TAU), canvas.turns(dice.uniform(0.05, 0.3))
        self.drift = (0.012 + 0.07 * near) * (0.4 + 1.2 * canvas.strength) if canvas.film else 0.0

    def add(self, light: Light, canvas: Canvas, t: float, street: float) -> None:
        """Draw it, and its long reflection."""
        turn = TAU * t + self.phase
        x, y = self.x + self.drift * math.sin(turn), self.y + 0.35 * self.drift * math.cos(turn)
        bright = self.strength * (0.82 + 0.18 * math.sin(TAU * t * self.turns + self.phase))
        self._disc(light, canvas, x, y, 1.0, bright)
        self._disc(light, canvas, x, 2 * street - y + 0.05, 2.1, bright * 0.34)

    def _disc(self, light: Light, canvas: Canvas, x: float, y: float, tall: float, bright: float) -> None:
        reach = self.radius * 1.25
        left, right = np.searchsorted(canvas.x[0], [x - reach, x + reach]).tolist()
        top, bottom = np.searchsorted(canvas.y[:, 0], [y - reach * tall, y + reach * tall]).tolist()
        if left >= right or top >= bottom:
            return
        dx, dy = canvas.x[top:bottom, left:right] - x, (canvas.y[top:bottom, left:right] - y) / tall
        far = np.sqrt(dx * dx + dy * dy) / self.radius
        soft = (0.10 if tall == 1 else 0.5) + canvas.pixel / self.radius
        # A lens leaves the rim of the disc a little brighter than its middle.
        body = smooth(1 + soft / 2, 1 - soft / 2, far) * (0.72 + 0.34 * smooth(0.55, 0.97, far))
        light[:, top:bottom, left:right] += self.colour * (body * bright)


def bokeh(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """Night, rain, a street."""
    high = float(canvas.y[-1, 0])
    street = high * dice.uniform(0.30, 0.48)
    discs = [_Disc(canvas, theme, dice, street) for _ in range(LIGHTS)]
    level = (canvas.y[:, :1] + high) / (2 * high)
    night = theme.ramp((0.15, 0.05, 0.0), (0.20, 0.07, 0.1), (0.33, 0.09, 0.7), (0.20, 0.06, 0.3), (0.11, 0.03, 0.0))
    haze = Clouds(dice, *canvas.small(8), roughness=2.0, sway=canvas.sway(0.8), stretch=1.8)
    base = paint(np.clip(level, 0, 0.999), night)
    glow = theme.colour(0.5, 0.10, 0.8)
    band = np.exp(-(((canvas.y[:, :1] - street) / (0.42 * high)) ** 2))

    def at(t: float) -> Light:
        mist = enlarge(haze.at(t), canvas.width, canvas.height)
        light = base * (1 + 0.22 * mist) + glow * (np.clip(0.28 + 0.13 * mist, 0, 1) * band)
        for disc in discs:
            disc.add(light, canvas, t, street)
        return light

    return at
