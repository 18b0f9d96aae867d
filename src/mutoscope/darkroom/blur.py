"""Blurred pictures and films, in the jail: made so small that nothing can be rebuilt, and only then large and soft.

The blur itself hides little: sharpening undoes it. What hides is that a few pixels are all that is left; what is enlarged from
them holds no more. See `rebuilding` in docs/reference/benchmarks.md for what can be rebuilt.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import numpy as np
import pyvips
from av.video.frame import VideoFrame

from mutoscope.darkroom import film, preview, still
from mutoscope.darkroom.port import MediaLimits, Unreadable
from mutoscope.darkroom.sniff import BROKEN, Shape
from mutoscope.darkroom.wire import Made
from mutoscope.domain.media import Variant

WIDTHS_PX = {Variant.BLURRED: 640, Variant.BLURRED_SMALL: 320}
SOFTNESS_PX = 0.7
"""The standard deviation of the Gaussian over the few pixels, in those pixels: their edges do not show when enlarged."""
FILM_PX = 320
FILM_FPS = 4
"""A film tells more than one of its frames, as what moves is seen at several places: fewer of them, and each half as sharp."""
FILM_PART = 2
LEAST_PX = 3


def stills_of(
    descriptor: int, shape: Shape, limits: MediaLimits, side_px: int, outputs: Mapping[Variant, int]
) -> tuple[Made, ...]:
    """Write what stands for poster and thumbnails. Raises Unreadable."""
    image, found = still.opened(descriptor, shape, limits)
    try:
        few = _few(image, found.width, found.height, side_px).copy_memory()
    except pyvips.Error as e:
        raise still.refusal(e) from None
    made: list[Made] = []
    for variant, width_px in WIDTHS_PX.items():
        width, height = _large(found.width, found.height, width_px)
        still.write(outputs[variant], still.encoded(_enlarged(few, width, height), as_jpeg=False))
        made.append(Made(variant=variant, mime_type="image/webp", width=width, height=height))
    return tuple(made)


def film_of(
    descriptor: int, shape: Shape, limits: MediaLimits, side_px: int, outputs: Mapping[Variant, int]
) -> tuple[Made, ...]:
    """Write what stands for the preview; nothing for a film of one frame. Raises Unreadable."""
    with film.opened(descriptor, shape, limits) as opened:
        frames = opened.frames()
        first = next(frames, None)
        if first is None:
            raise Unreadable(BROKEN)
        if opened.span.packets < 2:
            return ()
        size = film.shown_size(opened.stream, first[1])
        width, height = (max(2, side // 2 * 2) for side in _large(*size, FILM_PX))
        wanted = _times(opened.span.duration_s)
        few = (
            (_film_frame(frame, size, side_px, (width, height)), place)
            for frame, _, place in preview.shown(chain([first], frames), wanted)
        )
        _encode(outputs[Variant.BLURRED_PREVIEW], width, height, few)
    return (Made(variant=Variant.BLURRED_PREVIEW, mime_type="video/mp4", width=width, height=height),)


def _times(duration_s: float) -> list[preview.Wanted]:
    count = max(2, round(min(preview.LOOP_S, duration_s) * FILM_FPS))
    return [(n / FILM_FPS, 0, n) for n in range(count)]


def _film_frame(frame: VideoFrame, size: tuple[int, int], side_px: int, large: tuple[int, int]) -> VideoFrame:
    few = film.picture(frame, *_sides(*size, max(LEAST_PX, side_px // FILM_PART)))
    picture: Any = pyvips.Image.new_from_array(few, interpretation="srgb")
    pixels = np.ascontiguousarray(_enlarged(_soft(picture), *large).numpy(), dtype=np.uint8)
    return VideoFrame.from_ndarray(pixels, "rgb24")


def _encode(descriptor: int, width: int, height: int, frames: Iterable[tuple[VideoFrame, int]]) -> None:
    options = {"moov_size": str(preview.MOOV_BYTES), "fflags": "+bitexact"}
    with (
        open(descriptor, "wb", closefd=False) as file,
        av.open(file, "w", format="mp4", options=options) as container,
    ):
        stream = container.add_stream("libx264", FILM_FPS, preview.ENCODER)
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = width, height, "yuv420p", 1
        for frame, place in frames:
            frame.pts, frame.time_base = place, Fraction(1, FILM_FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _few(image: Any, width: int, height: int, side_px: int) -> Any:
    """The few pixels that are left of a picture: no transparency, which would draw a sharp edge, and no orientation."""
    small = image.thumbnail_image(side_px, height=side_px, size="down", output_profile="srgb")
    small = still.on_black(still.in_srgb(small))
    across, down = _sides(width, height, side_px)
    return _soft(small.resize(across / small.width, vscale=down / small.height, kernel="linear"))


def _soft(few: Any) -> Any:
    return few.gaussblur(SOFTNESS_PX)


def _sides(width: int, height: int, side_px: int) -> tuple[int, int]:
    """Both sides, the longer one that long; never longer than they are."""
    scale = min(1.0, side_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _large(width: int, height: int, width_px: int) -> tuple[int, int]:
    """The size of what is made: that wide, with the sides' ratio, which the record tells anyway."""
    return width_px, max(1, min(round(height * width_px / width), width_px * still.TALLEST))


def _enlarged(few: Any, width: int, height: int) -> Any:
    large = few.resize(width / few.width, vscale=height / few.height, kernel="cubic")
    return large.crop(0, 0, min(width, large.width), min(height, large.height)).embed(
        0, 0, width, height, extend="copy"
    )
