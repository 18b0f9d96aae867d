"""Pictures, in the jail: facts, poster, thumbnails and placeholder, through libvips in one sequential pass."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyvips

from mutoscope.darkroom import thumbhash
from mutoscope.darkroom.port import SIDE_PX, MediaLimits, Unreadable
from mutoscope.darkroom.sniff import BROKEN, CUT_OFF, Shape
from mutoscope.darkroom.wire import Found, Made
from mutoscope.domain.media import THUMB_WIDTHS_PX, Kind, Variant
from mutoscope.domain.source import SourceFit

POSTER_PX = 1920
PPM = "image/x-portable-pixmap"
TALLEST = 4
"""A derived picture is at most so many times as high as its widest allowed width; WebP ends at 16,383 px."""
FRAMES = 5_000
"""The most frames of an animated picture."""
FRAMES_AT_LIMIT = 4
"""All frames together have at most so many times the pixels that one picture may have."""
SOURCE_QUALITY = 95
"""Of a JPEG that goes to a provider: what is made from it should show none of its blocks."""
_PAGED = frozenset({Shape.GIF, Shape.WEBP, Shape.AVIF})
_CODECS = {Shape.AVIF: "av1"}
_LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Heif")

TOO_MUCH_MEMORY = "The file needs more memory to decode than is allowed. Make it smaller and send it again."


def close_other_decoders() -> None:
    """Leave libvips only the decoders for the shapes that are taken. Once, in the zygote."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.cache_set_max(0)


def opened(descriptor: int, shape: Shape, limits: MediaLimits) -> tuple[Any, Found]:
    """The first picture of the file, not decoded yet, and the facts from its header. Raises Unreadable."""
    try:
        image = _load(descriptor, shape)
        pages = image.get("n-pages") if shape in _PAGED and image.get_typeof("n-pages") else 1
        turned = _is_turned(image)
    except pyvips.Error as e:
        raise refusal(e) from None
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    check_size(width, height, limits)
    _check_frames(width * height, pages, limits)
    return image, Found(
        kind=Kind.IMAGE,
        mime_type=f"image/{shape}",
        codec=_CODECS.get(shape, str(shape)),
        width=width,
        height=height,
        frames=pages if pages > 1 else None,
    )


def check_size(width: int, height: int, limits: MediaLimits) -> None:
    """Raises Unreadable when a side is longer, or there are more pixels, than allowed."""
    if max(width, height) > SIDE_PX:
        raise Unreadable(
            f"The file has {width} x {height} pixels; at most {SIDE_PX:,} pixels on each side are taken. Make it smaller."
        )
    if width * height > limits.pixels:
        raise Unreadable(
            f"The file has {width} x {height} pixels; at most {limits.pixels / 1e6:g} megapixels are taken. Make it smaller."
        )


def _check_frames(pixels_each: int, frames: int, limits: MediaLimits) -> None:
    """Raises Unreadable when decoding all frames would take too long: a frame that repeats the last costs a few bytes."""
    most = min(FRAMES, FRAMES_AT_LIMIT * limits.pixels // pixels_each)
    if frames > most:
        raise Unreadable(
            f"The animation has {frames:,} frames; at most {most:,} of its size are taken. Make it shorter or smaller."
        )


def inspect(descriptor: int, shape: Shape, limits: MediaLimits) -> Found:
    """Facts, after decoding every pixel of every frame. Raises Unreadable."""
    image, found = opened(descriptor, shape, limits)
    _decode(descriptor, shape, found, image)
    return found


def develop(
    descriptor: int, shape: Shape, limits: MediaLimits, outputs: Mapping[Variant, int]
) -> tuple[Found, str, tuple[Made, ...]]:
    """Facts, placeholder, and what was written. One pass decodes everything. Raises Unreadable."""
    image, found = opened(descriptor, shape, limits)
    try:
        if found.frames:
            _decode(descriptor, shape, found, image)
            image = _load(descriptor, shape)
        poster = fitted(image, POSTER_PX).copy_memory()
    except pyvips.Error as e:
        raise refusal(e) from None
    return found, *derive(poster, outputs)


def plain(
    descriptor: int, shape: Shape, limits: MediaLimits, side_px: int, outputs: Mapping[Variant, int]
) -> tuple[Made, ...]:
    """The pixels as they are, behind a header of one line. Raises Unreadable."""
    image, _ = opened(descriptor, shape, limits)
    try:
        small = on_black(fitted(image, side_px, side_px)).copy_memory()
    except pyvips.Error as e:
        raise refusal(e) from None
    variant, target = next(iter(outputs.items()))
    write(target, b"P6 %d %d 255\n" % (small.width, small.height) + small.write_to_memory())
    return (Made(variant=variant, mime_type=PPM, width=small.width, height=small.height),)


def fit(
    descriptor: int, shape: Shape, limits: MediaLimits, to: SourceFit, outputs: Mapping[Variant, int]
) -> tuple[Made, ...]:
    """The picture as a provider takes it, without any metadata. Raises Unreadable."""
    image, _ = opened(descriptor, shape, limits)
    try:
        # Cut first: of a long, narrow picture libvips would hold what is cut off in memory, enlarged.
        image = _middle(image, to.width, to.height) if to.crop else image
        exact = in_srgb(image.thumbnail_image(to.width, height=to.height, size="force", output_profile="srgb"))
        data = (
            exact.pngsave_buffer(keep="none")
            if to.format == "png"
            else on_black(exact).jpegsave_buffer(Q=SOURCE_QUALITY, optimize_coding=True, keep="none")
        )
    except pyvips.Error as e:
        raise refusal(e) from None
    variant, target = next(iter(outputs.items()))
    write(target, data)
    return (Made(variant=variant, mime_type=to.mime_type, width=exact.width, height=exact.height),)


def _middle(image: Any, width: int, height: int) -> Any:
    """The largest part around the centre whose sides, once upright, have that ratio to the nearest pixel."""
    across, down = (height, width) if _is_turned(image) else (width, height)
    kept_across = min(image.width, max(1, round(image.height * across / down)))
    kept_down = min(image.height, max(1, round(image.width * down / across)))
    left, top = (image.width - kept_across) // 2, (image.height - kept_down) // 2
    return image.extract_area(left, top, kept_across, kept_down)


def _is_turned(image: Any) -> bool:
    return bool(image.get_typeof("orientation")) and image.get("orientation") >= 5


def derive(poster: Any, outputs: Mapping[Variant, int]) -> tuple[str, tuple[Made, ...]]:
    """Placeholder, poster and thumbnails from a picture in sRGB and in memory."""
    made: list[Made] = []
    for variant, descriptor in outputs.items():
        width = THUMB_WIDTHS_PX.get(variant, POSTER_PX)
        picture = poster if fits(poster, width) else fitted(poster, width)
        as_jpeg = variant is Variant.POSTER and not picture.hasalpha()
        write(descriptor, encoded(picture, as_jpeg))
        mime_type = "image/jpeg" if as_jpeg else "image/webp"
        made.append(Made(variant=variant, mime_type=mime_type, width=picture.width, height=picture.height))
    return _placeholder(poster), tuple(made)


def fitted(image: Any, width: int, height: int | None = None) -> Any:
    """The picture upright, in sRGB, 8 bits, at most that wide and high, and never larger than it is."""
    return in_srgb(image.thumbnail_image(width, height=height or width * TALLEST, size="down", output_profile="srgb"))


def in_srgb(small: Any) -> Any:
    """The picture in sRGB, 8 bits."""
    return small.colourspace("srgb") if small.bands < 3 or small.format != "uchar" else small


def on_black(picture: Any) -> Any:
    """The picture without transparency."""
    return picture.flatten(background=[0, 0, 0]) if picture.hasalpha() else picture


def fits(picture: Any, width: int) -> bool:
    """Whether a picture in sRGB needs no fitting."""
    return picture.width <= width and picture.height <= width * TALLEST


def encoded(picture: Any, as_jpeg: bool) -> bytes:
    """Bytes without any metadata; the same input gives the same bytes."""
    if as_jpeg:
        return picture.jpegsave_buffer(Q=85, optimize_coding=True, interlace=True, keep="none")
    # More effort, and smart subsampling, take four times as long for 3 percent of the size.
    return picture.webpsave_buffer(Q=80, effort=2, keep="none")


def write(descriptor: int, data: bytes) -> None:
    """All of the bytes. Raises OSError."""
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)


def _placeholder(poster: Any) -> str:
    small = poster.thumbnail_image(thumbhash.MAX_PX, height=thumbhash.MAX_PX, size="down")
    pixels = np.asarray((small if small.hasalpha() else small.bandjoin(255)).numpy(), dtype=np.uint8)
    return base64.b64encode(thumbhash.encode(pixels)).decode()


def _load(descriptor: int, shape: Shape, **options: Any) -> Any:
    source = pyvips.Source.new_from_descriptor(descriptor)
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on="truncated", **options)


def _decode(descriptor: int, shape: Shape, found: Found, image: Any) -> None:
    try:
        (_load(descriptor, shape, n=-1) if found.frames else image).avg()
    except pyvips.Error as e:
        raise refusal(e) from None


def refusal(e: pyvips.Error) -> Unreadable:
    """What to tell of an error of libvips's."""
    said = str(e).lower()
    if any(
        words in said for words in ("out of memory", "insufficient memory", "cannot allocate", "failed to allocate")
    ):
        return Unreadable(TOO_MUCH_MEMORY)
    return Unreadable(CUT_OFF if "premature" in said or "truncat" in said or "end of" in said else BROKEN)
