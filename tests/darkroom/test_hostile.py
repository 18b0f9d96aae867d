"""Files made to do harm: each is refused with a sentence, and nothing but the file itself is ever read."""

import io
import itertools
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest

from darkroom import reel
from mutoscope.darkroom import film, sniff, still
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import SIDE_PX, MediaLimits, Unreadable

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile {secret}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    "<Representation><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "ffmetadata": ";FFMETADATA1\ntitle={secret}\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{secret}"/><script>alert(1)</script></svg>',
    "html": "<!doctype html><script>alert(1)</script>",
    "pdf": "%PDF-1.7\n1 0 obj<<>>endobj\n",
    "postscript": "%!PS-Adobe-3.0\n({secret}) run\n",
    "imagemagick": "push graphic-context\nimage over 0,0 0,0 '{secret}'\npop graphic-context\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@IN_ONE_LOOP
async def test_text_that_names_other_files_is_refused(
    darkroom: JailedDarkroom, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = reel.film(tmp_path / "secret.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    for name, named in itertools.product(("b.mp4", "b.png", "b-%d.jpg"), (secret.name, str(secret))):
        path = tmp_path / name
        path.write_text(PLAYLISTS[kind].format(secret=named))
        with pytest.raises(Unreadable, match="Taken are JPEG, PNG"):
            await darkroom.inspect(path, reel.LIMITS)
        with pytest.raises(Unreadable):
            await darkroom.previews(path, tmp_path, reel.LIMITS)


@pytest.mark.parametrize("shape", [sniff.Shape.ISO_MEDIA, sniff.Shape.MATROSKA])
def test_the_forced_demuxer_alone_stops_a_playlist(
    tmp_path: Path, shape: sniff.Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    reel.film(tmp_path / "secret.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    playlist = tmp_path / "b.mp4"
    playlist.write_text(PLAYLISTS["ffconcat"].format(secret="secret.mp4"))
    with av.open(str(playlist)) as taken_in:
        assert len(list(taken_in.decode(video=0))) == 2, "without our care this attack works"
    with open(playlist, "rb") as file, pytest.raises(Unreadable):
        film.survey(file.fileno(), shape, reel.LIMITS)


def test_a_film_whose_samples_lie_in_another_file_reads_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reel.film(tmp_path / "secret.mp4", frames=3)
    pointing = reel.pointing_elsewhere(tmp_path / "secret.mp4", tmp_path / "b.mov")
    monkeypatch.chdir(tmp_path)
    with av.open("b.mov", options={"enable_drefs": "1", "use_absolute_path": "1"}) as taken_in:
        assert len(list(taken_in.decode(video=0))) == 3, "the reference is real"
    with open(pointing, "rb") as file, pytest.raises(Unreadable):
        film.survey(file.fileno(), sniff.Shape.ISO_MEDIA, reel.LIMITS)


def zipped(_: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.png", b"\x89PNG")
    return held.getvalue()


def jpeg_of(width: int, height: int, **options: Any) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        data = bytearray(reel.still(folder / "x.jpg", **options).read_bytes())
        at = data.index(b"\xff\xc2" if options.get("interlace") else b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
        return bytes(data)

    return make


def gif_of(width: int, height: int) -> Callable[[Path], bytes]:
    return lambda _: b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00;"


def film_without_index(folder: Path) -> bytes:
    data = reel.film(folder / "x.mp4").read_bytes()
    return data[: data.index(b"moov") - 4]


def film_of_nothing(_: Path) -> bytes:
    return struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + struct.pack(">I4s", 8, b"moov")


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda _: b"",
    "one byte": lambda _: b"\x89",
    "zeros": lambda _: bytes(4096),
    "zip": zipped,
    "png of 100,000 x 100,000": lambda _: reel.png_header(100_000, 100_000),
    "png without pixels": lambda _: reel.png_header(10, 10),
    "jpeg of 65,000 x 65,000": jpeg_of(65_000, 65_000),
    "progressive jpeg of 65,000 x 65,000": jpeg_of(65_000, 65_000, interlace=True),
    "gif of 65,000 x 65,000": gif_of(65_000, 65_000),
    "gif without frames": gif_of(10, 10),
    "riff that is a sound": lambda _: b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "jpeg magic alone": lambda _: b"\xff\xd8\xff\xe0",
    "matroska magic alone": lambda _: b"\x1aE\xdf\xa3",
    "matroska magic and noise": lambda _: b"\x1aE\xdf\xa3" + random.Random(1).randbytes(5000),
    "film without its index": film_without_index,
    "film of nothing": film_of_nothing,
    "heic": lambda _: struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1"),
    "avif of nothing": lambda _: struct.pack(">I4s4sI4s", 20, b"ftyp", b"avif", 0, b"mif1"),
}


@pytest.mark.parametrize("name", HOSTILE)
@IN_ONE_LOOP
async def test_a_hostile_file_is_refused_with_a_sentence(darkroom: JailedDarkroom, tmp_path: Path, name: str) -> None:
    path = tmp_path / "upload.png"
    path.write_bytes(HOSTILE[name](tmp_path))
    with pytest.raises(Unreadable, match=r"^[A-Z].+\.$") as refused:
        await darkroom.inspect(path, reel.LIMITS)
    assert "/" not in str(refused.value)
    with pytest.raises(Unreadable):
        await darkroom.develop(path, tmp_path, reel.LIMITS)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


SHAPES = ["a.jpg", "p.jpg", "a.png", "a.webp", "a.gif", "a.avif", "a.mp4", "a.mov", "a.mkv", "a.webm", "front.mp4"]


def whole(folder: Path, name: str) -> Path:
    path = folder / name
    if name == "p.jpg":
        return reel.still(path, interlace=True)
    if path.suffix in (".mp4", ".mov", ".mkv", ".webm"):
        front = {"movflags": "faststart"} if name.startswith("front") else {}
        return reel.film(path, codec="libvpx" if path.suffix == ".webm" else "libx264", container=front)
    return reel.still(path)


@pytest.mark.parametrize("name", SHAPES)
@IN_ONE_LOOP
async def test_a_file_cut_off_at_any_tenth_is_refused(darkroom: JailedDarkroom, tmp_path: Path, name: str) -> None:
    data = whole(tmp_path, name).read_bytes()
    cut = tmp_path / f"cut{Path(name).suffix}"
    for tenth in range(10):
        cut.write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(Unreadable):
            await darkroom.inspect(cut, reel.LIMITS)
        with pytest.raises(Unreadable):
            await darkroom.develop(cut, tmp_path, reel.LIMITS)
    cut.write_bytes(data)
    assert (await darkroom.inspect(cut, reel.LIMITS)).width == 64


@pytest.mark.parametrize("name", SHAPES)
@IN_ONE_LOOP
async def test_bytes_changed_at_random_never_break_the_darkroom(
    darkroom: JailedDarkroom, tmp_path: Path, name: str, rng: random.Random
) -> None:
    data = whole(tmp_path, name).read_bytes()
    path = tmp_path / "changed"
    for _ in range(8):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 3, 30))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        for task in (darkroom.inspect(path, reel.LIMITS), darkroom.previews(path, tmp_path, reel.LIMITS)):
            try:
                await task
            except Unreadable:
                continue


@IN_ONE_LOOP
async def test_limits_are_kept_before_anything_is_decoded(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    picture = reel.still(tmp_path / "a.png", (100, 100))
    shot = reel.film(tmp_path / "a.mp4", frames=48)
    with pytest.raises(Unreadable, match="megapixels"):
        await darkroom.inspect(picture, msgspec.structs.replace(reel.LIMITS, pixels=9_999))
    with pytest.raises(Unreadable, match="megapixels"):
        await darkroom.inspect(shot, msgspec.structs.replace(reel.LIMITS, pixels=64 * 36 - 1))
    with pytest.raises(Unreadable, match="s long"):
        await darkroom.inspect(shot, msgspec.structs.replace(reel.LIMITS, duration_s=1.9))
    with pytest.raises(Unreadable, match="bytes"):
        await darkroom.inspect(shot, msgspec.structs.replace(reel.LIMITS, size_bytes=shot.stat().st_size - 1))
    exact = MediaLimits(size_bytes=shot.stat().st_size, pixels=64 * 36, duration_s=2.0)
    assert (await darkroom.inspect(shot, exact)).frames == 48


@pytest.mark.parametrize(("width", "height"), [(1, SIDE_PX + 1), (SIDE_PX + 1, 1), (1, 3_900_000)])
@IN_ONE_LOOP
async def test_a_picture_with_a_side_that_is_too_long_is_refused(
    darkroom: JailedDarkroom, tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "thin.png"
    path.write_bytes(reel.still_png(width, height))
    for task in (
        darkroom.inspect(path, reel.LIMITS),
        darkroom.develop(path, tmp_path, reel.LIMITS),
        darkroom.plain(path, tmp_path / "a.ppm", 100, reel.LIMITS),
    ):
        with pytest.raises(Unreadable, match="at most 16,384 pixels on each side"):
            await task


@IN_ONE_LOOP
async def test_a_picture_as_long_as_a_side_may_be_is_taken(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = tmp_path / "thin.png"
    path.write_bytes(reel.still_png(2, SIDE_PX))
    assert (await darkroom.inspect(path, reel.LIMITS)).height == SIDE_PX


@IN_ONE_LOOP
async def test_a_film_with_a_side_that_is_too_long_is_refused(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.film(tmp_path / "wide.mkv", frames=1, size=(SIDE_PX + 16, 16), codec="libvpx-vp9")
    with pytest.raises(Unreadable, match="at most 16,384 pixels on each side"):
        await darkroom.inspect(path, reel.LIMITS)


ANIMATIONS: dict[str, Callable[[], bytes]] = {
    "gif of large frames": lambda: reel.repeating_gif(20, 1000, 1000),
    "webp of large frames": lambda: reel.repeating_webp(20, 1000),
    "gif of very many frames": lambda: reel.repeating_gif(still.FRAMES + 1, 8, 8),
    "webp of very many frames": lambda: reel.repeating_webp(still.FRAMES + 1, 8),
}


@pytest.mark.parametrize("name", ANIMATIONS)
@IN_ONE_LOOP
async def test_an_animation_that_is_cheap_to_send_and_slow_to_decode_is_refused(
    darkroom: JailedDarkroom, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(ANIMATIONS[name]())
    for task in (darkroom.inspect(path, reel.LIMITS), darkroom.develop(path, tmp_path, reel.LIMITS)):
        with pytest.raises(Unreadable, match="The animation has"):
            await task


@pytest.mark.parametrize("data", [reel.repeating_gif(16, 1000, 1000), reel.repeating_webp(100, 200)])
@IN_ONE_LOOP
async def test_an_animation_within_its_limits_is_taken(darkroom: JailedDarkroom, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    assert (await darkroom.inspect(path, reel.LIMITS)).frames in (16, 100)


@IN_ONE_LOOP
async def test_a_film_that_hides_its_length_is_measured(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    data = bytearray(reel.film(tmp_path / "a.mp4", frames=48).read_bytes())
    for name, at in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        where = data.index(name) + at
        data[where : where + 4] = struct.pack(">I", 1)
    (tmp_path / "b.mp4").write_bytes(data.replace(b"edts", b"free"))
    with pytest.raises(Unreadable, match="s long"):
        await darkroom.inspect(tmp_path / "b.mp4", msgspec.structs.replace(reel.LIMITS, duration_s=1.5))


@IN_ONE_LOOP
async def test_a_picture_with_something_behind_it_is_only_a_picture(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    path = reel.still(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + b"<script>alert(1)</script>" + zipped(tmp_path))
    developed = await darkroom.develop(path, tmp_path, reel.LIMITS)
    assert developed.facts.mime_type == "image/jpeg"
    assert not [f for f in developed.files.values() if b"script" in f.path.read_bytes()]


@IN_ONE_LOOP
async def test_a_jpeg_of_very_many_scans_is_refused(darkroom: JailedDarkroom, tmp_path: Path) -> None:
    data = reel.still(tmp_path / "a.jpg", (640, 640), interlace=True).read_bytes()
    last = data.rindex(b"\xff\xda")
    (tmp_path / "b.jpg").write_bytes(data[:last] + data[last:-2] * 5000 + b"\xff\xd9")
    with pytest.raises(Unreadable):
        await darkroom.inspect(tmp_path / "b.jpg", reel.LIMITS)
