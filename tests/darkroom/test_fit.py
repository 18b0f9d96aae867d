"""The picture as a provider takes it: to the pixel, upright, in sRGB, and nothing of where it was taken."""

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import pyvips

from darkroom import reel
from darkroom.test_hostile import HOSTILE
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import DarkroomBroken, Unreadable
from mutoscope.domain.source import SourceFit, SourceRule, fit

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")

WIDE = SourceFit(width=1024, height=576, crop=True, format="jpeg")
EXACT = SourceRule(sizes=("1024x576", "576x1024", "768x768", "640x64"))
GIVEN = [(64, 64), (65, 4000), (4000, 65), (1023, 577), (1025, 575), (767, 769), (1999, 1001), (1024, 576), (3000, 66)]


def as_it_is(width: int, height: int) -> SourceFit:
    return SourceFit(width=width, height=height, crop=False, format="png")


async def fitted(darkroom: JailedDarkroom, source: Path, to: SourceFit) -> Any:
    target = source.with_name(f"{source.name}.fitted")
    await darkroom.fit(source, target, to, reel.LIMITS)
    assert not [name for name in os.listdir(source.parent) if name.endswith(".part")]
    image = pyvips.Image.new_from_file(str(target))
    assert image.get("vips-loader") == f"{to.format}load"
    assert (image.width, image.height) == (to.width, to.height)
    return image


@pytest.mark.parametrize("size", GIVEN)
@pytest.mark.parametrize("rule", [EXACT, SourceRule(side_px=512, side_min_px=1, format="png")])
@IN_ONE_LOOP
async def test_a_picture_has_the_size_that_was_said_to_the_pixel(
    darkroom: JailedDarkroom, tmp_path: Path, size: tuple[int, int], rule: SourceRule
) -> None:
    assert await fitted(darkroom, reel.still(tmp_path / "a.png", size), fit(rule, *size))


@IN_ONE_LOOP
async def test_what_fits_already_is_not_changed_in_a_single_pixel(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    image = await fitted(darkroom, reel.still(tmp_path / "a.png", (96, 64)), as_it_is(96, 64))
    assert np.array_equal(image.numpy(), reel.pixels(96, 64))


@IN_ONE_LOOP
async def test_as_much_is_cut_off_on_one_side_as_on_the_other(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    sheet = np.zeros((100, 400, 3), np.uint8)
    sheet[:, :150], sheet[:, 150:250], sheet[:, 250:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = reel.still(tmp_path / "a.png", pixels=sheet)
    image = await fitted(darkroom, path, SourceFit(width=200, height=100, crop=True, format="png"))
    assert [image(x, 50) for x in (5, 45, 55, 145, 155, 195)] == [
        [255, 0, 0], [255, 0, 0], [0, 255, 0], [0, 255, 0], [0, 0, 255], [0, 0, 255],
    ]  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("crop", [True, False])
@IN_ONE_LOOP
async def test_a_picture_that_a_camera_turned_is_upright(
    darkroom: JailedDarkroom, tmp_path: Path, orientation: int, crop: bool
) -> None:
    sheet = np.zeros((80, 160, 3), np.uint8)
    sheet[:40, :80] = (255, 255, 255)
    path = reel.still(tmp_path / "a.png", pixels=sheet, orientation=orientation)
    width, height = (80, 160) if orientation >= 5 else (160, 80)
    to = SourceFit(width=width, height=height - 16 if crop else height, crop=crop, format="jpeg")
    image = await fitted(darkroom, path, to)
    corners = {"top-left": (9, 9), "top-right": (width - 9, 9), "bottom-left": (9, to.height - 9)}
    corners["bottom-right"] = (width - 9, to.height - 9)
    # EXIF 2.32, 4.6.4: where row 0 and column 0 of the file are in what is seen.
    seen = [
        "top-left",
        "top-right",
        "bottom-right",
        "bottom-left",
        "top-left",
        "top-right",
        "bottom-right",
        "bottom-left",
    ]
    bright = [name for name, (x, y) in corners.items() if image(x, y)[1] > 200]
    assert bright == [seen[orientation - 1]]


@IN_ONE_LOOP
async def test_transparency_lies_on_black_in_a_jpeg_and_stays_in_a_png(
    darkroom: JailedDarkroom, tmp_path: Path
) -> None:
    sheet = np.full((80, 80, 4), 255, np.uint8)
    sheet[:, :40, 3] = 0
    path = reel.still(tmp_path / "a.png", pixels=sheet)
    flat = await fitted(darkroom, path, SourceFit(width=80, height=80, crop=False, format="jpeg"))
    assert flat.bands == 3
    assert max(flat(10, 40)) < 8
    assert min(flat(70, 40)) > 247
    clear = await fitted(darkroom, path, as_it_is(80, 80))
    assert (clear.bands, clear(10, 40)[3], clear(70, 40)) == (4, 0, [255, 255, 255, 255])


def cmyk(path: Path) -> Path:
    ink = np.zeros((80, 80, 4), np.uint8)
    ink[:, :, 0] = 255
    pyvips.Image.new_from_array(ink).copy(interpretation="cmyk").write_to_file(str(path))
    return path


def sixteen_bits(path: Path) -> Path:
    deep = np.zeros((80, 80, 3), np.uint16)
    deep[:, :, 1:] = 40_000
    pyvips.Image.new_from_array(deep).copy(interpretation="rgb16").write_to_file(str(path))
    return path


def grey(path: Path) -> Path:
    return reel.still(path, pixels=np.full((80, 80), 128, np.uint8))


def wide_gamut(path: Path) -> Path:
    teal = np.full((80, 80, 3), (0, 150, 150), np.uint8)
    image: Any = pyvips.Image.new_from_array(teal).copy(interpretation="srgb")
    image.icc_transform("p3", input_profile="srgb").write_to_file(str(path))
    return path


COLOURS = [
    (cmyk, "a.jpg", (0, 165, 225)),
    (sixteen_bits, "a.png", (0, 156, 156)),
    (grey, "a.png", (128, 128, 128)),
    (wide_gamut, "a.png", (0, 150, 150)),
]


@pytest.mark.parametrize(("make", "name", "colour"), COLOURS)
@pytest.mark.parametrize("format", ["jpeg", "png"])
@IN_ONE_LOOP
async def test_every_kind_of_colour_becomes_three_times_eight_bits_of_srgb(
    darkroom: JailedDarkroom, tmp_path: Path, make: Any, name: str, colour: tuple[int, ...], format: Any
) -> None:
    to = SourceFit(width=96, height=64, crop=True, format=format)
    image = await fitted(darkroom, make(tmp_path / name), to)
    assert (image.interpretation, image.format, image.bands) == ("srgb", "uchar", 3)
    assert image(48, 32) == pytest.approx(colour, abs=30 if make is cmyk else 3)


SECRETS = {
    "exif-ifd3-GPSLatitude": "48/1 51/1 29/1",
    "exif-ifd0-Artist": "Alice of the test",
    "exif-ifd2-UserComment": "Alice of the test",
    "png-comment-0-Location": "Alice of the test",
    "jpeg-comment": b"Alice of the test",
    "xmp-data": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Alice of the test</x:xmpmeta>",
    "iptc-data": b"8BIM Alice of the test",
}


def telling(path: Path) -> Path:
    """A picture that says where it was taken, and by whom."""
    image: Any = pyvips.Image.new_from_file(str(reel.still(path.with_name("plain.png"), (96, 64)))).copy()
    for name, value in SECRETS.items():
        kind = pyvips.GValue.blob_type if isinstance(value, bytes) else pyvips.GValue.gstr_type
        image.set_type(kind, name, value)
    image.icc_transform("p3", input_profile="srgb").write_to_file(str(path))
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif"])
@pytest.mark.parametrize("format", ["jpeg", "png"])
@IN_ONE_LOOP
async def test_nothing_that_a_file_tells_beside_its_picture_goes_to_a_third_party(
    darkroom: JailedDarkroom, tmp_path: Path, name: str, format: Any
) -> None:
    path = telling(tmp_path / name)
    told = set(pyvips.Image.new_from_file(str(path)).get_fields())
    assert {"exif-data", "icc-profile-data"} & told, "the file is as it has to be"
    image = await fitted(darkroom, path, SourceFit(width=96, height=64, crop=False, format=format))
    spoken = ("exif", "xmp", "iptc", "icc", "comment", "orientation", "photoshop")
    assert [field for field in image.get_fields() if any(word in field for word in spoken)] == []
    assert b"Alice" not in (tmp_path / f"{name}.fitted").read_bytes()


@pytest.mark.parametrize("name", HOSTILE)
@IN_ONE_LOOP
async def test_a_hostile_file_is_refused_with_a_sentence_and_leaves_nothing(
    darkroom: JailedDarkroom, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "upload.png"
    path.write_bytes(HOSTILE[name](tmp_path))
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(Unreadable, match=r"^[A-Z].+\.$") as refused:
        await darkroom.fit(path, tmp_path / "fitted", WIDE, reel.LIMITS)
    assert "/" not in str(refused.value)
    assert sorted(os.listdir(tmp_path)) == before


@IN_ONE_LOOP
async def test_the_limits_are_those_of_every_picture(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.still(tmp_path / "a.png", (100, 100))
    for limits, why in (
        (msgspec.structs.replace(reel.LIMITS, pixels=9_999), "megapixels"),
        (msgspec.structs.replace(reel.LIMITS, size_bytes=path.stat().st_size - 1), "bytes"),
    ):
        with pytest.raises(Unreadable, match=why):
            await darkroom.fit(path, tmp_path / "fitted", WIDE, limits)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Unreadable, match=r"damaged|cut off"):
        await darkroom.fit(path, tmp_path / "fitted", WIDE, reel.LIMITS)
    with pytest.raises(Unreadable, match="a film; a picture is needed"):
        await darkroom.fit(reel.film(tmp_path / "a.mp4"), tmp_path / "fitted", WIDE, reel.LIMITS)
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "a.png"]


@IN_ONE_LOOP
async def test_a_folder_that_cannot_be_written_is_no_fault_of_the_picture(
    darkroom: JailedDarkroom, tmp_path: Path
) -> None:
    path = reel.still(tmp_path / "a.png", (100, 100))
    with pytest.raises(DarkroomBroken):
        await darkroom.fit(path, tmp_path / "not there" / "fitted", WIDE, reel.LIMITS)
    with pytest.raises(DarkroomBroken):
        await darkroom.fit(tmp_path / "gone.png", tmp_path / "fitted", WIDE, reel.LIMITS)


@IN_ONE_LOOP
async def test_the_first_picture_of_an_animation_is_taken(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    sheet = np.concatenate([np.full((80, 80, 3), value, np.uint8) for value in (200, 20, 20)])
    path = reel.animation(tmp_path / "a.gif", sheet, 80)
    image = await fitted(darkroom, path, SourceFit(width=96, height=64, crop=True, format="jpeg"))
    assert image(40, 30) == pytest.approx([200, 200, 200], abs=6)
