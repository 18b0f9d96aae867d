"""Landscape: a sky with sun or moon, and lines of mountains, dunes, trees or houses in haze, perhaps by the water."""

import math
from collections.abc import Callable

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge, smooth
from mutoscope.providers.local.art.horizon import along, city, dunes, forest, mirror, mountains, softened, stars
from mutoscope.providers.local.art.pixels import Dice, Field, Light, Line
from mutoscope.providers.local.art.theme import Theme

LAYERS = 6


def landscape(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A view into the distance."""
    theme, draw = theme.sunlit(), _line_for(theme, dice)
    level = (canvas.y - canvas.y[0, 0]) / (canvas.y[-1, 0] - canvas.y[0, 0])
    lines = [draw(dice) for _ in range(LAYERS)]
    offsets: list[float] = dice.random(LAYERS).tolist()
    water = theme.says("lake", "island", "river", "city", "reflection") or (draw is not city and dice.random() < 0.35)
    sky = _sky(canvas, theme, dice, level)
    layer = _layer(canvas, theme, draw is city, dice, level)
    turns = canvas.turns(0.3)

    def at(t: float) -> Light:
        light = sky(t)
        sway = 0.05 * math.sin(TAU * t) * canvas.strength
        for number in range(LAYERS):
            near = number / (LAYERS - 1)
            heights = along(lines[number], canvas, 0.16 + 0.10 * near, offsets[number] + sway * (0.1 + near * near))
            layer(light, heights, near, water)
        if water:
            mirror(light, canvas, round(canvas.height * 0.79), t, turns)
        return light

    return at


def _line_for(theme: Theme, dice: Dice) -> Callable[[Dice], Line]:
    if theme.says("forest", "jungle", "woods", "tree", "trees", "autumn"):
        return forest
    if theme.says("desert", "dune", "dunes", "sand", "field", "meadow", "valley"):
        return dunes
    if theme.says("city", "skyline", "town", "street", "village"):
        return city
    if theme.says("mountain", "mountains", "canyon", "snow", "winter"):
        return mountains
    return [mountains, mountains, dunes, forest][dice.integers(4)]


def _sky(canvas: Canvas, theme: Theme, dice: Dice, level: Field) -> Scene:
    night = theme.dark
    colours = theme.ramp((0.36, 0.11, 0.0), (0.58, 0.12, 0.35), (0.80, 0.11, 0.85), (0.92, 0.07, 1.0))
    ramp = colours[:, np.clip(level[:, 0] / 0.72 * 1023, 0, 1023).astype(int)][:, :, None]
    wide = float(canvas.x[0, -1])
    sun_x, sun_y = dice.uniform(-0.55, 0.55) * wide, float(canvas.y[0, 0]) * dice.uniform(0.05, 0.5)
    far = np.hypot(canvas.x - sun_x, canvas.y - sun_y)
    radius = dice.uniform(0.09, 0.17)
    disc = smooth(radius + canvas.pixel, radius - canvas.pixel, far)
    glow = 0.55 * np.exp(-far * 2.6) + 0.35 * np.exp(-np.maximum(far - radius, 0) * 11)
    sun, halo = theme.colour(0.97, 0.05, 1.0), theme.colour(0.82, 0.13, 1.0)
    base = (ramp + halo * (glow * (0.45 if night else 0.9))).astype(np.float32)
    base = base * (1 - disc) + (sun * (1.0 if night else 1.35)) * disc
    twinkling = stars(canvas, dice, 170) if night else []
    clouds = Clouds(dice, *canvas.small(6), roughness=1.7, sway=canvas.sway(0.8), stretch=3.4, scale=1.1)
    veil = theme.colour(0.88, 0.06, 0.9)
    band = smooth(0.0, 0.25, level) * smooth(0.75, 0.35, level) * (0.30 if night else 0.42)

    def at(t: float) -> Light:
        cloud = enlarge(smooth(0.1, 2.2, clouds.at(t)), canvas.width, canvas.height) * band
        light = base * (1 - cloud) + (veil * (0.8 + glow)) * cloud
        for rows, columns, star, phase in twinkling:
            light[:, rows, columns] += star * (0.7 + 0.3 * math.sin(phase + TAU * t * 2))
        return light

    return at


def _layer(
    canvas: Canvas, theme: Theme, houses: bool, dice: Dice, level: Field
) -> Callable[[Light, Line, float, bool], None]:
    haze = theme.colour(0.82, 0.09, 0.9)
    step = float(level[1, 0] - level[0, 0])
    windows = dice.random((64, 256)).astype(np.float32)
    lamp = theme.colour(0.9, 0.12, 1.0)

    def draw(light: Light, heights: Line, near: float, water: bool) -> None:
        bottom = 0.80 if water else 1.02
        base = 0.54 + (bottom - 0.54) * near**1.15 - 0.02
        line = base - heights * (0.13 + 0.09 * near) * (1.35 if houses else 1)
        top = max(int(float(line.min()) / step) - 1, 0)
        seen = level[top:]
        mask = np.clip((seen - line) / step + 0.5, 0, 1)
        # Haze lies in the valleys: each line is clear at its edge and pale at its foot.
        foot = np.clip((seen - softened(line, canvas.height // 6) + 0.02) / 0.24, 0, 1) * (0.7 - 0.62 * near)
        rock = theme.colour(0.66 - 0.54 * near, 0.085 - 0.03 * near, 0.75 - 0.75 * near)
        light[:, top:] = light[:, top:] * (1 - mask) + (rock + (haze - rock) * foot) * mask
        if houses and near > 0.3:
            light[:, top:] += lamp * (_lit(seen, line, near) * mask * (0.85 if theme.dark else 0.35))

    def _lit(seen: Field, line: Line, near: float) -> Field:
        size = 0.008 + 0.009 * near
        down = (seen - line) / size
        across = canvas.x[:1] / (size * 1.7)
        row, column = np.floor(down).astype(np.int32), np.floor(across).astype(np.int32)
        on = windows[row % 64, (column + int(near * 100)) % 256] > 0.74
        inside = smooth(0.5, 0.3, np.abs(down - row - 0.5)) * smooth(0.45, 0.25, np.abs(across - column - 0.5))
        return on * inside * ((down > 1) * (0.35 + 0.65 * windows[column % 64, row % 256]))

    return draw
