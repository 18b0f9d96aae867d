"""Films, in the jail: facts and poster in one decoding pass, preview loop and storyboard in another (PyAV)."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pyvips
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mutoscope.darkroom import still
from mutoscope.darkroom.port import MediaLimits, Unreadable
from mutoscope.darkroom.sniff import BROKEN, CUT_OFF, Shape, film_mime_type
from mutoscope.darkroom.wire import Found, Made
from mutoscope.domain.media import Kind, Variant

Pixels = NDArray[np.uint8]

DECODERS = ("h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "libdav1d", "av1", "mpeg4", "prores")
"""The video decoders that a file can reach; the sound is never decoded."""
_THREADS = 2
_UNSPECIFIED = 2
_HD_PX = 720
_CANDIDATES = 12


@dataclass(frozen=True)
class Span:
    """What the packets tell before anything is decoded: start and end in seconds, and how many there are."""

    start_s: float
    end_s: float
    packets: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Film:
    """An open film that keeps the limits."""

    container: InputContainer
    stream: VideoStream
    span: Span
    limits: MediaLimits

    def frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """Every frame in the order of showing, with its time in seconds from the first. Raises Unreadable."""
        base, last = self.stream.time_base or Fraction(1, 1000), 0.0
        try:
            for frame in self.container.decode(self.stream):
                # Sizes may change on the way; the header told only the first.
                still.check_size(frame.width, frame.height, self.limits)
                last = last if frame.pts is None else float(frame.pts * base) - self.span.start_s
                yield max(0.0, last), frame
        except (FFmpegError, EOFError) as e:
            raise refusal(e) from None


def refusal(e: BaseException) -> Unreadable:
    """What to tell of an error of FFmpeg's."""
    return Unreadable(still.TOO_MUCH_MEMORY if isinstance(e, MemoryError) else BROKEN)


@contextmanager
def opened(descriptor: int, shape: Shape, limits: MediaLimits) -> Generator[Film]:
    """Open a film whose header and packets keep the limits. Raises Unreadable before anything large is decoded."""
    with _container(descriptor, shape, limits) as container:
        span = _measure(container, _picture_stream(container, limits), limits)
    with _container(descriptor, shape, limits) as container:
        yield Film(container, _picture_stream(container, limits), span, limits)


@contextmanager
def _container(descriptor: int, shape: Shape, limits: MediaLimits) -> Generator[InputContainer]:
    """FFmpeg on an open descriptor: the demuxer is forced, no other address can be opened, few decoders are reachable."""
    options = {
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(DECODERS),
        # Decoders round sizes up to whole blocks; the exact limit is checked on the header.
        "max_pixels": str(limits.pixels * 5 // 4 + 65536),
    }
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        file.seek(0)
        try:
            container = av.open(
                file, "r", format=str(shape), options=options, metadata_errors="replace", io_open=_refuse
            )
        except (FFmpegError, EOFError) as e:
            raise refusal(e) from None
        with container:
            yield container


def _refuse(url: str, flags: int, options: Mapping[str, str]) -> Any:
    """A file has named another: FFmpeg is not given it."""
    raise PermissionError


def _picture_stream(container: InputContainer, limits: MediaLimits) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        raise Unreadable("The file holds no film, only sound or nothing at all.")
    stream = streams[0]
    context: Any = stream.codec_context
    if context is None or context.codec.name not in DECODERS:
        raise Unreadable("The film is coded in a way that is not taken here. Taken are H.264, H.265, VP8, VP9 and AV1.")
    if stream.width * stream.height == 0:
        raise Unreadable(BROKEN)
    still.check_size(stream.width, stream.height, limits)
    if container.duration:
        _check_duration(container.duration / av.time_base, limits)
    context.options = {"max_pixels": str(limits.pixels * 5 // 4 + 65536)}
    stream.thread_count, stream.thread_type = _THREADS, "AUTO"
    return stream


def _check_duration(seconds: float, limits: MediaLimits) -> None:
    if seconds > limits.duration_s:
        raise Unreadable(f"The film is {seconds:.1f} s long; at most {limits.duration_s:g} s are taken. Shorten it.")


def _measure(container: InputContainer, stream: VideoStream, limits: MediaLimits) -> Span:
    """Read every packet without decoding. Raises Unreadable."""
    base, start, end, packets = stream.time_base or Fraction(1, 1000), None, 0, 0
    usual = int(1 / (stream.average_rate * base)) if stream.average_rate else 0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise Unreadable(CUT_OFF)
            if packet.pts is None or packet.is_discard or not packet.size:
                continue
            packets += 1
            start = packet.pts if start is None else min(start, packet.pts)
            end = max(end, packet.pts + (packet.duration or usual))
    except (FFmpegError, EOFError) as e:
        raise refusal(e) from None
    if start is None:
        raise Unreadable(BROKEN)
    span = Span(float(start * base), float(end * base), packets)
    _check_duration(span.duration_s, limits)
    return span


def survey(descriptor: int, shape: Shape, limits: MediaLimits) -> tuple[Found, VideoFrame]:
    """Decode to the end: the facts, and the frame that shows most. Raises Unreadable."""
    with opened(descriptor, shape, limits) as film:
        count, best, first, choice = 0, -1.0, None, _Choice(film.span.duration_s)
        chosen: VideoFrame | None = None
        for time_s, frame in film.frames():
            count, first = count + 1, first or frame
            score = choice.score(time_s, frame)
            if score > best:
                best, chosen = score, frame
        if first is None or chosen is None:
            raise Unreadable(BROKEN)
        return _facts(film, first, count, film_mime_type(descriptor, shape)), chosen


class _Choice:
    """Scores a few frames by contrast, those between 10 and 30 percent twice as high: fades are black at the ends."""

    def __init__(self, duration_s: float) -> None:
        window = [duration_s * (0.1 + 0.2 * i / _CANDIDATES) for i in range(_CANDIDATES)]
        self._due = [0.0, *window, duration_s * 0.5, duration_s * 0.9]
        self._window = (duration_s * 0.1, duration_s * 0.3)

    def score(self, time_s: float, frame: VideoFrame) -> float:
        if not self._due or time_s < self._due[0]:
            return -1.0
        self._due = [due for due in self._due if due > time_s]
        contrast = float(frame.reformat(64, 64, "gray", interpolation=Interpolation.AREA).to_ndarray().std())
        return contrast * 2 if self._window[0] <= time_s <= self._window[1] else contrast


def _facts(film: Film, first: VideoFrame, count: int, mime_type: str) -> Found:
    width, height = shown_size(film.stream, first)
    duration_s, fps = _pace(film, count)
    return Found(
        kind=Kind.VIDEO,
        mime_type=mime_type,
        codec=film.stream.codec_context.codec.canonical_name,
        width=width,
        height=height,
        duration_s=round(duration_s, 6),
        fps=fps,
        frames=count,
        has_audio=bool(film.container.streams.audio),
    )


def _pace(film: Film, count: int) -> tuple[float, float | None]:
    """Seconds and frames per second, by the declared rate where it agrees: Matroska's times are whole milliseconds."""
    seconds, declared = film.span.duration_s, film.stream.average_rate
    if declared and abs(float(declared) * seconds - count) < 0.5:
        return float(count / declared), round(float(declared), 3)
    return seconds, round(count / seconds, 3) if seconds > 0 else None


def shown_size(stream: VideoStream, frame: VideoFrame) -> tuple[int, int]:
    """Width and height as a player shows them: pixels made square, turned upright."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(1, round(frame.width * aspect)) if Fraction(1, 8) < aspect < 8 else frame.width
    return (frame.height, width) if _quarter_turns(frame) % 2 else (width, frame.height)


def _quarter_turns(frame: VideoFrame) -> int:
    return round(frame.rotation / 90) % 4


def picture(frame: VideoFrame, width: int, height: int) -> Pixels:
    """A frame upright in RGB at that size, as height x width x 3."""
    turns = _quarter_turns(frame)
    across, down = (height, width) if turns % 2 else (width, height)
    untold = frame.colorspace == _UNSPECIFIED and min(frame.width, frame.height) >= _HD_PX
    rgb = frame.reformat(
        across,
        down,
        "rgb24",
        src_colorspace=Colorspace.ITU709 if untold else None,
        interpolation=Interpolation.AREA,
    ).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, turns), dtype=np.uint8)


def develop(
    descriptor: int, shape: Shape, limits: MediaLimits, outputs: Mapping[Variant, int]
) -> tuple[Found, str, tuple[Made, ...]]:
    """Facts, placeholder, and what was written. Raises Unreadable."""
    found, frame = survey(descriptor, shape, limits)
    width, height = _within(found.width, found.height, still.POSTER_PX)
    image: Any = pyvips.Image.new_from_array(picture(frame, width, height), interpretation="srgb")
    return found, *still.derive(image, outputs)


def _within(width: int, height: int, most: int) -> tuple[int, int]:
    scale = min(1.0, most / width, most * still.TALLEST / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
