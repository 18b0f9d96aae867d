"""Ember: flames that rise and tear, and sparks above them."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, smooth
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme

TEARS = 7
SPARKS = 90


def ember(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A fire, near."""
    bottom = float(canvas.y[-1, 0])
    x0, up = canvas.x, (bottom - canvas.y) / (2 * bottom)
    tears = [
        (2.1 * 1.55**n, dice.uniform(0, TAU), dice.uniform(0, TAU), canvas.turns(0.35 + 0.16 * n)) for n in range(TEARS)
    ]
    colours = theme.ramp((0.05, 0.02, 0.0), (0.30, 0.14, -0.2), (0.58, 0.21, 0.1), (0.80, 0.18, 0.7), (0.97, 0.08, 1.0))
    lean: list[tuple[float, float]] = [(dice.uniform(1.2, 4.5), dice.uniform(0, TAU)) for _ in range(3)]
    sparks = [_spark(canvas, dice) for _ in range(SPARKS)]
    hot = theme.colour(0.88, 0.15, 0.7)
    smoke = theme.colour(0.16, 0.05, 0.0)

    def at(t: float) -> Light:
        x, y = x0, up * 2.2
        for k, phase, other, turns in tears:
            turn = TAU * t * turns
            # Everything is carried upwards; the finer, the faster.
            x = x + 0.62 / k * np.sin(k * y + 0.5 * k * x + (phase - turn)) * (0.35 + up)
            y = y + 0.48 / k * np.sin(1.3 * k * x + 0.7 * k * y + (other - turn))
        tongues = sum((np.cos(k * x + p) for k, p in lean), np.zeros_like(x)) / 3
        body = 1.04 - 1.3 * y / 2.2 + 0.55 * tongues - 0.12 * x0 * x0
        heat = smooth(0.0, 1.25, body) ** 1.5
        light = smoke * (0.5 + 0.5 * up) + paint(heat, colours) * (0.55 + 0.6 * heat)
        for lane, start, rise, sway, size, bright in sparks:
            _draw(light, canvas, hot, lane, (start + rise * t) % 1.0, sway, size, bright, t)
        return light

    return at


def _spark(canvas: Canvas, dice: Dice) -> tuple[float, float, int, float, float, float]:
    lane, size = dice.uniform(-1, 1) * float(canvas.x[0, -1]), 0.002 + 0.006 * dice.random() ** 4
    return (
        lane,
        dice.random(),
        canvas.turns(dice.uniform(0.15, 0.5)),
        dice.uniform(0.02, 0.12),
        size,
        dice.uniform(0.4, 1.6),
    )


def _draw(
    light: Light,
    canvas: Canvas,
    hot: Light,
    lane: float,
    life: float,
    sway: float,
    size: float,
    bright: float,
    t: float,
) -> None:
    bottom = float(canvas.y[-1, 0])
    x, y = lane + sway * math.sin(7 * life + 9 * lane), bottom * (1.05 - 2.2 * life)
    reach = size * 9
    left, right = np.searchsorted(canvas.x[0], [x - reach, x + reach]).tolist()
    top, low = np.searchsorted(canvas.y[:, 0], [y - reach, y + reach]).tolist()
    if left >= right or top >= low:
        return
    far = ((canvas.x[top:low, left:right] - x) ** 2 + ((canvas.y[top:low, left:right] - y) * 0.75) ** 2) / (size * size)
    fade = math.sin(math.pi * min(life * 1.02, 1.0)) * bright
    edge = np.clip(1 - far / 70, 0, 1)
    light[:, top:low, left:right] += hot * ((np.exp(-far) * 1.6 + 0.16 / (1 + far)) * edge * fade)
