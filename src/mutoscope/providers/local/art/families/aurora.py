"""Aurora: curtains of light over mountains and still water."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.field import TAU, hills, look_up, smooth
from mutoscope.providers.local.art.horizon import along, forest, mirror, mountains, stars
from mutoscope.providers.local.art.pixels import Dice, Field, Light, Line
from mutoscope.providers.local.art.theme import Theme

CURTAINS = 4


def aurora(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A polar night."""
    level = (canvas.y - canvas.y[0, 0]) / (canvas.y[-1, 0] - canvas.y[0, 0])
    ground = theme.colour(0.20, 0.05, 0.2)
    base = theme.colour(0.16, 0.06, 0.5) + theme.colour(0.40, 0.08, 0.2) * (smooth(0.1, 0.85, level) * 0.5)
    small = stars(canvas, dice, 260)
    curtains = [_Curtain(canvas, theme, dice, number) for number in range(CURTAINS)]
    step = float(level[1, 0] - level[0, 0])
    ridges = [(mountains(dice), 0.68, 0.08, 0.6), (forest(dice), 0.735, 0.055, 0.25)]
    offset, turns = dice.random(), canvas.turns(0.25)

    def at(t: float) -> Light:
        light = base + np.zeros_like(canvas.x)
        for rows, columns, star, phase in small:
            light[:, rows, columns] += star * (0.6 + 0.4 * math.sin(phase + TAU * t * 2))
        for curtain in curtains:
            curtain.add(light, t)
        for line, foot, high, grey in ridges:
            heights = along(line, canvas, 0.22, offset)
            mask = np.clip((level - (foot - heights * high)) / step + 0.5, 0, 1)
            light *= 1 - mask
            light += ground * (mask * grey)
        mirror(light, canvas, round(canvas.height * 0.73), t, turns, dark=0.7)
        return light

    return at


class _Curtain:
    """A folded band: bright and sharp below, drawn out in rays above, green to violet."""

    def __init__(self, canvas: Canvas, theme: Theme, dice: Dice, number: int) -> None:
        self._canvas = canvas
        self._rays, self._folds, self._glow = hills(dice, 0.75, 8), hills(dice, 0.45, 4), hills(dice, 0.5, 3)
        self._phase: list[float] = dice.uniform(0, TAU, 4).tolist()
        self._turns = [canvas.turns(0.08), canvas.turns(0.16), canvas.turns(0.12)]
        self._foot = dice.uniform(0.02, 0.3) - 0.14 * number
        self._high = dice.uniform(0.45, 0.85)
        self._strength = 1.25 * 0.78**number
        self._low, self._top = theme.colour(0.84, 0.20, 0.0), theme.colour(0.52, 0.19, 1.0)

    def add(self, light: Light, t: float) -> None:
        """Its light, on top of what is there."""
        x: Line = self._canvas.x[0]
        a, b, c = (TAU * t * turns + phase for turns, phase in zip(self._turns, self._phase[:3], strict=True))
        fold = 0.16 * np.sin(1.3 * x + a) + 0.1 * np.sin(2.9 * x - b) + 0.04 * np.sin(7.1 * x + c)
        foot = self._foot + fold + 0.07 * look_up(self._folds, x * 0.06 + 0.02 * math.sin(a))
        # Rays slip along the curtain; where it is folded they crowd.
        crowd = x * 0.05 + 0.035 * np.sin(1.7 * x + a) + 0.012 * np.sin(5.3 * x - b)
        rays = 0.5 + 0.5 * look_up(self._rays, crowd + 0.01 * math.sin(c))
        glow = np.clip(0.55 + 0.75 * look_up(self._glow, x * 0.04 + 0.03 * math.sin(b)), 0, None)
        rise: Field = foot - self._canvas.y
        shape = np.exp(-np.maximum(rise, 0) / (self._high * (0.25 + 0.6 * rays))) * smooth(-0.05, 0.03, rise)
        shape = shape * ((0.25 + 0.75 * rays) * glow * self._strength)
        violet = np.clip(rise / (self._high * 0.9), 0, 1)
        light += self._low * (shape * (1 - violet)) + self._top * (shape * (violet * 1.3 + 0.05))
