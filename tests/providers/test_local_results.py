"""What the local provider makes: real files of the right kind, the same ones for the same words."""

import io
import itertools
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest
import pyvips
from av.video.reformatter import Colorspace
from tests.cast import ids
from tests.providers.conftest import content, finished, made, order

from mutoscope.providers.local import LocalProvider
from mutoscope.providers.local.plan import MOTIONS
from mutoscope.providers.port import Order, SourceFile

MADE_BY = b"Made by Mutoscope's local procedure; not an AI model"


def again(wish: Order, **changes: Any) -> Order:
    return msgspec.structs.replace(wish, reference=ids.new("gen"), **changes)


def assert_is_a_film(data: bytes, width: int, height: int, frames: int) -> None:
    with av.open(io.BytesIO(data), format="mp4") as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height, stream.average_rate) == (width, height, 24)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == Colorspace.ITU709
        assert sum(1 for _ in film.decode(video=0)) == stream.frames == frames
        assert film.metadata["comment"].encode() == MADE_BY
    assert 0 < data.find(b"moov") < data.find(b"mdat")


async def test_a_still_is_a_png_of_the_size_that_says_it_is_no_ai_model(provider: LocalProvider, tmp_path: Path):
    accepted = await provider.submit(order(tmp_path, "still", parameters={"size": "120x90"}))
    done = await finished(provider, accepted.job)
    assert [output.media_type for output in done.outputs] == ["image/png"]
    data = await content(provider, done)
    image: Any = pyvips.Image.new_from_buffer(data, "")
    assert data.startswith(b"\x89PNG")
    assert (image.width, image.height, image.bands) == (120, 90, 3)
    assert image.deviate() > 1, "it shows something"
    assert MADE_BY in data
    assert b"digitalsourcetype/algorithmicMedia" in data


async def test_four_stills_are_four_different_pictures(provider: LocalProvider, tmp_path: Path):
    accepted = await provider.submit(order(tmp_path, "still", results=4))
    done = await finished(provider, accepted.job)
    assert len({await content(provider, done, place) for place in range(4)}) == 4


async def test_a_dream_is_a_film_that_can_start_to_play_before_it_is_loaded(provider: LocalProvider, tmp_path: Path):
    data = await made(provider, order(tmp_path, "dream", parameters={"size": "64x96"}))
    assert_is_a_film(data, 64, 96, 24)


async def test_a_drift_is_a_film_of_the_picture(provider: LocalProvider, tmp_path: Path, picture: SourceFile):
    data = await made(provider, order(tmp_path, "drift", picture, parameters={"duration_s": 2}))
    assert_is_a_film(data, 96, 64, 48)
    with av.open(io.BytesIO(data), format="mp4") as film:
        pixels = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    assert abs(pixels[0] - pixels[-1]).mean() > 1, "the camera moved"
    assert max(abs(a - b).mean() for a, b in itertools.pairwise(pixels)) < 12, "without a jump"


@pytest.mark.parametrize("motion", MOTIONS)
async def test_no_camera_move_shows_what_is_outside_the_picture(provider: LocalProvider, tmp_path: Path, motion: str):
    white: Any = pyvips.Image.black(90, 200, bands=3).invert().copy(interpretation="srgb")
    path = tmp_path / "white"
    path.write_bytes(white.pngsave_buffer())
    source = SourceFile(path=path, mime_type="image/png", width=90, height=200)
    data = await made(provider, order(tmp_path, "drift", source, parameters={"motion": motion, "motion_strength": 100}))
    with av.open(io.BytesIO(data), format="mp4") as film:
        darkest = min(int(frame.to_ndarray(format="rgb24").min()) for frame in film.decode(video=0))
    assert darkest > 245


@pytest.mark.parametrize("upstream", ["still", "dream"])
async def test_the_same_words_and_seed_give_the_same_bytes_and_another_seed_others(
    provider: LocalProvider, tmp_path: Path, upstream: str
):
    wish = order(tmp_path, upstream)
    first = await made(provider, wish)
    assert await made(provider, again(wish)) == first
    assert await made(provider, again(wish, seed=8)) != first


async def test_the_same_picture_and_move_give_the_same_bytes(
    provider: LocalProvider, tmp_path: Path, picture: SourceFile
):
    wish = order(tmp_path, "drift", picture)
    assert await made(provider, wish) == await made(provider, again(wish))
