"""The picture as plain pixels, for those who draw on it outside the jail."""

import os
from pathlib import Path

import numpy as np
import pytest
import pyvips

from darkroom import reel
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Unreadable

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


def plain_pixels(path: Path) -> np.ndarray:
    """What the file holds behind its header."""
    header, _, data = path.read_bytes().partition(b"\n")
    magic, width, height, most = header.split()
    assert (magic, most) == (b"P6", b"255")
    return np.frombuffer(data, np.uint8).reshape(int(height), int(width), 3)


@IN_ONE_LOOP
async def test_plain_pixels_are_those_of_the_picture(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    source = reel.still(tmp_path / "a.png", (60, 40))
    await darkroom.plain(source, tmp_path / "a.ppm", 100, reel.LIMITS)
    original = pyvips.Image.new_from_file(str(source)).numpy()
    assert np.array_equal(plain_pixels(tmp_path / "a.ppm"), original[:, :, :3])


@IN_ONE_LOOP
async def test_a_large_picture_is_made_to_fit(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    await darkroom.plain(reel.still(tmp_path / "a.jpg", (600, 900)), tmp_path / "a.ppm", 300, reel.LIMITS)
    assert plain_pixels(tmp_path / "a.ppm").shape == (300, 200, 3)


@IN_ONE_LOOP
async def test_what_is_no_picture_leaves_no_file(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    for bad in (tmp_path / "bad.png", reel.film(tmp_path / "film.mp4")):
        with pytest.raises(Unreadable):
            await darkroom.plain(bad, tmp_path / "a.ppm", 300, reel.LIMITS)
    assert sorted(os.listdir(tmp_path)) == ["bad.png", "film.mp4"]
