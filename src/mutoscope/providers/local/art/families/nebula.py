"""Nebula: glowing gas behind dark dust, and stars, a few of them near."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge, smooth
from mutoscope.providers.local.art.horizon import stars
from mutoscope.providers.local.art.pixels import Dice, Field, Light
from mutoscope.providers.local.art.theme import Theme


def nebula(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A cloud in space."""
    small = canvas.small(3 if canvas.film else 2)
    gas, tint, dust = (
        Clouds(dice, *small, roughness=roughness, sway=canvas.sway(rate), scale=scale)
        for roughness, rate, scale in ((1.5, 0.8, 1.0), (2.2, 0.6, 0.8), (1.35, 0.8, 1.3))
    )
    angle = dice.uniform(0, math.pi)
    middle = (math.cos(angle) * canvas.y - math.sin(angle) * canvas.x + dice.uniform(-0.3, 0.3)).astype(np.float32)
    band = np.exp(-((middle / dice.uniform(0.55, 0.9)) ** 2))
    colours = theme.ramp((0.10, 0.05, 0.0), (0.30, 0.13, 0.0), (0.52, 0.18, 0.35), (0.72, 0.17, 0.8), (0.92, 0.07, 1.0))
    other = theme.ramp((0.10, 0.05, 0.9), (0.34, 0.12, 1.0), (0.60, 0.13, 0.6), (0.80, 0.11, 0.2), (0.95, 0.04, 0.0))
    deep = theme.colour(0.10, 0.04, 0.2)
    far = stars(canvas, dice, 420)
    near = [_near(canvas, theme, dice) for _ in range(int(dice.integers(3, 7)))]

    def at(t: float) -> Light:
        density, hue, dark = (enlarge(cloud.at(t), canvas.width, canvas.height) for cloud in (gas, tint, dust))
        shape = smooth(-1.7, 2.5, density + 0.4 * hue) * (0.45 + 0.55 * band)
        blend = smooth(-0.7, 0.9, hue - 0.4 * density)
        light = deep + paint(shape, colours) * (1 - blend) + paint(shape * 0.92, other) * blend
        for rows, columns, star, phase in far:
            light[:, rows, columns] += star * (0.75 + 0.25 * math.sin(phase + TAU * t * 2))
        # Dust in front, thickest in the plane of the band.
        light *= 1 - smooth(0.2, 1.7, dark) * (0.75 * band)
        for rows, columns, glow, tone in near:
            light[:, rows, columns] += tone * glow
        return light * 1.25

    return at


def _near(canvas: Canvas, theme: Theme, dice: Dice) -> tuple[slice, slice, Field, Light]:
    """A bright star with a halo and the cross that a telescope's struts make."""
    size = dice.uniform(0.004, 0.011)
    x0, y0 = (
        dice.uniform(float(canvas.x[0, 0]), float(canvas.x[0, -1])),
        dice.uniform(float(canvas.y[0, 0]), float(canvas.y[-1, 0])),
    )
    columns = slice(*np.searchsorted(canvas.x[0], [x0 - size * 26, x0 + size * 26]).tolist())
    rows = slice(*np.searchsorted(canvas.y[:, 0], [y0 - size * 26, y0 + size * 26]).tolist())
    x, y = canvas.x[rows, columns] - x0, canvas.y[rows, columns] - y0
    far = np.hypot(x, y) / size
    edge = np.clip(1 - far / 26, 0, 1) ** 2
    cross = np.exp(-np.abs(x) / (size * 5) - (y / size * 2.2) ** 2) + np.exp(
        -np.abs(y) / (size * 5) - (x / size * 2.2) ** 2
    )
    glow = (np.exp(-(far**2)) * 2.2 + 0.5 / (1 + far * far * 0.35) + cross * 0.9) * edge
    return rows, columns, glow.astype(np.float32), theme.colour(0.93, 0.05, float(dice.integers(2)))
