"""Ocean: open water to the horizon under a low sun or moon; waves of many directions mirror the sky."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge, smooth
from mutoscope.providers.local.art.horizon import stars
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme

WAVES = 20
GRAVITY = 9.81


def ocean(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """Looking out to sea, from some metres above it."""
    theme = theme.sunlit()
    top, bottom = float(canvas.y[0, 0]), float(canvas.y[-1, 0])
    level = top + (bottom - top) * dice.uniform(0.40, 0.5)
    first = int(np.searchsorted(canvas.y[:, 0], level))
    heaven = theme.ramp((0.93, 0.07, 1.0), (0.80, 0.12, 0.9), (0.58, 0.12, 0.4), (0.36, 0.11, 0.0), (0.26, 0.09, 0.0))
    sun_x = float(canvas.x[0, -1]) * dice.uniform(-0.5, 0.5)
    rise = dice.uniform(0.16, 0.34)
    sky = _sky(canvas, theme, dice, level, first, heaven, sun_x, rise)
    water = _water(canvas, theme, dice, level, first, heaven, sun_x, rise)

    def at(t: float) -> Light:
        return np.concatenate([sky(t), water(t)], axis=1)

    return at


def _sky(
    canvas: Canvas, theme: Theme, dice: Dice, level: float, first: int, heaven: Light, sun_x: float, rise: float
) -> Scene:
    x, up = canvas.x[:first], level - canvas.y[:first]
    far = np.hypot(x - sun_x, up - rise)
    radius = 0.085
    disc = smooth(radius + canvas.pixel, radius - canvas.pixel, far)
    glow = 0.5 * np.exp(-far * 3.2) + 0.4 * np.exp(-np.maximum(far - radius, 0) * 12)
    base = paint(up / float(up.max()) * 0.95, heaven) + theme.colour(0.84, 0.14, 1.0) * (
        glow * (0.5 if theme.dark else 0.85)
    )
    base = base * (1 - disc) + theme.colour(0.98, 0.04, 1.0) * (disc * 1.3)
    clouds = Clouds(dice, *canvas.small(5), roughness=1.6, sway=canvas.sway(0.8), stretch=4.0, scale=0.9)
    lit, shade = theme.colour(0.95, 0.06, 1.0), theme.colour(0.5, 0.08, 0.5)
    band = smooth(0.02, 0.2, up) * (0.35 if theme.dark else 0.6)
    small = stars(canvas, dice, 140) if theme.dark else []

    def at(t: float) -> Light:
        whole = enlarge(clouds.at(t), canvas.width, canvas.height)[:first]
        cloud = smooth(0.2, 2.0, whole) * band
        light = base * (1 - cloud) + (shade + (lit - shade) * np.clip(0.25 + glow * 1.6, 0, 1)) * cloud
        for rows, columns, star, phase in small:
            if rows.stop < first - canvas.height * 0.04:
                light[:, rows, columns] += star * (0.7 + 0.3 * math.sin(phase + TAU * t * 2))
        return light

    return at


def _water(
    canvas: Canvas, theme: Theme, dice: Dice, level: float, first: int, heaven: Light, sun_x: float, rise: float
) -> Scene:
    x, down = canvas.x[first:], canvas.y[first:] - level + canvas.pixel
    # The plane of the water, one unit below the eye.
    z = 1.0 / down
    across = x * z
    footprint = canvas.pixel * z * z
    wind = dice.normal(0, 0.35)
    waves: list[tuple[float, float, float, float, int]] = []
    for number in range(WAVES):
        length = 3.4 * 0.79**number * dice.uniform(0.85, 1.15)
        k, angle = TAU / length, math.pi / 2 + wind + dice.normal(0, 0.7)
        rate = math.sqrt(GRAVITY * 1.6 / k) * k / TAU * 0.55
        waves.append((k * math.cos(angle), k * math.sin(angle), k, dice.uniform(0, TAU), canvas.turns(rate)))
    # What is finer than a pixel is not drawn, and what is left of it dims the mirror.
    kept = [np.exp(-((k * footprint * 0.35) ** 2)) for _, _, k, _, _ in waves]
    phase0 = [kx * across + kz * z + phase for kx, kz, _, phase, _ in waves]
    deep, sun = theme.colour(0.34, 0.10, 0.1), theme.colour(0.97, 0.06, 1.0)
    steep = 0.055 * (1.5 if theme.says("storm", "stormy", "wild", "tense", "epic") else 1.0)
    haze = smooth(0.09, 0.0, down)
    edge = theme.colour(0.86, 0.09, 1.0)

    def at(t: float) -> Light:
        slope_x, slope_z = np.zeros_like(z), np.zeros_like(z)
        for (kx, kz, k, _, turns), fade, phase in zip(waves, kept, phase0, strict=True):
            # Sharpened crests: the slope of exp(sin).
            angle = phase - TAU * t * turns
            slope = np.cos(angle) * np.exp(np.sin(angle) - 1) * fade * (steep * 2.2)
            slope_x += slope * (kx / k)
            slope_z += slope * (kz / k)
        # A ray that goes up is mirrored by a facet: it leaves at twice the facet's tilt.
        up = np.clip(down * 0.9 + 2 * np.abs(slope_z + down * 0.5) * 0.55, 0, 1)
        mirror = 0.1 + 0.9 * (1 - np.clip(down * 0.55 + slope_z * 1.9, 0, 1)) ** 3
        light = deep * (1.0 - mirror) + paint(0.08 + up * 0.75, heaven) * mirror
        # The sun's road: facets tilted so that they throw it at us.
        need_x = (x - sun_x) * 0.5 + slope_x * 1.6
        need_z = (down - rise) * 0.22 + slope_z * 1.6
        glitter = np.exp(-(need_x * need_x) * 42 - need_z * need_z * 60)
        light += sun * (glitter * (0.75 if theme.dark else 1.35))
        return light * (1 - haze * 0.6) + edge * (haze * 0.6)

    return at
