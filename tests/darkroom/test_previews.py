"""Preview loops and storyboards, at any length over one frame."""

import itertools
import re
from pathlib import Path

import av
import numpy as np
import pytest
import pyvips

from darkroom import reel
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.media import Variant

pytestmark = pytest.mark.asyncio(loop_scope="module")


CUE = re.compile(
    r"(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})\nstoryboard#xywh=(\d+),(\d+),(\d+),(\d+)\n"
)


def cues(path: Path) -> list[tuple[float, float, tuple[int, ...]]]:
    """Start and end in seconds, and the tile, of every cue."""
    text = path.read_text()
    assert text.startswith("WEBVTT\n\n")
    found = [[int(part) for part in match.groups()] for match in CUE.finditer(text)]
    assert len(found) == text.count("-->")
    return [
        (n[0] * 3600 + n[1] * 60 + n[2] + n[3] / 1000, n[4] * 3600 + n[5] * 60 + n[6] + n[7] / 1000, tuple(n[8:]))
        for n in found
    ]


@pytest.mark.parametrize(
    ("frames", "rate", "size"),
    [
        (2, 24, (64, 36)),
        (12, 24, (64, 36)),
        (48, 24, (640, 360)),
        (240, 24, (64, 36)),
        (3, 1, (64, 36)),
        (30, 60, (98, 54)),
    ],
)
async def test_previews_at_every_length(
    darkroom: JailedDarkroom, tmp_path: Path, frames: int, rate: int, size: tuple[int, int]
) -> None:
    seconds = frames / rate
    path = reel.film(tmp_path / "a.mp4", frames=frames, rate=rate, size=size, sound=True)
    made = await darkroom.previews(path, tmp_path, reel.LIMITS)
    assert set(made) == {Variant.PREVIEW, Variant.STORYBOARD, Variant.STORYBOARD_VTT}

    loop = await darkroom.inspect(made[Variant.PREVIEW].path, reel.LIMITS)
    assert (loop.mime_type, loop.codec, loop.has_audio) == ("video/mp4", "h264", False)
    assert (loop.width, loop.height) == (made[Variant.PREVIEW].width, made[Variant.PREVIEW].height)
    assert loop.width <= 480
    assert loop.duration_s is not None
    assert loop.frames is not None
    assert 2 <= loop.frames <= 72
    assert loop.duration_s == pytest.approx(min(3.0, seconds), abs=0.11)

    sheet = pyvips.Image.new_from_file(str(made[Variant.STORYBOARD].path))
    assert (sheet.width, sheet.height) == (made[Variant.STORYBOARD].width, made[Variant.STORYBOARD].height)
    parts = cues(made[Variant.STORYBOARD_VTT].path)
    assert len(parts) == min(25, frames)
    assert parts[0][0] == 0
    assert seconds <= parts[-1][1] <= seconds + 0.001
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    assert all(start < end for start, end, _ in parts)
    assert len({tile for _, _, tile in parts}) == len(parts)
    assert all(x + w <= sheet.width and y + h <= sheet.height and w <= 160 for _, _, (x, y, w, h) in parts)


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("a.mkv", "libx264"), ("a.mov", "libx264")])
async def test_previews_of_every_container(darkroom: JailedDarkroom, tmp_path: Path, name: str, codec: str) -> None:
    made = await darkroom.previews(reel.film(tmp_path / name, codec=codec), tmp_path, reel.LIMITS)
    assert len(made) == 3


async def test_a_picture_and_a_single_frame_have_no_previews(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    for path in (reel.still(tmp_path / "a.png"), reel.film(tmp_path / "a.mp4", frames=1)):
        work = tmp_path / path.suffix[1:]
        work.mkdir()
        assert await darkroom.previews(path, work, reel.LIMITS) == {}
        assert list(work.iterdir()) == []


async def test_the_loop_can_be_played_from_its_first_bytes(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    made = await darkroom.previews(reel.film(tmp_path / "a.mp4", frames=240), tmp_path, reel.LIMITS)
    data = made[Variant.PREVIEW].path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(made[Variant.PREVIEW].path)) as loop:
        assert loop.streams.video[0].codec_context.pix_fmt == "yuv420p"


async def test_tiles_show_the_film_in_its_order(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    shots = [np.full((36, 64, 3), i * 5, np.uint8) for i in range(50)]
    made = await darkroom.previews(reel.film(tmp_path / "a.mp4", pictures=shots), tmp_path, reel.LIMITS)
    sheet = pyvips.Image.new_from_file(str(made[Variant.STORYBOARD].path)).numpy()
    parts = cues(made[Variant.STORYBOARD_VTT].path)
    for start, end, (x, y, w, h) in parts:
        shown = shots[int((start + end) / 2 * 24)].mean()
        assert sheet[y : y + h, x : x + w].mean() == pytest.approx(shown, abs=8)


async def test_a_tall_film_that_lies_on_its_side_has_upright_previews(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.film(tmp_path / "a.mp4", rotation=90)
    made = await darkroom.previews(path, tmp_path, reel.LIMITS)
    assert (made[Variant.PREVIEW].width, made[Variant.PREVIEW].height) == (36, 64)
    x, y, w, h = cues(made[Variant.STORYBOARD_VTT].path)[-1][2]
    assert (x, y, w, h) == (3 * 36, 4 * 64, 36, 64)


async def test_an_uneven_rate_has_previews(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.film(tmp_path / "a.mp4", frames=5, pts=[0, 1, 2, 12, 100], options={"bf": "0"})
    made = await darkroom.previews(path, tmp_path, reel.LIMITS)
    assert len(cues(made[Variant.STORYBOARD_VTT].path)) == 5
