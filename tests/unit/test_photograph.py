"""The picture that the demo makes a film of, and the script that made it."""

from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyvips

from mutoscope.demo import photograph
from mutoscope.domain.media import PROCEDURAL_SOURCE_TYPE

PICTURE = files("mutoscope.demo") / "photograph.jpg"
LARGEST_BYTES = 150 * 1024


def test_the_demo_has_a_photograph_that_decodes_and_is_small() -> None:
    data = PICTURE.read_bytes()
    image = cast(Any, pyvips.Image.new_from_buffer(data, "", fail_on="warning"))
    assert (image.width, image.height, image.bands) == (photograph.WIDTH, photograph.HEIGHT, 3)
    assert image.deviate() > 20
    assert len(data) <= LARGEST_BYTES


def test_the_photograph_says_that_no_camera_took_it() -> None:
    image = cast(Any, pyvips.Image.new_from_buffer(PICTURE.read_bytes(), ""))
    words = bytes(image.get("xmp-data")).decode()
    assert PROCEDURAL_SOURCE_TYPE in words
    assert "not taken with a camera" in words
    assert not [field for field in image.get_fields() if field.startswith(("exif", "icc", "iptc"))]


def test_rendering_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    for target in (first, second):
        film = photograph.render(48, 32, 3)
        assert np.isfinite(film).all()
        photograph.write(target, photograph.develop(film))
    assert first.read_bytes() == second.read_bytes()
    image = cast(Any, pyvips.Image.new_from_file(str(first)))
    assert (image.width, image.height) == (48, 32)
    assert image.deviate() > 20
