"""What the darkroom finds out about a file."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from darkroom import reel
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import DarkroomBroken, Unreadable
from mutoscope.domain.media import Kind

pytestmark = pytest.mark.asyncio(loop_scope="module")


PICTURES = [
    ("a.jpg", "image/jpeg", "jpeg"),
    ("a.png", "image/png", "png"),
    ("a.webp", "image/webp", "webp"),
    ("a.gif", "image/gif", "gif"),
    ("a.avif", "image/avif", "av1"),
]
FILMS = [
    ("a.mp4", "libx264", "video/mp4", "h264"),
    ("a.mov", "libx264", "video/quicktime", "h264"),
    ("a.mkv", "libx264", "video/x-matroska", "h264"),
    ("a.webm", "libvpx", "video/webm", "vp8"),
    ("b.webm", "libvpx-vp9", "video/webm", "vp9"),
    ("b.mp4", "libx265", "video/mp4", "hevc"),
    ("c.webm", "libsvtav1", "video/webm", "av1"),
]


@pytest.mark.parametrize(("name", "mime_type", "codec"), PICTURES)
async def test_a_picture_is_told_by_its_bytes(
    darkroom: JailedDarkroom, tmp_path: Path, name: str, mime_type: str, codec: str
) -> None:
    path = reel.still(tmp_path / name, (67, 41)).rename(tmp_path / "named-otherwise.mp4")
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert (facts.kind, facts.mime_type, facts.codec) == (Kind.IMAGE, mime_type, codec)
    assert (facts.width, facts.height) == (67, 41)
    assert (facts.duration_s, facts.fps, facts.frames, facts.has_audio) == (None, None, None, False)
    assert facts.size_bytes == path.stat().st_size
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "codec", "mime_type", "called"), FILMS)
async def test_a_film_is_told_by_its_bytes(
    darkroom: JailedDarkroom, tmp_path: Path, name: str, codec: str, mime_type: str, called: str
) -> None:
    path = reel.film(tmp_path / name, codec=codec).rename(tmp_path / "named-otherwise.png")
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert (facts.kind, facts.mime_type, facts.codec) == (Kind.VIDEO, mime_type, called)
    assert (facts.width, facts.height, facts.frames) == (64, 36, 24)
    assert facts.duration_s == pytest.approx(1.0, abs=0.002)
    assert facts.fps == pytest.approx(24.0, abs=0.01)
    assert not facts.has_audio
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_the_size_of_a_picture_is_that_which_is_seen(
    darkroom: JailedDarkroom, tmp_path: Path, orientation: int
) -> None:
    path = reel.still(tmp_path / "a.jpg", (60, 40), orientation=orientation)
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert (facts.width, facts.height) == ((40, 60) if orientation >= 5 else (60, 40))


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
async def test_the_size_of_a_film_is_that_which_is_seen(
    darkroom: JailedDarkroom, tmp_path: Path, rotation: int
) -> None:
    path = reel.film(tmp_path / "a.mp4", frames=3, rotation=rotation)
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert (facts.width, facts.height) == ((36, 64) if rotation in (90, -90) else (64, 36))


@pytest.mark.parametrize(
    ("frames", "rate", "size"),
    [(1, 24, (64, 36)), (2, 24, (2, 2)), (12, 24, (98, 54)), (75, 30, (36, 64)), (50, 25, (640, 16))],
)
async def test_frames_and_duration_are_exact(
    darkroom: JailedDarkroom, tmp_path: Path, frames: int, rate: int, size: tuple[int, int]
) -> None:
    facts = await darkroom.inspect(reel.film(tmp_path / "a.mp4", frames=frames, rate=rate, size=size), reel.LIMITS)
    assert (facts.frames, facts.width, facts.height) == (frames, *size)
    assert facts.duration_s == pytest.approx(frames / rate, abs=1e-6)
    assert facts.fps == rate


async def test_an_odd_size_is_kept(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.film(tmp_path / "a.webm", codec="libvpx-vp9", size=(65, 37), frames=3)
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert (facts.width, facts.height) == (65, 37)


async def test_an_uneven_rate_gives_its_average(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.film(tmp_path / "a.mp4", frames=5, pts=[0, 1, 2, 12, 23], options={"bf": "0"})
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert facts.frames == 5
    assert facts.duration_s == pytest.approx(1.0, abs=0.5)
    assert facts.fps == pytest.approx(5 / (facts.duration_s or 1), abs=0.01)


async def test_sound_is_noticed(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    facts = await darkroom.inspect(reel.film(tmp_path / "a.mp4", sound=True), reel.LIMITS)
    assert facts.has_audio
    assert (facts.frames, facts.duration_s) == (24, 1.0)


async def test_sound_alone_is_no_film(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    reel.sound_alone(path)
    with pytest.raises(Unreadable, match="only sound"):
        await darkroom.inspect(path, reel.LIMITS)


async def test_the_frames_of_an_animation_are_counted(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    sheet = np.concatenate([reel.pixels(32, 20, step) for step in range(4)])
    path = reel.animation(tmp_path / "a.gif", sheet, 20)
    facts = await darkroom.inspect(path, reel.LIMITS)
    assert (facts.kind, facts.width, facts.height, facts.frames) == (Kind.IMAGE, 32, 20, 4)


async def test_a_file_that_is_not_there_is_our_failure(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    with pytest.raises(DarkroomBroken, match="cannot be read"):
        await darkroom.inspect(tmp_path / "gone.png", reel.LIMITS)


async def test_a_link_is_not_followed(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(reel.still(tmp_path / "a.png"))
    with pytest.raises(DarkroomBroken):
        await darkroom.inspect(tmp_path / "link.png", reel.LIMITS)
