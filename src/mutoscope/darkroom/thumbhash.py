"""ThumbHash, the placeholder that fits in a dozen or two bytes: https://evanw.github.io/thumbhash/ (its rgbaToThumbHash)."""

import math

import numpy as np
from numpy.typing import NDArray

MAX_PX = 100
"""The longest side that the format is made for."""

_Plane = NDArray[np.float64]


def encode(rgba: NDArray[np.uint8]) -> bytes:
    """The hash of a small picture: height x width x 4, straight alpha, at most MAX_PX on a side."""
    height, width = rgba.shape[:2]
    alpha = rgba[..., 3] / 255.0
    red, green, blue = _over_average(rgba[..., :3] / 255.0, alpha)
    has_alpha = bool(alpha.min() < 1.0)
    limit = 5 if has_alpha else 7
    across, down = (max(1, _round(limit * side / max(width, height))) for side in (width, height))

    light = _channel((red + green + blue) / 3, max(3, across), max(3, down))
    yellow_blue = _channel((red + green) / 2 - blue, 3, 3)
    red_green = _channel(red - green, 3, 3)
    planes = [light, yellow_blue, red_green]
    head = _header(planes, has_alpha, width > height, down if width > height else across)
    if has_alpha:
        opacity = _channel(alpha, 5, 5)
        head += bytes([_round(15 * opacity[0]) | _round(15 * opacity[2]) << 4])
        planes.append(opacity)
    return head + _nibbles([_round(15 * value) for _, values, _ in planes for value in values])


def _header(planes: list[tuple[float, list[float], float]], has_alpha: bool, landscape: bool, shorter: int) -> bytes:
    (l_dc, _, l_scale), (p_dc, _, p_scale), (q_dc, _, q_scale) = planes
    first = _round(63 * l_dc) | _round(31.5 + 31.5 * p_dc) << 6 | _round(31.5 + 31.5 * q_dc) << 12
    first |= _round(31 * l_scale) << 18 | has_alpha << 23
    second = shorter | _round(63 * p_scale) << 3 | _round(63 * q_scale) << 9 | landscape << 15
    return first.to_bytes(3, "little") + second.to_bytes(2, "little")


def _over_average(rgb: _Plane, alpha: _Plane) -> list[_Plane]:
    """The three planes, laid over the picture's average colour where it is transparent."""
    weight = float(alpha.sum())
    average = (rgb * alpha[..., None]).sum(axis=(0, 1)) / (weight or 1.0)
    return [average[i] * (1 - alpha) + alpha * rgb[..., i] for i in range(3)]


def _channel(plane: _Plane, across: int, down: int) -> tuple[float, list[float], float]:
    """Constant term, the other terms of a triangle of cosines scaled to 0..1, and that scale."""
    height, width = plane.shape
    columns = np.cos(np.pi / width * np.outer(np.arange(across), np.arange(width) + 0.5))
    rows = np.cos(np.pi / height * np.outer(np.arange(down), np.arange(height) + 0.5))
    # What is left of a zero after rounding would otherwise decide a tie, differently on every processor.
    terms = np.round(rows @ plane @ columns.T / (width * height), 12)
    kept = [float(terms[y, x]) for y in range(down) for x in range(across) if x * down < across * (down - y)]
    scale = max((abs(term) for term in kept[1:]), default=0.0)
    return kept[0], [0.5 + 0.5 / scale * term if scale else 0.0 for term in kept[1:]], scale


def _nibbles(values: list[int]) -> bytes:
    padded = values + [0] * (len(values) % 2)
    return bytes(low | high << 4 for low, high in zip(padded[::2], padded[1::2], strict=True))


def _round(value: float) -> int:
    """As JavaScript rounds: halves go up."""
    return math.floor(value + 0.5)
