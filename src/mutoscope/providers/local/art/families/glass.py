"""Glass: panes in lead, light behind them; each pane is nearest to its own point."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, Clouds, enlarge, smooth
from mutoscope.providers.local.art.pixels import Dice, Field, Light
from mutoscope.providers.local.art.theme import Theme


def glass(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """A window."""
    points = _points(canvas, dice)
    number = len(points)
    tones: list[float] = np.clip(dice.normal(0.5, 0.24, number), 0.02, 0.98).tolist()
    colours = theme.ramp((0.24, 0.10, 0.0), (0.45, 0.17, 0.0), (0.62, 0.18, 0.4), (0.76, 0.16, 1.0), (0.90, 0.09, 0.8))
    wobble = enlarge(Clouds(dice, *canvas.small(3), roughness=1.3, scale=1.6).at(0), canvas.width, canvas.height)
    bubbles = enlarge(Clouds(dice, *canvas.small(2), roughness=0.9, scale=0.5).at(0), canvas.width, canvas.height)
    texture = 1 + 0.10 * wobble + 0.035 * bubbles
    lead = theme.colour(0.13, 0.012, 0.2)
    wide, high = float(canvas.x[0, -1]), float(canvas.y[-1, 0])
    sun = (dice.uniform(-0.5, 0.5) * wide, dice.uniform(-0.6, 0.1) * high)
    turns = canvas.turns(0.1)
    phases: list[tuple[float, float]] = [tuple(pair) for pair in dice.uniform(0, TAU, (number, 2)).tolist()]
    sway = 0.05 * (0.4 + 1.2 * canvas.strength) if canvas.film else 0.0

    def at(t: float) -> Light:
        turn = TAU * t * turns
        moved = [
            (x + sway * math.sin(turn + a), y + sway * math.cos(turn + b))
            for (x, y), (a, b) in zip(points, phases, strict=True)
        ]
        nearest, second, tone = _nearest(canvas, moved, tones)
        # Half the difference of the two distances is about the way to the lead.
        way = (np.sqrt(second) - np.sqrt(nearest)) * 0.5
        edge = smooth(0.011, 0.011 + 2 * canvas.pixel, way)
        rim = 0.62 + 0.38 * smooth(0.0, 0.09, way)
        sx, sy = sun[0] + 0.35 * wide * math.sin(turn) * canvas.strength * canvas.film, sun[1]
        beam = 0.55 + 0.95 * np.exp(-((canvas.x - sx) ** 2 + (canvas.y - sy) ** 2) * 0.55)
        light = paint(tone + 0.035 * wobble, colours) * (texture * rim * beam)
        round_ = np.clip(way / 0.011, 0, 1)
        return light * edge + lead * ((1 - edge) * (0.35 + 0.9 * round_))

    return at


def _points(canvas: Canvas, dice: Dice) -> list[tuple[float, float]]:
    """Points that keep some distance: each the best of several tries."""
    wide, high = float(canvas.x[0, -1]) * 1.12, float(canvas.y[-1, 0]) * 1.12
    number = int(dice.integers(42, 74))
    points: list[tuple[float, float]] = [(dice.uniform(-wide, wide), dice.uniform(-high, high))]
    while len(points) < number:
        tries = dice.uniform((-wide, -high), (wide, high), (7, 2)).tolist()
        points.append(max(((x, y) for x, y in tries), key=lambda p: min(math.dist(p, q) for q in points)))
    return points


def _nearest(canvas: Canvas, points: list[tuple[float, float]], tones: list[float]) -> tuple[Field, Field, Field]:
    """For every pixel the squared distances of the two nearest points, and the tone of the nearest."""
    nearest = np.full(canvas.x.shape, 1e3, dtype=np.float32)
    second, tone = nearest.copy(), np.zeros_like(nearest)
    for (x, y), value in zip(points, tones, strict=True):
        far = (canvas.x[:1] - x) ** 2 + (canvas.y[:, :1] - y) ** 2
        np.minimum(second, np.maximum(far, nearest), out=second)
        closer = far < nearest
        np.copyto(tone, value, where=closer)
        np.copyto(nearest, far, where=closer)
    return nearest, second, tone
