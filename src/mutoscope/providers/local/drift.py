"""Drift: a camera that moves over a picture, slowly in and slowly out."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyvips

from mutoscope.providers.local.art.pixels import Frame
from mutoscope.providers.local.plan import Motion, Plan

_HEADER = re.compile(rb"P6 ([1-9]\d{0,3}) ([1-9]\d{0,3}) 255\n")


class CannotRead(Exception):
    """The source picture is gone: ``str(e)`` says so, in a sentence for the person."""


class View:
    """What the camera sees: ``zoom`` 1 or more, the middle from -1 to 1 of the room there is, ``turn`` in degrees."""

    def __init__(self, zoom: float, across: float = 0.0, down: float = 0.0, turn: float = 0.0) -> None:
        self.zoom, self.across, self.down, self.turn = zoom, across, down, turn


def _orbit(t: float, s: float) -> View:
    round_ = 2 * np.pi * t
    return View(
        1.06 + 0.16 * s,
        float(np.sin(round_)) * 0.8,
        float(1 - np.cos(round_)) * 0.35 - 0.35,
        2.2 * s * float(np.sin(round_)),
    )


MOVES: dict[Motion, Callable[[float, float], View]] = {
    "push-in": lambda t, s: View((1 + 0.6 * s) ** t),
    "pull-out": lambda t, s: View((1 + 0.6 * s) ** (1 - t)),
    "pan-left": lambda t, s: View(1.04 + 0.4 * s, 0.9 - 1.8 * t),
    "pan-right": lambda t, s: View(1.04 + 0.4 * s, 1.8 * t - 0.9),
    "tilt-up": lambda t, s: View(1.04 + 0.4 * s, 0, 0.9 - 1.8 * t),
    "tilt-down": lambda t, s: View(1.04 + 0.4 * s, 0, 1.8 * t - 0.9),
    "orbit": _orbit,
}


def drift(plan: Plan, source: Path) -> Iterator[Frame]:
    """The frames of the move. Raises CannotRead."""
    move, most = MOVES[plan.motion], 0.0
    for step in range(33):
        most = max(most, move(step / 32, plan.strength).zoom)
    picture = _open(source, plan, most)
    for number in range(plan.frames_each):
        t = number / max(plan.frames_each - 1, 1)
        # An orbit comes round by itself; the others begin and end at rest.
        yield _look(picture, plan, move(t if plan.motion == "orbit" else _eased(t), plan.strength))


def _eased(t: float) -> float:
    """Slow at both ends: a quarter of it a straight line, the rest an S of fifth degree."""
    return 0.25 * t + 0.75 * t * t * t * (t * (t * 6 - 15) + 10)


def _open(source: Path, plan: Plan, zoom: float) -> Any:
    """The picture cut to the film's shape, in memory; between the widest and the closest view in fineness.

    Finer, it would shimmer in the wide view, which is sampled without a filter; coarser, the closest would be soft.
    """
    wide, high = (round(side * zoom**0.6) for side in (plan.width, plan.height))
    pixels = _plain(source)
    image = cast(Any, pyvips.Image.new_from_array(pixels, interpretation="srgb"))
    return image.thumbnail_image(wide, height=high, crop="centre", size="both").copy_memory()


def _plain(source: Path) -> Frame:
    """The pixels of a PPM as the jail writes it. No library guesses here at what a file may be."""
    with source.open("rb") as file:
        header = _HEADER.fullmatch(file.readline(32))
        if header is None:
            raise CannotRead("The source picture cannot be read. Choose another one.")
        width, height = int(header[1]), int(header[2])
        pixels = np.fromfile(file, np.uint8)
    if pixels.size != width * height * 3:
        raise CannotRead("The source picture cannot be read. Choose another one.")
    return pixels.reshape(height, width, 3)


def _look(picture: Any, plan: Plan, view: View) -> Frame:
    """One frame: an affine map from the picture to the film, sampled between the pixels."""
    fit = max(plan.width / picture.width, plan.height / picture.height)
    scale = fit * view.zoom
    turn = np.deg2rad(view.turn)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    # How far the middle of the view may go, in pixels of the picture, without showing what is outside.
    reach_x = abs(np.cos(turn)) * plan.width + abs(np.sin(turn)) * plan.height
    reach_y = abs(np.cos(turn)) * plan.height + abs(np.sin(turn)) * plan.width
    room_x = max(picture.width - reach_x / scale, 0) / 2
    room_y = max(picture.height - reach_y / scale, 0) / 2
    x = picture.width / 2 + view.across * room_x
    y = picture.height / 2 + view.down * room_y
    seen = picture.affine(
        (a, -b, b, a),
        interpolate=pyvips.Interpolate.new("bicubic"),
        idx=-x, idy=-y, odx=plan.width / 2, ody=plan.height / 2,
        oarea=(0, 0, plan.width, plan.height),
        extend="copy",
    )  # fmt: skip
    return seen.numpy()
