"""Moiré: rings around several springs; where they cross, larger figures appear."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas, Scene
from mutoscope.providers.local.art.colour import paint
from mutoscope.providers.local.art.field import TAU, smooth
from mutoscope.providers.local.art.pixels import Dice, Light
from mutoscope.providers.local.art.theme import Theme


def moire(canvas: Canvas, theme: Theme, dice: Dice) -> Scene:
    """Lines of light over a glow."""
    springs = int(dice.integers(3, 5))
    wide, high = float(canvas.x[0, -1]), float(canvas.y[-1, 0])
    angle = dice.uniform(0, TAU)
    places = [
        (
            0.62 * wide * math.cos(angle + TAU * n / springs),
            0.62 * high * math.sin(angle + TAU * n / springs),
            dice.uniform(0, TAU),
        )
        for n in range(springs)
    ]
    gaps = [dice.uniform(0.085, 0.14) for _ in places]
    tones = [theme.colour(0.78, 0.15, n / (springs - 1)) for n in range(springs)]
    turns, pulse = canvas.turns(0.07), canvas.turns(0.35)
    back = theme.ramp((0.10, 0.04, 0.0), (0.20, 0.09, 0.15), (0.36, 0.13, 0.6), (0.52, 0.14, 1.0))
    drift, bend = 0.16 * (0.4 + 1.2 * canvas.strength), dice.uniform(0.03, 0.09)
    # At 720 lines a stroke is two pixels wide; larger pictures have as many strokes, and thicker ones.
    thick = 0.9 * min(canvas.width, canvas.height) / 720

    def at(t: float) -> Light:
        turn = TAU * t * turns
        x = canvas.x + bend * np.sin(2.3 * canvas.y + turn)
        y = canvas.y + bend * np.sin(2.9 * canvas.x - turn)
        light = np.zeros((3, canvas.height, canvas.width), dtype=np.float32)
        waves = np.zeros_like(x)
        for (cx, cy, phase), gap, tone in zip(places, gaps, tones, strict=True):
            px, py = cx + drift * math.sin(turn + phase), cy + drift * math.cos(turn + 2 * phase)
            far = np.sqrt((x - px) ** 2 + (y - py) ** 2 + 1e-4)
            ring = far / gap - t * pulse
            away = np.abs(ring - np.round(ring)) * (gap / canvas.pixel)
            swell = 0.5 + 0.5 * np.cos(far * 5.2 - TAU * t * turns + phase)
            light += tone * (
                smooth(thick + 0.8, max(thick - 0.4, 0.0), away) * (0.12 + 0.88 * swell * np.exp(-0.35 * far))
            )
            waves += np.cos(far * 5.2 - TAU * t * turns + phase)
        glow = np.clip(0.42 + waves / (2.4 * springs), 0, 0.999)
        return paint(glow, back) * 0.9 + light * (0.35 + 0.9 * glow)

    return at
