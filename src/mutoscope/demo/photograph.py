"""The demo's photograph, which no camera took: a still life of brass on a table, rendered here by a path tracer.

`python -m mutoscope.demo.photograph TARGET` makes it again, and its XMP says what it is. Lengths are centimetres, light is
linear RGB, vectors lie along the first axis of an array (3, n), and the scene is in `still_life`. The seed is fixed.
"""

import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from mutoscope.demo.still_life import (
    Floats,
    Vectors,
    dot,
    nearest,
    room,
    surface,
    unit,
    vector,
    window_light,
    window_point,
)
from mutoscope.domain.media import PROCEDURAL_SOURCE_TYPE

WIDTH, HEIGHT, SAMPLES, SEED = 1280, 853, 64, 1894
EYE, TARGET, SHARP_AT = (2.2, 7.9, 33.0), (0.6, 2.0, 0.0), (-0.6, 1.5, 2.0)
VIEW, LENS, EXPOSURE = 0.182, 0.5, 1.75
"""Half the picture's height at distance 1, the radius of the lens, and what the light is multiplied with."""
BOUNCES, BRIGHTEST, STRIP = 7, (14.0, 14.0, 1.6), 40
"""Light found after more turns than two is cut off at the last brightness: rare bright paths are specks, not light."""
ALIKE = 0.11
"""How far the shown colours of neighbours may be apart and still be smoothed together."""
_STEPS = vector([0.8566749, 0.7338919, 0.6287067, 0.5385973])
"""Roberts's R4 sequence: even steps through lens and window (https://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences/)."""
XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    f' Iptc4xmpExt:DigitalSourceType="{PROCEDURAL_SOURCE_TYPE}"><dc:description><rdf:Alt><rdf:li xml:lang="x-default">'
    "Rendered by Mutoscope's own path tracer, not taken with a camera.</rdf:li></rdf:Alt></dc:description>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)


def render(width: int, height: int, samples: int) -> Floats:
    """The light that falls on the film, (height, width, 3), from so many paths for each pixel."""
    rng = np.random.default_rng(SEED)
    film = np.zeros((height, width, 3), np.float32)
    for top in range(0, height, STRIP):
        rows, columns = np.mgrid[top : min(height, top + STRIP), :width].reshape(2, -1).astype(np.float32)
        offset = rng.random((4, rows.size), np.float32)
        light = np.zeros((3, rows.size), np.float32)
        for sample in range(samples):
            lot = (offset + sample * _STEPS[:, None]) % 1
            shift = rng.normal(0, 0.42, (2, rows.size)).astype(np.float32)
            x, y = (columns + shift[0] + 0.5 - width / 2), (height / 2 - rows - 0.5 + shift[1])
            origin, way = _through_lens(x * (2 * VIEW / height), y * (2 * VIEW / height), lot[:2])
            light += radiance(origin, way, lot[2:], rng)
        film[top : top + STRIP] = (light / samples).T.reshape(-1, width, 3)
    return film


def _through_lens(x: Floats, y: Floats, lot: Floats) -> tuple[Vectors, Vectors]:
    """Rays from points of the lens to where the pixels lie in the plane that is sharp."""
    eye = vector(EYE)
    ahead = vector(TARGET) - eye
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0, 1, 0)).astype(np.float32)
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead).astype(np.float32)
    radius, angle = LENS * np.sqrt(lot[0]), 2 * np.pi * lot[1]
    on_lens = np.outer(right, radius * np.cos(angle)) + np.outer(up, radius * np.sin(angle))
    distance = np.dot(vector(SHARP_AT) - eye, ahead)
    aim = (ahead[:, None] + np.outer(right, x) + np.outer(up, y)) * distance
    return (eye[:, None] + on_lens).astype(np.float32), unit(aim - on_lens)


def radiance(origin: Vectors, way: Vectors, lot: Floats, rng: np.random.Generator) -> Vectors:
    """What comes back along each ray; `lot` picks the point of the window at its first matte surface."""
    light = np.zeros_like(way)
    weight = np.ones_like(way)
    ray, sharp = np.arange(way.shape[1]), np.ones(way.shape[1], np.bool_)
    for bounce in range(BOUNCES):
        distance, which = nearest(origin, way)
        out = np.isinf(distance)
        beyond = weight[:, out] * room(origin[:, out], way[:, out], sharp[out])
        light[:, ray[out]] += np.minimum(beyond, BRIGHTEST[min(bounce, 2)])
        ray, weight, which, way = ray[~out], weight[:, ~out], which[~out], way[:, ~out]
        if not ray.size:
            break
        point = origin[:, ~out] + way * distance[~out]
        normal, colour, rough, kind = surface(point, which)
        way, share, matte = scatter(way, normal, colour, rough, kind, rng)
        picks = lot[:, ray] if bounce == 0 else rng.random((2, ray.size), np.float32)
        light[:, ray[matte]] += (weight * share)[:, matte] * _by_window(
            point[:, matte], normal[:, matte], picks[:, matte]
        )
        weight, sharp = weight * share, ~matte
        away = np.where(dot(way, normal) > 0, np.float32(2e-3), np.float32(-2e-3))
        origin = point + normal * away
    return light


def _by_window(point: Vectors, normal: Vectors, lot: Floats) -> Vectors:
    """The window's light on a matte surface, from one point of it, unless something stands between."""
    goal = window_point(lot)
    toward = goal - point
    distance = np.sqrt(dot(toward, toward))
    toward /= distance
    cosine = np.maximum(dot(toward, normal), 0)
    start = point + normal * np.float32(2e-3)
    seen = nearest(start, toward)[0] > distance
    return window_light(goal) * (seen * cosine * -toward[0] / (np.pi * distance**2) * np.float32(1))


def scatter(
    way: Vectors, normal: Vectors, colour: Vectors, rough: Floats, kind: NDArray[np.int8], rng: np.random.Generator
) -> tuple[Vectors, Vectors, Any]:
    """Where each path goes on, what share of its light does, and whether it left a matte surface."""
    metal, glass = kind == 1, kind == 2
    chance, other = rng.random((2, rough.size), np.float32)
    noise = rng.standard_normal((3, rough.size), np.float32)
    inside = dot(way, normal) > 0
    facing = np.where(inside, -normal, normal)
    mirror = unit(facing + noise * rough**2)
    mirror = np.where(dot(way, mirror) < 0, mirror, facing)
    cosine = np.clip(-dot(way, mirror), 0, 1)
    reflected = way + 2 * cosine * mirror
    reflected = np.where(dot(reflected, facing) > 0, reflected, way - 2 * dot(way, facing) * facing)
    ratio = np.where(inside, np.float32(1.5), np.float32(1 / 1.5))
    square = 1 - ratio**2 * (1 - cosine**2)
    bent = unit(ratio * way + (ratio * cosine - np.sqrt(np.maximum(square, 0))) * mirror)
    schlick = 0.04 + 0.96 * (1 - np.where(inside, np.sqrt(np.maximum(square, 0)), cosine)) ** 5
    schlick = np.where(square < 0, np.float32(1), schlick)
    odds = np.where(glass, schlick, np.where(metal, np.float32(1), 0.2 + 0.6 * schlick))
    shines = chance < odds
    matte = ~shines & ~glass
    share = np.where(shines, schlick / odds, (1 - schlick) / np.maximum(1 - odds, 1e-3) * np.where(glass, 1, colour))
    share = np.where(metal, colour + (1 - colour) * (1 - cosine) ** 5, np.where(glass, np.float32(1), share))
    height = 2 * other - 1
    turn, flat = 2 * np.pi * rng.random(rough.size, np.float32), np.sqrt(1 - height**2)
    spread = unit(normal * 1.0005 + np.stack([flat * np.cos(turn), flat * np.sin(turn), height]))
    return np.where(matte, spread, np.where(shines, reflected, bent)), share.astype(np.float32), matte


def develop(film: Floats) -> Any:
    """As a picture: no lone specks, a glow round what is bright, dark corners, a filmic curve (Narkowicz's fit of ACES), grain."""
    height, width, _ = film.shape
    image = cast(Any, pyvips.Image.new_from_array(film))
    calm = image.rank(3, 3, 7) * 1.1 + 0.01
    image = (image < calm).ifthenelse(image, calm) * EXPOSURE
    image = image * 0.94 + image.gaussblur(width / 90) * 0.06
    light: Floats = np.asarray(image.numpy(), np.float32)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = light * (1 - 0.2 * (rows**2 * 0.6 + columns**2))[:, :, None]
    toned = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0, 1)
    grain = np.random.default_rng(SEED).normal(0, 0.008, (height, width, 1))
    shown = _smooth(toned ** (1 / 2.2)) + grain * np.sqrt(toned.mean(axis=2, keepdims=True))
    return pyvips.Image.new_from_array((np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8), interpretation="srgb")


def _smooth(shown: Floats) -> Floats:
    """Without the noise of few paths: the mean of the neighbours that differ little (Tomasi and Manduchi's bilateral filter)."""
    total, weights = shown.copy(), np.ones_like(shown[:, :, :1])
    for down, right in np.ndindex(5, 5):
        other = np.roll(shown, (down - 2, right - 2), (0, 1))
        apart = ((other - shown) ** 2).sum(axis=2, keepdims=True)
        weight = np.exp(-apart / (2 * ALIKE**2) - ((down - 2) ** 2 + (right - 2) ** 2) / 4)
        total, weights = total + other * weight, weights + weight
    return total / weights


def write(target: Path, image: Any) -> None:
    """As a JPEG whose only metadata is that it was rendered. Raises pyvips.Error."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", XMP.encode())
    image.jpegsave(str(target), Q=82, optimize_coding=True, interlace=True, keep="xmp")


if __name__ == "__main__":
    write(Path(sys.argv[1]), develop(render(WIDTH, HEIGHT, SAMPLES)))
