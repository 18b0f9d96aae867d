"""Papercut: sheets of card with rounded openings, one behind the other, each throwing a shadow on the next."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme

SHEETS = 9


def papercut(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A box of paper, lit from above at the left."""
    small = canvas.small(8)
    relief = Clouds(dice, *small, roughness=2.9, sway=canvas.sway(0.9), scale=dice.uniform(0.75, 1.05))
    angle = dice.uniform(0, TAU)
    lean = (math.cos(angle) * canvas.x + math.sin(angle) * canvas.y) * dice.uniform(0.25, 0.6)
    inward = dice.random() < 0.6
    if inward:
        lean = 1.15 - 1.0 * np.hypot(canvas.x / float(canvas.x[0, -1]), canvas.y / float(canvas.y[-1, 0]))
    sheets = [
        theme.colour(
            0.90 - 0.70 * n / (SHEETS - 1), 0.05 + 0.12 * math.sin(math.pi * n / (SHEETS - 1)), n / (SHEETS - 1)
        )
        for n in range(SHEETS)
    ]
    if theme.dark or dice.random() < 0.3:
        sheets.reverse()
    fibre = 1 + 0.018 * enlarge(
        Clouds(dice, *canvas.small(2), roughness=0.7, scale=0.4).at(0), canvas.width, canvas.height
    )
    unit = min(canvas.width, canvas.height) / 720
    shift = max(round(9 * unit), 1)

    def at(t: float) -> Light:
        # Height 0 is the top sheet; each step down is an opening in the sheet above.
        height = enlarge(relief.at(t), canvas.width, canvas.height) * 0.62 + lean * 1.5
        height = height * (SHEETS / 4.2) + SHEETS * 0.32
        down, across = np.gradient(height)
        steep = np.sqrt(down * down + across * across) + 0.0015
        thrown = np.roll(height, (shift, shift), (0, 1))
        thrown[:shift], thrown[:, :shift] = height[:shift], height[:, :shift]
        light = sheets[0] * np.ones_like(height)
        for number in range(1, SHEETS):
            level = number
            mask = np.clip((height - level) / steep + 0.5, 0, 1)
            # In the opening, the sheet above shades what its edge, moved along the light, still covers.
            soft = np.clip((thrown - level) / (steep * 13 * unit) + 0.5, 0, 1)
            shadow = 0.42 + 0.58 * soft
            light += (sheets[number] * shadow - light) * mask
        return light * fibre

    return at
