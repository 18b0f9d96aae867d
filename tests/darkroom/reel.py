"""Small films and pictures, made for a test and honest about what is in them."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyvips

from mutoscope.darkroom.port import MediaLimits

LIMITS = MediaLimits(size_bytes=64 << 20, pixels=4_000_000, duration_s=60.0)


def pixels(width: int, height: int, step: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture with detail in it that changes with every step: a gradient under a moving red bar."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    sheet = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y + 7 * step) % 256], axis=2)
    sheet[:, step * 3 % width : step * 3 % width + max(1, width // 8)] = (255, 0, 0)
    return sheet.astype(np.uint8)


_pixels = pixels

QUICK = {
    "libx264": {"preset": "veryfast", "threads": "1"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12"},
}
"""The encoders' quickest ways: the tests are about reading."""


def film(
    path: Path,
    *,
    frames: int = 24,
    rate: int = 24,
    size: tuple[int, int] = (64, 36),
    codec: str = "libx264",
    rotation: int = 0,
    sound: bool = False,
    pts: Sequence[int] | None = None,
    pictures: Iterable[np.ndarray[Any, np.dtype[np.uint8]]] | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
) -> Path:
    """Write a film; its container follows the name. ``pts`` in frames, for uneven rates."""
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate, QUICK.get(codec, {}) | (options or {}))
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        audio = out.add_stream("aac", 48000) if sound else None
        shots = pictures if pictures is not None else (pixels(*size, i) for i in range(frames))
        for i, shot in enumerate(shots):
            frame = av.VideoFrame.from_ndarray(shot, "rgb24")
            frame.pts, frame.time_base = (pts[i] if pts else i), Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio is not None:
            _silence(out, audio, frames / rate)
    return path


def _silence(out: Any, audio: Any, seconds: float) -> None:
    for i in range(max(1, int(seconds * 48000) // 1024)):
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, i * 1024, Fraction(1, 48000)
        out.mux(audio.encode(frame))
    out.mux(audio.encode(None))


def still(
    path: Path,
    size: tuple[int, int] = (64, 36),
    *,
    orientation: int = 1,
    pixels: np.ndarray[Any, Any] | None = None,
    **options: Any,
) -> Path:
    """Write a picture; its format follows the name."""
    image = pyvips.Image.new_from_array(_pixels(*size) if pixels is None else pixels)
    colour = image.copy(interpretation="srgb") if image.bands > 2 else image
    image = colour.copy()
    if orientation != 1:
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.write_to_file(str(path), **options)
    return path


def animation(path: Path, sheet: np.ndarray[Any, np.dtype[np.uint8]], page_height: int) -> Path:
    """Write frames that lie under each other as an animated GIF or WebP."""
    image = pyvips.Image.new_from_array(sheet).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "page-height", page_height)
    image.write_to_file(str(path))
    return path


def sound_alone(path: Path) -> Path:
    """Half a second of silence."""
    with av.open(str(path), "w") as out:
        _silence(out, out.add_stream("aac", 48000), 0.5)
    return path


def still_png(width: int, height: int) -> bytes:
    """A black, grey PNG, packed as tightly as it goes and whole, made row by row."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    return _chunked(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), rows)


def _chunked(header: bytes, rows: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def repeating_gif(frames: int, width: int, height: int) -> bytes:
    """An animation whose every frame draws one pixel: 20 bytes each."""
    colours = b"\x00\x00\x00\xff\xff\xff"
    whole = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    frame = b"\x21\xf9\x04\x04\x01\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + colours + whole + frame * (frames - 1) + b"\x3b"
    )


def repeating_webp(frames: int, side: int) -> bytes:
    """A lossless animation that shows one black square again and again."""
    one: bytes = pyvips.Image.black(side, side, bands=3).copy(interpretation="srgb").webpsave_buffer(lossless=True)
    square = one[one.index(b"VP8L") :]
    square = square[: 8 + int.from_bytes(square[4:8], "little") + square[4] % 2]
    edge = struct.pack("<I", side - 1)[:3]
    frame = bytes(6) + edge + edge + struct.pack("<I", 100)[:3] + b"\x00" + square
    chunks = _riff(b"VP8X", b"\x02\0\0\0" + edge + edge) + _riff(b"ANIM", bytes(6)) + _riff(b"ANMF", frame) * frames
    return _riff(b"RIFF", b"WEBP" + chunks)


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that declares a size and brings no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def pointing_elsewhere(film: Path, path: Path) -> Path:
    """A film without samples whose index says that they are in another file, by an alias as old QuickTime wrote it."""
    data = film.read_bytes()
    name = film.name.encode()
    name += b"\0" * (len(name) % 2)
    where = str(film).replace("/", ":").encode()
    where += b"\0" * (len(where) % 2)
    alias = bytes(10) + bytes(28) + bytes(12) + bytes([len(film.name)]) + name.ljust(63, b"\0") + bytes(16)
    alias += struct.pack(">hh", 1, 1) + bytes(16) + struct.pack(">HH", 2, len(where)) + where
    alias += struct.pack(">HH", 0xFFFF, 0)
    new = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    at = data.index(b"url ") - 4
    grown = bytearray(data[:at] + new + data[at + 12 :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = grown.index(box) - 4
        size = int.from_bytes(grown[start : start + 4], "big") + len(new) - 12
        grown[start : start + 4] = size.to_bytes(4, "big")
    path.write_bytes(grown)
    return path


def padded(film: Path, path: Path, size_bytes: int) -> Path:
    """The same film with a hole of that many bytes at its end, in a box that players skip; it takes no disk."""
    with path.open("wb") as out:
        out.write(film.read_bytes() + struct.pack(">I4sQ", 1, b"free", size_bytes))
        out.truncate(out.tell() - 16 + size_bytes)
    return path


def mean_colour(data: np.ndarray[Any, Any]) -> tuple[float, ...]:
    """The average of each channel."""
    return tuple(float(value) for value in data.reshape(-1, data.shape[-1]).mean(axis=0))
