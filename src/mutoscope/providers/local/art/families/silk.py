"""Silk: the plane folded by sine waves again and again, lit from the side."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, smooth
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme

FOLDS = 6


def silk(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A cloth."""
    angle, scale, weight = dice.uniform(0, math.pi), dice.uniform(1.0, 1.7), dice.uniform(0.75, 1.05)
    phases: list[list[float]] = dice.uniform(0, TAU, (FOLDS, 2)).tolist()
    turns = [canvas.turns(rate) for rate in (0.1, 0.1, 0.2, 0.2, 0.2, 0.3)]
    x0 = (math.cos(angle) * canvas.x + math.sin(angle) * canvas.y) * scale
    y0 = (math.cos(angle) * canvas.y - math.sin(angle) * canvas.x) * (1.3 * scale)
    colours = theme.ramp((0.14, 0.06, 0.0), (0.34, 0.12, 0.0), (0.56, 0.16, 0.3), (0.74, 0.14, 0.8), (0.93, 0.05, 1.0))
    sheen = theme.colour(0.97, 0.02, 0.8)

    def at(t: float) -> Light:
        x, y = x0, y0
        for fold in range(FOLDS):
            k, turn = 1.0 + fold * 0.85, TAU * t * turns[fold]
            x = x + weight / k * np.sin(k * y + (phases[fold][0] + turn))
            y = y + weight / k * np.sin(k * x + (phases[fold][1] - turn))
        value = 0.5 + 0.5 * np.sin(1.25 * x + 0.6 * y)
        down, across = np.gradient(value, canvas.pixel)
        lit = np.tanh((across * 0.75 - down * 0.65) * 0.32)
        gloss = smooth(0.55, 1.0, lit * 1.1) ** 2 * 0.5
        return paint(value, colours) * (0.78 + 0.47 * lit) + gloss * sheen

    return at
