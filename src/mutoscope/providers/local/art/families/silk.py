"""Silk: the plane folded by sine waves again and again, lit from the side."""

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, smooth
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme

FOLDS = 6


def silk(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A cloth."""
    angle = dice.uniform(0, np.pi)
    scale = np.float32(dice.uniform(0.75, 1.25))
    phases = dice.uniform(0, 2 * np.pi, (FOLDS, 2)).astype(np.float32)
    turns = [canvas.turns(rate) for rate in (0.1, 0.1, 0.2, 0.2, 0.2, 0.3)]
    weight = np.float32(dice.uniform(0.75, 1.05))
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x0 = (cos * canvas.x + sin * canvas.y) * scale
    y0 = (cos * canvas.y - sin * canvas.x) * scale * np.float32(1.3)
    colours = theme.ramp((0.14, 0.06, 0.0), (0.34, 0.12, 0.0), (0.56, 0.16, 0.3), (0.74, 0.14, 0.8), (0.93, 0.05, 1.0))
    sheen = theme.colour(0.97, 0.02, 0.8)

    def at(t: float) -> Light:
        x, y = x0, y0
        for fold in range(FOLDS):
            k = np.float32(1.0 + fold * 0.85)
            turn = TAU * np.float32(t) * turns[fold]
            x = x + weight / k * np.sin(k * y + phases[fold, 0] + turn)
            y = y + weight / k * np.sin(k * x + phases[fold, 1] - turn)
        value = 0.5 + 0.5 * np.sin(1.25 * x + 0.6 * y)
        slope_y, slope_x = np.gradient(value, np.float32(canvas.pixel))
        lit = (slope_x * np.float32(0.75) - slope_y * np.float32(0.65)) * np.float32(0.32)
        shade = np.float32(0.62) + np.float32(0.38) * np.tanh(lit)
        gloss = smooth(0.55, 1.0, np.tanh(lit * np.float32(1.2))) ** 2 * np.float32(0.5)
        light = paint(value, colours) * (np.float32(1.25) * shade)
        return light + gloss * sheen

    return at
