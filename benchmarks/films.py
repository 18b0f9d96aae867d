"""Films for benchmarks: a clip as providers make them, and one of any size."""

from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

FPS, WIDTH, HEIGHT = 24, 1280, 720


def clip(path: Path, seconds: float) -> None:
    """A 720p film in which something moves, with some grain, at 4 Mbit/s."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    grain = np.random.default_rng(20261122).normal(0, 4, (HEIGHT, WIDTH))
    with av.open(str(path), "w") as container:
        stream = _stream(container, {"preset": "veryfast", "threads": "1"})
        stream.bit_rate = 4_000_000
        for n in range(round(seconds * FPS)):
            waves = 128 + 100 * np.sin((x + 6 * n) / 90) * np.cos((y - 4 * n) / 70) + np.roll(grain, 37 * n)
            pixels = np.stack([waves, np.roll(waves, 40, axis=0), 255 - waves], axis=-1).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def large(path: Path, size_bytes: int) -> None:
    """A 720p film of about that size that plays: a second of noise, hardly compressed, again and again."""
    second = path.with_suffix(".second.mp4")
    _noise(second)
    with av.open(str(second)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        length, written, count = sum(packet.duration or 0 for packet in packets), 0, 0
        while written < size_bytes:
            packet, shift = packets[count % len(packets)], count // len(packets) * length
            again = av.Packet(bytes(packet))
            again.stream, again.time_base, again.is_keyframe = stream, packet.time_base, packet.is_keyframe
            again.pts, again.dts, again.duration = (packet.pts or 0) + shift, (packet.dts or 0) + shift, packet.duration
            container.mux(again)
            written, count = written + packet.size, count + 1
    second.unlink()


def _noise(path: Path) -> None:
    dice = np.random.default_rng(20261122)
    with av.open(str(path), "w") as container:
        stream = _stream(container, {"preset": "ultrafast", "qp": "2", "g": "1", "threads": "1"})
        for _ in range(FPS):
            pixels = dice.integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="yuv420p")))
        container.mux(stream.encode(None))


def _stream(container: OutputContainer, options: dict[str, str]) -> VideoStream:
    stream = container.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    return stream
