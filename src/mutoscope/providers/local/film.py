"""Frames to H.264 in MP4, ready to stream, the same bytes every time."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from mutoscope.providers.local.art.pixels import Frame
from mutoscope.providers.local.plan import FPS

MADE_BY = "Made by Mutoscope's local procedure; not an AI model"
CRF = "19"
THREADS = 2
"""Fixed, since x264 gives other bytes for another number of threads."""

REPEATABLE = "mbtree=0"
"""With macroblock trees x264 gave several results for small frames under load, even on one thread (seen with AVX-512)."""


def write(path: Path, frames: Iterator[Frame], width: int, height: int) -> None:
    """Encode as the frames come: no more than the encoder's look-ahead is in memory. Raises OSError."""
    # bitexact leaves out what changes between versions of the muxer; faststart puts the index before the pictures.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata["comment"] = MADE_BY
        stream = _stream(container, width, height)
        for place, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p",
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
            )
            picture.pts, picture.time_base = place, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _stream(container: OutputContainer, width: int, height: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = Fraction(1, FPS)
    context = stream.codec_context
    context.thread_count = THREADS
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.options = {"preset": "veryfast", "crf": CRF, "tune": "film", "g": str(2 * FPS), "x264-params": REPEATABLE}
    return stream
