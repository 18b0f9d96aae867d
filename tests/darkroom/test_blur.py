"""Blurred files: a few pixels are all that is left, whatever was blurred."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
import pyvips

from darkroom import reel
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Unreadable, blur_px
from mutoscope.domain.media import Variant

pytestmark = pytest.mark.asyncio(loop_scope="module")

STILLS = {Variant.BLURRED, Variant.BLURRED_SMALL}


def chequered(path: Path, width: int, height: int, square_px: int = 8, alpha: bool = False) -> Path:
    """A picture full of edges."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    field = np.where((x // square_px + y // square_px) % 2, 255, 0).astype(np.uint8)
    bands = [field, 255 - field, field, *([255 - field] if alpha else [])]
    pyvips.Image.new_from_array(np.stack(bands, axis=-1), interpretation="srgb").write_to_file(str(path))
    return path


def pixels(path: Path) -> np.ndarray:
    return pyvips.Image.new_from_file(str(path)).numpy().astype(float)


def detail(picture: np.ndarray, side_px: int) -> float:
    """The mean square of what is finer in a picture than so many pixels of its longer side can hold."""
    grey = picture[..., :3].mean(axis=-1)
    # Without a window the edges, which the transform takes for neighbours, would count as detail.
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    across, down = (np.fft.fftfreq(side) * side for side in (grey.shape[1], grey.shape[0]))
    fine = np.hypot(*np.meshgrid(across, down)) > side_px
    return float(spectrum[fine].sum() / grey.size**2)


async def test_a_higher_intensity_leaves_fewer_pixels() -> None:
    left = [blur_px(intensity) for intensity in range(101)]
    assert (left[0], left[-1]) == (40, 6)
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (640, 640), (2000, 20), (20, 2000), (5, 4), (1, 1)])
@pytest.mark.parametrize("intensity", [0, 80, 100])
async def test_pictures_of_every_shape_are_blurred_with_their_ratio(
    darkroom: JailedDarkroom, tmp_path: Path, size: tuple[int, int], intensity: int
) -> None:
    path = chequered(tmp_path / "a.png", *size)
    made = await darkroom.blur(path, tmp_path, intensity, reel.LIMITS)
    assert set(made) == STILLS
    for variant, width in ((Variant.BLURRED, 640), (Variant.BLURRED_SMALL, 320)):
        one = made[variant]
        image = pyvips.Image.new_from_file(str(one.path))
        height = max(1, min(round(size[1] * width / size[0]), 4 * width))
        assert (one.mime_type, image.width, image.height) == ("image/webp", width, height)
        assert (one.width, one.height) == (width, height)
        assert not image.hasalpha()


@pytest.mark.parametrize("intensity", [0, 20, 50, 80, 100])
async def test_no_finer_detail_is_left_than_the_few_pixels_can_hold(
    darkroom: JailedDarkroom, tmp_path: Path, intensity: int
) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    pyvips.Image.new_from_array(noise, interpretation="srgb").write_to_file(str(tmp_path / "a.png"))
    sharp = pixels(tmp_path / "a.png")
    made = await darkroom.blur(tmp_path / "a.png", tmp_path, intensity, reel.LIMITS)
    for variant in STILLS:
        blurred = pixels(made[variant].path)
        assert detail(blurred, blur_px(intensity)) < 0.002 * detail(sharp, blur_px(intensity))
        assert abs(blurred.mean() - sharp.mean()) < 3


async def test_transparency_draws_no_outline(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = chequered(tmp_path / "a.png", 640, 360, square_px=4, alpha=True)
    made = await darkroom.blur(path, tmp_path, 80, reel.LIMITS)
    blurred = pixels(made[Variant.BLURRED].path)
    assert detail(blurred, blur_px(80)) < 0.002 * detail(pixels(path), blur_px(80))


async def test_a_blurred_file_carries_nothing_of_the_original_beside_its_pixels(
    darkroom: JailedDarkroom, tmp_path: Path
) -> None:
    image = pyvips.Image.black(300, 200, bands=3).copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", "a secret of alice (secret, ASCII, 8, 8)")
    image.write_to_file(str(tmp_path / "a.jpg"))
    assert b"a secret of alice" in (tmp_path / "a.jpg").read_bytes()
    made = await darkroom.blur(tmp_path / "a.jpg", tmp_path, 80, reel.LIMITS)
    for one in made.values():
        assert b"secret" not in one.path.read_bytes()


@pytest.mark.parametrize(("frames", "size"), [(2, (64, 36)), (48, (640, 360)), (72, (98, 154))])
async def test_a_preview_is_blurred_as_a_muted_film_of_few_frames(
    darkroom: JailedDarkroom, tmp_path: Path, frames: int, size: tuple[int, int]
) -> None:
    dice = np.random.default_rng(7)
    shots = [dice.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(frames)]
    path = reel.film(tmp_path / "a.mp4", frames=frames, rate=24, size=size, sound=True, pictures=shots)
    made = await darkroom.blur(path, tmp_path, 80, reel.LIMITS)
    assert set(made) == {Variant.BLURRED_PREVIEW}
    one = made[Variant.BLURRED_PREVIEW]
    found = await darkroom.inspect(one.path, reel.LIMITS)
    assert (found.mime_type, found.codec, found.has_audio, found.width) == ("video/mp4", "h264", False, 320)
    assert (found.width, found.height) == (one.width, one.height)
    assert found.frames == max(2, round(min(3, frames / 24) * 4))
    with av.open(str(one.path)) as container:
        for frame in container.decode(video=0):
            shown = frame.to_ndarray(format="rgb24").astype(float)
            assert detail(shown, blur_px(80)) < 0.02 * detail(shots[0].astype(float), blur_px(80))


async def test_a_film_of_one_frame_has_no_preview_to_blur(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.film(tmp_path / "a.mp4", frames=1, rate=24, size=(64, 36))
    assert await darkroom.blur(path, tmp_path, 80, reel.LIMITS) == {}


async def test_what_is_no_picture_is_refused_and_leaves_nothing(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture at all")
    with pytest.raises(Unreadable):
        await darkroom.blur(tmp_path / "a.png", tmp_path, 80, reel.LIMITS)
    assert os.listdir(tmp_path) == ["a.png"]


async def test_the_same_picture_gives_the_same_bytes(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = chequered(tmp_path / "a.png", 320, 200)
    given = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = await darkroom.blur(path, tmp_path / name, 80, reel.LIMITS)
        given.append([one.path.read_bytes() for one in made.values()])
    assert given[0] == given[1]
