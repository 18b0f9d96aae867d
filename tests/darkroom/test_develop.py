"""Posters, thumbnails and placeholders."""

import base64
import math
from pathlib import Path

import numpy as np
import pytest
import pyvips

from darkroom import reel
from mutoscope.darkroom import thumbhash
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.media import Variant

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


STILLS = {Variant.POSTER, Variant.THUMB_SMALL, Variant.THUMB_MEDIUM, Variant.THUMB_LARGE}


def seen(path: Path) -> np.ndarray:
    """The pixels of a derived file."""
    return pyvips.Image.new_from_file(str(path)).numpy()


@pytest.mark.parametrize(
    ("size", "widths"),
    [((2000, 1000), (1920, 1280, 640, 320)), ((700, 500), (700, 700, 640, 320)), ((9, 5), (9, 9, 9, 9))],
)
@IN_ONE_LOOP
async def test_thumbnails_are_never_larger_than_the_original(
    darkroom: JailedDarkroom, tmp_path: Path, size: tuple[int, int], widths: tuple[int, ...]
) -> None:
    developed = await darkroom.develop(reel.still(tmp_path / "a.png", size), tmp_path, reel.LIMITS)
    assert set(developed.files) == STILLS
    order = (Variant.POSTER, Variant.THUMB_LARGE, Variant.THUMB_MEDIUM, Variant.THUMB_SMALL)
    assert tuple(developed.files[variant].width for variant in order) == widths
    for variant, derived in developed.files.items():
        assert derived.mime_type == ("image/jpeg" if variant is Variant.POSTER else "image/webp")
        assert seen(derived.path).shape[:2] == (derived.height, derived.width)
        assert derived.width / derived.height == pytest.approx(size[0] / size[1], rel=0.15)


@IN_ONE_LOOP
async def test_a_very_tall_picture_fits_into_webp(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    developed = await darkroom.develop(reel.still(tmp_path / "a.png", (100, 16_384)), tmp_path, reel.LIMITS)
    assert developed.facts.height == 16_384
    assert max(derived.height for derived in developed.files.values()) <= 7680


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.gif", "a.mp4", "a.webm"])
@IN_ONE_LOOP
async def test_the_same_input_gives_the_same_bytes(darkroom: JailedDarkroom, tmp_path: Path, name: str) -> None:
    film = name in ("a.mp4", "a.webm")
    make = reel.film if film else reel.still
    path = make(tmp_path / name, size=(340, 200), **({"codec": "libvpx"} if name == "a.webm" else {}))
    results: list[list[object]] = []
    for run in ("one", "two"):
        work = tmp_path / run
        work.mkdir()
        developed = await darkroom.develop(path, work, reel.LIMITS)
        files = dict(developed.files) | dict(await darkroom.previews(path, work, reel.LIMITS))
        assert len(files) == (7 if film else 4)
        contents = [(variant, derived.path.read_bytes()) for variant, derived in sorted(files.items())]
        results.append([developed.placeholder, *contents])
    assert results[0] == results[1]


@IN_ONE_LOOP
async def test_a_picture_that_lies_on_its_side_is_set_upright(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    halves = np.zeros((40, 60, 3), np.uint8)
    halves[:, :30] = (255, 0, 0)
    path = reel.still(tmp_path / "a.jpg", pixels=halves, orientation=6)
    poster = (await darkroom.develop(path, tmp_path, reel.LIMITS)).files[Variant.POSTER]
    shown = seen(poster.path)
    assert shown.shape == (60, 40, 3)
    assert shown[:25, :, 0].mean() > 240
    assert shown[35:, :, 0].mean() < 15


@pytest.mark.parametrize("rotation", [90, -90, 180])
@IN_ONE_LOOP
async def test_a_film_that_lies_on_its_side_is_set_upright(
    darkroom: JailedDarkroom, tmp_path: Path, rotation: int
) -> None:
    halves = np.zeros((40, 60, 3), np.uint8)
    halves[:, :30] = (255, 0, 0)
    path = reel.film(tmp_path / "a.mp4", pictures=[halves] * 5, size=(60, 40), rotation=rotation)
    files = (await darkroom.develop(path, tmp_path, reel.LIMITS)).files
    shown = seen(files[Variant.POSTER].path)[..., 0].astype(float)
    # Degrees are counter-clockwise: the left half, which is red, goes to the bottom at 90.
    red = {90: shown[35:], -90: shown[:25], 180: shown[:, 35:]}[rotation]
    black = {90: shown[:25], -90: shown[35:], 180: shown[:, :25]}[rotation]
    assert red.mean() > 200
    assert black.mean() < 40


@IN_ONE_LOOP
async def test_colours_of_another_space_become_srgb_and_metadata_goes(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    red = pyvips.Image.new_from_array(np.full((50, 50, 3), (255, 0, 0), np.uint8)).copy(interpretation="srgb")
    wide = red.icc_transform("p3", input_profile="srgb")
    wide.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "alice")
    wide.write_to_file(str(tmp_path / "a.jpg"), Q=100)
    assert wide(25, 25)[0] < 240, "in P3 that red has a smaller number"
    developed = await darkroom.develop(tmp_path / "a.jpg", tmp_path, reel.LIMITS)
    for derived in developed.files.values():
        image = pyvips.Image.new_from_file(str(derived.path))
        assert not [field for field in image.get_fields() if "icc" in field or "exif" in field or "xmp" in field]
        assert image(25, 25)[0] > 248
        assert b"alice" not in derived.path.read_bytes()


@IN_ONE_LOOP
async def test_what_is_transparent_stays_so(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    clear = np.zeros((30, 40, 4), np.uint8)
    clear[:, :20] = (0, 255, 0, 255)
    developed = await darkroom.develop(reel.still(tmp_path / "a.png", pixels=clear), tmp_path, reel.LIMITS)
    for derived in developed.files.values():
        assert derived.mime_type == "image/webp"
        assert seen(derived.path)[15, 35, 3] == 0
    colour, width, height = decoded(base64.b64decode(developed.placeholder))
    assert colour[3] == pytest.approx(0.5, abs=0.05)
    assert width > height


@IN_ONE_LOOP
async def test_grey_and_deep_pictures_are_taken(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    for name, dtype, value in (("grey.png", np.uint8, 128), ("deep.png", np.uint16, 128 * 257)):
        path = reel.still(tmp_path / name, pixels=np.full((20, 30, 1), value, dtype))
        poster = (await darkroom.develop(path, tmp_path, reel.LIMITS)).files[Variant.POSTER]
        assert seen(poster.path).shape == (20, 30, 3)
        assert reel.mean_colour(seen(poster.path)) == pytest.approx((128, 128, 128), abs=2)


@IN_ONE_LOOP
async def test_the_poster_of_a_film_that_fades_in_is_not_black(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    dark, bright = np.zeros((36, 64, 3), np.uint8), reel.pixels(64, 36)
    shots = [dark] * 6 + [bright] * 30 + [dark] * 12
    path = reel.film(tmp_path / "a.mp4", pictures=shots)
    poster = (await darkroom.develop(path, tmp_path, reel.LIMITS)).files[Variant.POSTER]
    assert seen(poster.path).std() > 30


@pytest.mark.parametrize("size", [(64, 36), (1280, 720)])
@IN_ONE_LOOP
async def test_the_colours_of_a_film_come_through(
    darkroom: JailedDarkroom, tmp_path: Path, size: tuple[int, int]
) -> None:
    colour = (200, 60, 40)
    shots = [np.full((size[1], size[0], 3), colour, np.uint8)] * 2
    path = reel.film(tmp_path / "a.mp4", pictures=shots, size=size)
    poster = (await darkroom.develop(path, tmp_path, reel.LIMITS)).files[Variant.POSTER]
    # Above 720 lines an untold matrix is taken as BT.709, as players do; the test's encoder wrote BT.601.
    tolerance = 5 if size[1] < 720 else 25
    assert reel.mean_colour(seen(poster.path)) == pytest.approx(colour, abs=tolerance)


def decoded(code: bytes) -> tuple[tuple[float, float, float, float], int, int]:
    """Average colour and shape in a ThumbHash, as the reference's thumbHashToAverageRGBA and -ToApproximateAspectRatio."""
    head = int.from_bytes(code[:3], "little")
    light, yellow, red = (head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1
    has_alpha, landscape = head >> 23, code[4] >> 7
    blue = light - 2 / 3 * yellow
    r = (3 * light - blue + red) / 2
    short, long = code[3] & 7, 5 if has_alpha else 7
    alpha = (code[5] & 15) / 15 if has_alpha else 1.0
    return (r, r - red, blue, alpha), *((long, short) if landscape else (short, long))


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 140, 30)])
def test_a_placeholder_keeps_the_average_colour(colour: tuple[int, int, int]) -> None:
    code = thumbhash.encode(np.full((32, 32, 4), (*colour, 255), np.uint8))
    found, _, _ = decoded(code)
    assert [round(c * 255) for c in found[:3]] == pytest.approx(colour, abs=9)
    assert found[3] == 1.0


@pytest.mark.parametrize("size", [(100, 50), (50, 100), (100, 100), (100, 14), (1, 100)])
def test_a_placeholder_keeps_the_shape(size: tuple[int, int]) -> None:
    opaque = np.dstack([reel.pixels(*size), np.full((size[1], size[0]), 255, np.uint8)])
    _, width, height = decoded(thumbhash.encode(opaque))
    shown, real = width / height, size[0] / size[1]
    assert math.isclose(shown, min(max(real, 1 / 7), 7), rel_tol=0.15)


def test_a_placeholder_is_that_of_the_reference_loops() -> None:
    """The published algorithm written out pixel by pixel, which needs no array arithmetic to be right."""
    rgba = np.dstack([reel.pixels(20, 13, 3), np.full((13, 20), 255, np.uint8)])
    assert_same(thumbhash.encode(rgba), by_loops(rgba))
    rgba[:, 10:, 3] = 40
    assert_same(thumbhash.encode(rgba), by_loops(rgba))


def assert_same(ours: bytes, theirs: bytes) -> None:
    """The same head; terms at most one step apart, since a tie is decided by the last bit of a sum."""
    assert ours[:5] == theirs[:5]
    assert len(ours) == len(theirs)
    for one, other in zip(ours[5:], theirs[5:], strict=True):
        assert abs((one & 15) - (other & 15)) <= 1
        assert abs((one >> 4) - (other >> 4)) <= 1


def by_loops(rgba: np.ndarray) -> bytes:
    height, width = rgba.shape[:2]
    cells = [[float(v) / 255 for v in rgba[y, x]] for y in range(height) for x in range(width)]
    weight = sum(c[3] for c in cells)
    mean = [sum(c[i] * c[3] for c in cells) / weight for i in range(3)]
    alpha = weight < width * height
    limit = 5 if alpha else 7
    lx, ly = (max(1, math.floor(limit * s / max(width, height) + 0.5)) for s in (width, height))
    planes: list[list[float]] = [[], [], [], []]
    for cell in cells:
        r, g, b = (mean[i] * (1 - cell[3]) + cell[3] * cell[i] for i in range(3))
        for plane, value in zip(planes, ((r + g + b) / 3, (r + g) / 2 - b, r - g, cell[3]), strict=True):
            plane.append(value)

    def channel(plane: list[float], nx: int, ny: int) -> tuple[float, list[float], float]:
        dc, ac, scale = 0.0, [], 0.0
        for cy in range(ny):
            cx = 0
            while cx * ny < nx * (ny - cy):
                f = sum(
                    plane[x + y * width]
                    * math.cos(math.pi / width * cx * (x + 0.5))
                    * math.cos(math.pi / height * cy * (y + 0.5))
                    for y in range(height)
                    for x in range(width)
                ) / (width * height)
                if cx or cy:
                    ac.append(f)
                    scale = max(scale, abs(f))
                else:
                    dc = f
                cx += 1
        return dc, [0.5 + 0.5 / scale * f for f in ac] if scale else ac, scale

    def near(value: float) -> int:
        return math.floor(value + 0.5)

    channels = [channel(planes[0], max(3, lx), max(3, ly)), channel(planes[1], 3, 3), channel(planes[2], 3, 3)]
    (ldc, _, ls), (pdc, _, ps), (qdc, _, qs) = channels
    head = near(63 * ldc) | near(31.5 + 31.5 * pdc) << 6 | near(31.5 + 31.5 * qdc) << 12 | near(31 * ls) << 18
    head |= alpha << 23
    tail = (ly if width > height else lx) | near(63 * ps) << 3 | near(63 * qs) << 9 | (width > height) << 15
    out = [head & 255, head >> 8 & 255, head >> 16, tail & 255, tail >> 8]
    if alpha:
        channels.append(channel(planes[3], 5, 5))
        out.append(near(15 * channels[3][0]) | near(15 * channels[3][2]) << 4)
    start, index = len(out), 0
    for _, ac, _ in channels:
        for f in ac:
            if index % 2 == 0:
                out.append(0)
            out[start + (index >> 1)] |= near(15 * f) << ((index & 1) << 2)
            index += 1
    return bytes(out)
