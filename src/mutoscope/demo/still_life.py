"""The things on the demo's table, the room round them, and what a ray meets there."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Vectors = Floats
"""One vector per column: (3, n)."""
Triple = tuple[float, float, float]
FAR = np.float32(np.inf)
TABLE_BACK = -21.0
PANE_X, PANE_LOW, PANE_HIGH, PANE_NEAR, PANE_WIDE = -26.0, 3.0, 27.0, -9.0, 26.0
LAMPS: tuple[tuple[Triple, float, Triple], ...] = (
    ((-0.235, -0.035, -1.0), 0.012, (2.0, 0.95, 0.3)),
    ((-0.150, -0.070, -1.0), 0.009, (1.3, 0.5, 0.13)),
    ((0.140, -0.030, -1.0), 0.012, (1.9, 1.0, 0.38)),
    ((0.205, -0.068, -1.0), 0.009, (1.2, 0.42, 0.1)),
    ((0.045, -0.062, -1.0), 0.007, (0.75, 0.4, 0.16)),
)
"""Direction, radius and light of lamps so far behind the table that they are only discs."""


class Finish(msgspec.Struct, frozen=True):
    """How a surface looks: its colour, its roughness from 0 to 1, and 0 for matte, 1 for metal, 2 for glass."""

    colour: Triple
    rough: float
    kind: int


class Thing(msgspec.Struct, frozen=True):
    """A ball, or with a thickness a coin whose faces look along the axis."""

    at: Triple
    radius: float
    finish: Finish
    thick: float = 0.0
    axis: Triple = (0.0, 1.0, 0.0)


BRASS = Finish((0.90, 0.70, 0.34), 0.16, 1)
WORN = Finish((0.86, 0.62, 0.28), 0.36, 1)
COPPER = Finish((0.88, 0.50, 0.34), 0.34, 1)
NICKEL = Finish((0.72, 0.67, 0.58), 0.32, 1)
GLASS = Finish((1.0, 1.0, 1.0), 0.0, 2)
TEAL = Finish((0.02, 0.15, 0.16), 0.08, 0)


def _stack(x: float, z: float, coins: int, radius: float, seed: int) -> tuple[Thing, ...]:
    dice, thick = np.random.default_rng(seed), 0.34
    places = [
        (x + float(dice.normal(0, 0.07)), thick * (i + 0.5), z + float(dice.normal(0, 0.07))) for i in range(coins)
    ]
    finishes = (WORN, COPPER, WORN, NICKEL, WORN)
    return tuple(Thing(place, radius, finishes[i % 5], thick) for i, place in enumerate(places))


def _leaning(x: float, z: float, ball: float, turn: float) -> Thing:
    """A coin whose upper edge rests on the ball that stands at x, z."""
    radius, thick, tilt = 1.5, 0.32, 0.35
    up, back = np.cos(tilt), np.sin(tilt)
    high = radius * up + thick / 2 * back
    top = high + radius * up - thick / 2 * back - ball
    off = radius * back + thick / 2 * up + np.sqrt(ball**2 - top**2)
    at = (float(x + off * np.sin(turn)), float(high), float(z + off * np.cos(turn)))
    return Thing(at, radius, WORN, thick, (float(up * np.sin(turn)), float(back), float(up * np.cos(turn))))


GROUPS: tuple[tuple[Triple, float, tuple[Thing, ...]], ...] = (
    ((-1.6, 2.7, -1.2), 2.71, (Thing((-1.6, 2.7, -1.2), 2.7, BRASS),)),
    ((-0.8, 1.5, 2.1), 1.7, (_leaning(-1.6, -1.2, 2.7, 0.22),)),
    ((3.7, 1.85, 0.6), 1.86, (Thing((3.7, 1.85, 0.6), 1.85, GLASS),)),
    ((-5.9, 1.6, -4.2), 1.61, (Thing((-5.9, 1.6, -4.2), 1.6, TEAL),)),
    ((7.3, 1.4, -4.6), 2.4, _stack(7.3, -4.6, 8, 1.5, 3)),
    ((2.6, 0.9, -6.2), 2.1, _stack(2.6, -6.2, 5, 1.5, 4)),
    ((1.5, 0.7, 3.9), 0.81, (Thing((1.7, 0.8, 3.7), 0.8, BRASS),)),
    ((-5.0, 0.5, 2.6), 1.0, (Thing((-5.0, 0.6, 2.6), 0.6, BRASS),)),
    ((-3.6, 0.3, 5.2), 1.7, (Thing((-3.6, 0.16, 5.2), 1.4, COPPER, 0.32),)),
    ((4.9, 0.4, 4.6), 2.4, (Thing((4.5, 0.16, 4.4), 1.5, NICKEL, 0.32), Thing((6.6, 0.16, 3.0), 1.3, WORN, 0.32))),
)
THINGS = tuple(thing for _, _, things in GROUPS for thing in things)
_LATTICE = np.random.default_rng(7).random((256, 256), np.float32)


def vector(numbers: Sequence[Any]) -> Floats:
    """As an array of this module's precision."""
    return np.array(numbers, np.float32)


def dot(a: Vectors, b: Vectors) -> Floats:
    """Products, column by column."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vectors) -> Vectors:
    """Each column at length 1."""
    return (a / np.sqrt(np.maximum(dot(a, a), 1e-20))).astype(np.float32)


def nearest(origin: Vectors, way: Vectors) -> tuple[Floats, NDArray[np.int16]]:
    """How far each ray goes, and to which of THINGS; -1 is the table, and nothing is infinitely far."""
    down = np.minimum(way[1], -1e-6)
    distance = np.where(way[1] < 0, -origin[1] / down, FAR)
    distance = np.where(origin[2] + distance.clip(0, 1e4) * way[2] > TABLE_BACK, distance, FAR)
    which = np.full(distance.shape, -1, np.int16)
    number = 0
    for at, radius, things in GROUPS:
        to = vector(at)[:, None] - origin
        along = dot(to, way)
        near = np.flatnonzero((dot(to, to) - along**2 < radius**2 * 1.01) & (along > -radius))
        for thing in things:
            if near.size:
                found = _reach(thing, origin[:, near], way[:, near])
                closer = found < distance[near]
                distance[near[closer]], which[near[closer]] = found[closer], number
            number += 1
    return distance, which


def _reach(thing: Thing, origin: Vectors, way: Vectors) -> Floats:
    to = origin - vector(thing.at)[:, None]
    if not thing.thick:
        middle = -dot(to, way)
        miss = to + middle * way
        square = thing.radius**2 - dot(miss, miss)
        half = np.sqrt(np.maximum(square, 0))
        found = np.where(middle - half > 1e-3, middle - half, middle + half)
        return np.where((square > 0) & (found > 1e-3), found, FAR)
    axis = vector(thing.axis)[:, None]
    rise, high = dot(axis, way), dot(axis, to)
    rise = np.where(np.abs(rise) < 1e-6, np.float32(1e-6), rise)
    across, off = way - axis * rise, to - axis * high
    a, b, c = np.maximum(dot(across, across), 1e-9), dot(across, off), dot(off, off) - thing.radius**2
    half = np.sqrt(np.maximum(b * b - a * c, 0))
    caps = ((-thing.thick / 2 - high) / rise, (thing.thick / 2 - high) / rise)
    enter = np.maximum((-b - half) / a, np.minimum(*caps))
    leave = np.minimum((-b + half) / a, np.maximum(*caps))
    return np.where((b * b > a * c) & (enter < leave) & (enter > 1e-3), enter, FAR)


def surface(point: Vectors, which: NDArray[np.int16]) -> tuple[Vectors, Vectors, Floats, NDArray[np.int8]]:
    """Normal, colour, roughness and kind where the rays arrived."""
    normal, colour = np.zeros_like(point), np.zeros_like(point)
    rough, kind = np.zeros(which.shape, np.float32), np.zeros(which.shape, np.int8)
    wood = np.flatnonzero(which == -1)
    normal[:, wood], colour[:, wood], rough[wood] = _wood(point[0, wood], point[2, wood])
    for number in np.unique(which[which >= 0]):
        thing, here = THINGS[number], np.flatnonzero(which == number)
        to = (point[:, here] - vector(thing.at)[:, None]) / thing.radius
        normal[:, here] = _coin(thing, to) if thing.thick else unit(to)
        wear = noise(to[0] * 3 + to[2] * 2, to[1] * 3 - to[2]) if thing.finish.kind == 1 else np.float32(0.5)
        colour[:, here] = vector(thing.finish.colour)[:, None] * (0.86 + 0.28 * wear).clip(0, 1.1)
        rough[here], kind[here] = thing.finish.rough * (0.7 + 0.6 * wear), thing.finish.kind
    return normal, colour.clip(0, 0.97), rough, kind


def _coin(thing: Thing, to: Vectors) -> Vectors:
    """The normals of a coin: a milled edge, and faces with a rim and the leaves of a picture drum in relief."""
    axis = vector(thing.axis)
    east = np.cross(axis, (0.31, 0.2, 0.93)).astype(np.float32)
    east /= np.linalg.norm(east)
    north = np.cross(axis, east).astype(np.float32)
    x, y, high = east @ to, north @ to, axis @ to
    slope_x, slope_y = ((_relief(x + e, y + f) - _relief(x - e, y - f)) * 6 for e, f in ((0.008, 0), (0, 0.008)))
    face = np.outer(axis, np.sign(high)) - np.outer(east, slope_x) - np.outer(north, slope_y)
    mill = 0.28 * np.sin(np.arctan2(y, x) * 84)
    bevel = 0.9 * np.sign(high) * (np.abs(high) * thing.radius > thing.thick * 0.4)
    edge = np.outer(east, x - mill * y) + np.outer(north, y + mill * x) + np.outer(axis, bevel)
    return unit(np.where(np.abs(high) * thing.radius > thing.thick / 2 - 1e-3, face, edge))


def _relief(x: Floats, y: Floats) -> Floats:
    r = np.hypot(x, y)
    leaves = _step(np.sin(np.arctan2(y, x) * 18 + r * 5), -0.3, 0.3) * _step(r, 0.36, 0.4) * _step(-r, -0.72, -0.68)
    return _step(r, 0.84, 0.89) + 0.7 * leaves + 0.8 * _step(-r, -0.26, -0.21) + 0.06 * noise(x * 9, y * 9)


def _wood(x: Floats, z: Floats) -> tuple[Vectors, Vectors, Floats]:
    """Waxed planks of dark walnut that run away from the eye, a little turned."""
    across, along = x * 0.93 + z * 0.37, z * 0.93 - x * 0.37
    plank = np.floor(across / 5.2)
    seam = np.abs(across / 5.2 - plank - 0.5)
    along = along + plank * 37.3
    warp = noise(across * 0.5, along * 0.06) * 5 + noise(across * 1.7, along * 0.2)
    ring = 0.5 + 0.5 * np.sin(warp * 7 + across * 1.3)
    fibre = noise(across * 14, along * 0.7) * 0.6 + noise(across * 34, along * 1.9) * 0.4
    tone = (0.5 * ring + 0.6 * fibre) * (0.75 + 0.5 * _LATTICE[plank.astype(np.int64) % 256, 9])
    dark, light = vector([[0.05], [0.023], [0.011]]), vector([[0.34], [0.165], [0.075]])
    gap = _step(seam, 0.488, 0.496)
    tilt = 0.5 * gap * np.sign(across / 5.2 - plank - 0.5) + 0.05 * (fibre - 0.5)
    normal = unit(np.stack([tilt * 0.93, np.ones_like(tilt), tilt * 0.37]))
    return normal, (dark + (light - dark) * tone) * (1 - 0.85 * gap), 0.22 + 0.3 * fibre * (0.6 + 0.4 * ring)


def noise(x: Floats, y: Floats) -> Floats:
    """Smooth noise from 0 to 1, with a feature size of 1."""
    left, low = np.floor(x), np.floor(y)
    u, v = x - left, y - low
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    i, j = left.astype(np.int64) & 255, low.astype(np.int64) & 255
    k, m = (i + 1) & 255, (j + 1) & 255
    under = _LATTICE[i, j] * (1 - u) + _LATTICE[k, j] * u
    return under * (1 - v) + (_LATTICE[i, m] * (1 - u) + _LATTICE[k, m] * u) * v


def _step(x: Floats, low: float, high: float) -> Floats:
    part = ((x - low) / (high - low)).clip(0, 1)
    return part * part * (3 - 2 * part)


def room(origin: Vectors, way: Vectors, sharp: NDArray[np.bool_]) -> Vectors:
    """The light of what lies beyond the table; window and lamps only for rays that came `sharp` from lens or mirror."""
    glow = np.maximum(way[0] * 0.76 + way[1] * 0.38 + way[2] * 0.53, 0) ** 5
    wall = 0.5 + 0.45 * np.clip(-way[0] * 3 + way[1] * 2, -1, 1)
    light = np.outer(vector([0.62, 0.33, 0.13]), glow) + np.outer(vector([0.052, 0.043, 0.036]), wall)
    for toward, size, shine in LAMPS:
        lamp = unit(vector(toward)[:, None])
        light += np.outer(vector(shine), (way.T @ lamp[:, 0] > np.cos(size)) & sharp)
    distance = (PANE_X - origin[0]) / np.minimum(way[0], -1e-6)
    goal = origin + way * distance
    return np.where((way[0] < 0) & sharp & (np.abs(goal[1]) < 1e3), light + _pane(goal), light).astype(np.float32)


def window_point(lot: Floats) -> Vectors:
    """Points of the window for pairs of numbers from 0 to 1."""
    x = np.full_like(lot[0], PANE_X)
    return np.stack([x, PANE_LOW + lot[0] * (PANE_HIGH - PANE_LOW), PANE_NEAR + lot[1] * PANE_WIDE])


def window_light(goal: Vectors) -> Vectors:
    """The light of the window there, times its area."""
    return _pane(goal) * np.float32((PANE_HIGH - PANE_LOW) * PANE_WIDE)


def _pane(goal: Vectors) -> Vectors:
    """Sky over a darker street, behind six panes; nothing outside of the frame."""
    high, side = (goal[1] - PANE_LOW) / (PANE_HIGH - PANE_LOW), (goal[2] - PANE_NEAR) / PANE_WIDE
    inside = (high > 0) & (high < 1) & (side > 0) & (side < 1)
    bars = (np.abs(high * 3 % 1 - 0.5) < 0.45) & (np.abs(side * 2 % 1 - 0.5) < 0.46)
    sky = 0.35 + 0.65 * _step(high, 0.12, 0.6)
    return np.outer(vector([4.6, 5.0, 5.6]), inside * bars * sky).astype(np.float32)
