"""What landscapes share: lines against the sky, stars, and water that mirrors what is above it."""

import math

import numpy as np

from mutoscope.providers.local.art.canvas import Canvas
from mutoscope.providers.local.art.field import TAU, hills
from mutoscope.providers.local.art.pixels import Dice, Field, Light, Line

STEPS = 4096


def mountains(dice: Dice) -> Line:
    """Peaks: heights 0 to 1 along a line that comes round."""
    line = 1 - np.abs(hills(dice, 0.5, 8, STEPS)) * 1.6 + 0.5 * hills(dice, 0.45, 3, STEPS)
    return _unit(line)


def dunes(dice: Dice) -> Line:
    """Long soft backs."""
    return _unit(hills(dice, 0.3, 2, STEPS) + 0.06 * np.abs(hills(dice, 0.4, 4, STEPS)))


def forest(dice: Dice) -> Line:
    """Conifers on a hill."""
    line = 0.55 * _unit(hills(dice, 0.4, 3, STEPS))
    place = np.arange(STEPS)
    trees = np.zeros(STEPS)
    for _ in range(200):
        middle, high = dice.integers(STEPS), 0.1 + 0.42 * dice.random() ** 1.6
        far = np.abs((place - middle + STEPS // 2) % STEPS - STEPS // 2) / (high * dice.uniform(45, 75))
        # Branches: the edge steps in and out on its way down.
        tree = high * np.clip(1 - far, 0, 1) * (0.86 + 0.14 * np.cos(far * 34))
        trees = np.maximum(trees, tree)
    return _unit(line + trees)


def city(dice: Dice) -> Line:
    """Houses and towers."""
    line = np.zeros(STEPS)
    place = 0
    while place < STEPS:
        wide = int(dice.integers(45, 130))
        high = dice.uniform(0.15, 0.6) * (1.7 if dice.random() < 0.22 else 1)
        line[place : place + wide] = high
        if high > 0.7 and dice.random() < 0.6:
            middle = min(place + wide // 2, STEPS - 4)
            line[middle : middle + 4] += 0.25
            line[place + wide // 4 : place + 3 * wide // 4] += 0.06
        place += wide
    return _unit(line)


def _unit(line: Line) -> Line:
    return ((line - line.min()) / (line.max() - line.min())).astype(np.float32)


def along(line: Line, canvas: Canvas, scale: float, offset: float) -> Line:
    """A line's heights at the picture's columns: ``scale`` of it fits the shorter side."""
    place = (canvas.x[0] / 2 * scale + offset) % 1.0 * len(line)
    left = np.floor(place).astype(np.int32)
    part = place - left
    return line[left % len(line)] * (1 - part) + line[(left + 1) % len(line)] * part


def softened(line: Line, width: int) -> Line:
    """The line without what is narrower than ``width``."""
    width = min(width, len(line) // 2) | 1
    padded = np.pad(line, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width, dtype=np.float32), mode="valid")


def stars(canvas: Canvas, dice: Dice, number: int) -> list[tuple[slice, slice, Field, float]]:
    """Places and discs of stars, with a phase to twinkle by. Few are large."""
    found: list[tuple[slice, slice, Field, float]] = []
    unit = min(canvas.width, canvas.height) / 720
    for _ in range(number):
        size = (0.5 + 1.3 * dice.random() ** 12) * unit
        reach = math.ceil(size * 3.5) + 1
        column, row = dice.uniform(0, canvas.width), dice.uniform(0, canvas.height)
        left, top = int(column) - reach, int(row) - reach
        rows = slice(max(top, 0), min(top + 2 * reach + 1, canvas.height))
        columns = slice(max(left, 0), min(left + 2 * reach + 1, canvas.width))
        y, x = np.mgrid[rows, columns].astype(np.float32)
        bright = dice.uniform(0.12, 1.0) ** 3 * 1.7
        disc = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * size * size)) * bright
        found.append((rows, columns, disc.astype(np.float32), dice.uniform(0, TAU)))
    return found


def mirror(light: Light, canvas: Canvas, row: int, t: float, turns: int, dark: float = 0.72) -> None:
    """Turn the picture below ``row`` into water that mirrors what is above, in place. Ripples grow towards us."""
    height, width = light.shape[1:]
    depth = np.arange(height - row, dtype=np.float32)[:, None]
    near = depth / max(height - row, 1)
    # Ripples crowd together towards the shore; seen from the side they are long and low.
    wave = 26.0 / (near + 0.16)
    turn = TAU * t * turns
    x = canvas.x[:1]
    shift = np.sin(2 * wave + 2.1 * x - turn) + 0.6 * np.sin(3.3 * wave - 1.7 * x + 2 * turn)
    shift += 0.5 * np.sin(3.7 * x - 5.1 * wave + turn)
    unit = min(canvas.width, canvas.height) / 720
    source = np.clip(row - 1 - depth * 1.05 + shift * ((1.5 + 9 * near) * unit), 0, row - 2)
    above = source.astype(np.int32)
    part = source - above
    flat = (above * width + np.arange(width, dtype=np.int32)).astype(np.intp)
    shade = dark * (1 - 0.35 * near) * (1 + 0.06 * shift)
    for plane in light:
        whole = plane.reshape(-1)
        upper, lower = np.take(whole, flat, mode="clip"), np.take(whole, flat + width, mode="clip")
        plane[row:] = (upper + (lower - upper) * part) * shade
