"""What moves under the pointer, in the jail: a muted loop, a storyboard and the text that maps times to its tiles."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from math import ceil
from typing import IO, Any

import av
import numpy as np
import pyvips
from av.video.frame import VideoFrame

from mutoscope.darkroom import film, still
from mutoscope.darkroom.port import MediaLimits, Unreadable
from mutoscope.darkroom.sniff import BROKEN, Shape
from mutoscope.darkroom.wire import Made
from mutoscope.domain.media import Variant

LOOP_S = 3.0
LOOP_PX = 480
LOOP_FPS = (5, 24)
LONG_S = 6.0
"""From here on the loop is three pieces from along the film instead of its beginning."""
_PIECES_AT = (0.1, 0.45, 0.8)
TILE_PX = 160
ACROSS = 5
_EPSILON_S = 1e-6
TILES = 25
ENCODER = {"preset": "veryfast", "crf": "27", "x264-params": "mbtree=0"}
"""With macroblock trees x264 gives several results for small frames under load, even on one thread."""
MOOV_BYTES = 8 * 1024
"""Room kept at the front for the index, so that playing starts at once; 72 frames need about 2 KB."""

Wanted = tuple[float, int, int]
"""A time in seconds, who wants the frame that shows then (0 the loop, 1 the storyboard), and its place there."""


def make(descriptor: int, shape: Shape, limits: MediaLimits, outputs: Mapping[Variant, int]) -> tuple[Made, ...]:
    """Write loop, storyboard and WebVTT; nothing for a film of one frame. Raises Unreadable."""
    with film.opened(descriptor, shape, limits) as opened:
        if opened.span.packets < 2:
            return ()
        return _make(opened, outputs)


def _make(opened: film.Film, outputs: Mapping[Variant, int]) -> tuple[Made, ...]:
    frames = opened.frames()
    first = next(frames, None)
    if first is None:
        raise Unreadable(BROKEN)
    size = film.shown_size(opened.stream, first[1])
    board = Storyboard(size, opened.span)
    with open(outputs[Variant.PREVIEW], "wb", closefd=False) as file:
        loop = Loop(file, size, opened.span)
        for frame, who, place in shown(chain([first], frames), sorted([*loop.wanted, *board.wanted])):
            if who == 0:
                loop.add(frame, place)
            else:
                board.add(frame, place)
        loop.close()
    still.write(outputs[Variant.STORYBOARD], board.encoded())
    still.write(outputs[Variant.STORYBOARD_VTT], board.text().encode())
    return (
        Made(variant=Variant.PREVIEW, mime_type="video/mp4", width=loop.width, height=loop.height),
        Made(
            variant=Variant.STORYBOARD, mime_type="image/webp", width=board.sheet.shape[1], height=board.sheet.shape[0]
        ),
        Made(variant=Variant.STORYBOARD_VTT, mime_type="text/vtt"),
    )


def shown(frames: Iterable[tuple[float, VideoFrame]], wanted: list[Wanted]) -> Iterator[tuple[VideoFrame, int, int]]:
    """For each wanted time, in order, the frame that is on the screen then."""
    current: VideoFrame | None = None
    left = iter(wanted)
    want = next(left, None)
    for time_s, frame in frames:
        while want and current and want[0] < time_s - _EPSILON_S:
            yield current, want[1], want[2]
            want = next(left, None)
        current = frame
    while want and current:
        yield current, want[1], want[2]
        want = next(left, None)


class Loop:
    """A muted H.264 film of at most LOOP_S seconds."""

    def __init__(self, file: IO[bytes], size: tuple[int, int], span: film.Span) -> None:
        scale = min(1.0, LOOP_PX / size[0], LOOP_PX * still.TALLEST / size[1])
        self.width, self.height = (max(2, round(side * scale) // 2 * 2) for side in size)
        rate = min(LOOP_FPS[1], max(LOOP_FPS[0], round(span.packets / span.duration_s)))
        self.wanted: list[Wanted] = [(t, 0, i) for i, t in enumerate(_loop_times(span.duration_s, rate))]
        options = {"moov_size": str(MOOV_BYTES), "fflags": "+bitexact"}
        self._container = av.open(file, "w", format="mp4", options=options)
        self._stream = self._container.add_stream("libx264", rate, ENCODER)
        self._stream.width, self._stream.height, self._stream.pix_fmt = self.width, self.height, "yuv420p"
        # x264 repeats byte for byte only at a fixed number of threads.
        self._stream.thread_count = 1
        self._base = Fraction(1, rate)

    def add(self, frame: VideoFrame, place: int) -> None:
        """The next frame."""
        new = VideoFrame.from_ndarray(film.picture(frame, self.width, self.height), "rgb24")
        new.pts, new.time_base = place, self._base
        self._container.mux(self._stream.encode(new))

    def close(self) -> None:
        """Write what is left, and the index."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def _loop_times(duration_s: float, rate: int) -> list[float]:
    """The times to show: from the beginning of a short film, three pieces of a long one."""
    if duration_s < LONG_S:
        return [i / rate for i in range(max(2, round(min(LOOP_S, duration_s) * rate)))]
    each = int(LOOP_S * rate) // len(_PIECES_AT)
    return [duration_s * at + i / rate for at in _PIECES_AT for i in range(each)]


class Storyboard:
    """A sheet of small frames, evenly spaced, and the WebVTT that maps the whole film to them."""

    def __init__(self, size: tuple[int, int], span: film.Span) -> None:
        self._duration_s = span.duration_s
        self._count = max(1, min(TILES, span.packets, int(span.duration_s * 1000)))
        across = min(TILE_PX, size[0])
        self._tile = (across, max(1, min(round(size[1] * across / size[0]), TILE_PX * still.TALLEST)))
        across, down = min(ACROSS, self._count), -(-self._count // ACROSS)
        self.sheet: film.Pixels = np.zeros((down * self._tile[1], across * self._tile[0], 3), np.uint8)
        self.wanted: list[Wanted] = [((i + 0.5) * self._duration_s / self._count, 1, i) for i in range(self._count)]

    def _corner(self, place: int) -> tuple[int, int]:
        return place % ACROSS * self._tile[0], place // ACROSS * self._tile[1]

    def add(self, frame: VideoFrame, place: int) -> None:
        """Put a frame where it belongs."""
        (x, y), (width, height) = self._corner(place), self._tile
        self.sheet[y : y + height, x : x + width] = film.picture(frame, width, height)

    def encoded(self) -> bytes:
        """The sheet as WebP."""
        image: Any = pyvips.Image.new_from_array(self.sheet, interpretation="srgb")
        return still.encoded(image, as_jpeg=False)

    def text(self) -> str:
        """The WebVTT; its cues meet each other and cover the film from 0 to its end."""
        edges = [_stamp(self._duration_s * i / self._count) for i in range(self._count + 1)]
        cues = (
            f"{edges[i]} --> {edges[i + 1]}\nstoryboard#xywh={x},{y},{self._tile[0]},{self._tile[1]}\n"
            for i, (x, y) in enumerate(map(self._corner, range(self._count)))
        )
        return "\n".join(["WEBVTT\n", *cues])


def _stamp(seconds: float) -> str:
    """hh:mm:ss.ttt, rounded up, so that the last cue reaches the end."""
    whole, ms = divmod(ceil(round(seconds * 1000, 3)), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{ms:03}"
