"""What a file is by its first bytes, and whether it is as long as it says. Nothing here decodes.

The kind decides which decoder is forced, so that a file can never choose one that opens other files.
"""

import os
from collections.abc import Iterator
from enum import StrEnum

from mutoscope.darkroom.port import Unreadable

TAKEN = "Taken are JPEG, PNG, WebP, AVIF and GIF pictures, and MP4, MOV, WebM and Matroska films."
CUT_OFF = "The file is incomplete: it ends before the picture or film does. Send it again, whole."
BROKEN = "The file is damaged: it cannot be decoded to its end."


class Shape(StrEnum):
    """A container that is taken."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    AVIF = "avif"
    ISO_MEDIA = "mov"
    MATROSKA = "matroska"

    @property
    def film(self) -> bool:
        """Whether it holds a film; the value is then the name of FFmpeg's demuxer."""
        return self in (Shape.ISO_MEDIA, Shape.MATROSKA)


_FIRST = (
    (b"\xff\xd8\xff", Shape.JPEG),
    (b"\x89PNG\r\n\x1a\n", Shape.PNG),
    (b"GIF87a", Shape.GIF),
    (b"GIF89a", Shape.GIF),
    (b"\x1aE\xdf\xa3", Shape.MATROSKA),
)
_HEIF_BRANDS = frozenset({b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"heim", b"heis"})
_OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip"})


def shape_of(descriptor: int) -> Shape:
    """The shape of an open file. Raises Unreadable with a sentence that says what is taken."""
    head = os.pread(descriptor, 4096, 0)
    if not head:
        raise Unreadable("The file is empty.")
    for magic, shape in _FIRST:
        if head.startswith(magic):
            return shape
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Shape.WEBP
    if head[4:8] == b"ftyp":
        return _branded(head)
    if head[4:8] in _OLD_QUICKTIME:
        return Shape.ISO_MEDIA
    raise Unreadable(f"This is not a picture or film that is taken here. {TAKEN}")


def brands(head: bytes) -> list[bytes]:
    """The major and the compatible brands of an ISO file, from its first bytes."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def _branded(head: bytes) -> Shape:
    found = brands(head)
    if b"avif" in found or b"avis" in found:
        return Shape.AVIF
    if found[0] in _HEIF_BRANDS:
        raise Unreadable(f"HEIC pictures are not taken here. {TAKEN}")
    return Shape.ISO_MEDIA


def film_mime_type(descriptor: int, shape: Shape) -> str:
    """The media type of a film, from its header."""
    head = os.pread(descriptor, 4096, 0)
    if shape is Shape.MATROSKA:
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    return "video/mp4" if head[4:8] == b"ftyp" and head[8:12] != b"qt  " else "video/quicktime"


def check_whole(descriptor: int, shape: Shape) -> None:
    """Raises Unreadable when the file declares more bytes than it has."""
    size = os.fstat(descriptor).st_size
    if _declared(descriptor, shape, size) > size:
        raise Unreadable(CUT_OFF)


def _declared(descriptor: int, shape: Shape, size: int) -> int:
    if shape is Shape.WEBP:
        return 8 + int.from_bytes(os.pread(descriptor, 4, 4), "little")
    if shape in (Shape.ISO_MEDIA, Shape.AVIF):
        return max(_boxes(descriptor, size), default=0)
    if shape is Shape.MATROSKA:
        return max(_elements(descriptor, size), default=0)
    return 0


def _boxes(descriptor: int, size: int) -> Iterator[int]:
    """Where each box of the top level ends, up to the first that is none (some programs append notes)."""
    at = 0
    while at + 8 <= size:
        head = os.pread(descriptor, 16, at)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8 or not name.isascii() or not name.decode().isprintable():
            return
        at += length
        yield at


def _elements(descriptor: int, size: int) -> Iterator[int]:
    """Where each element of the top level ends, up to one of unknown length (a live recording)."""
    at = 0
    while at < size:
        head = os.pread(descriptor, 12, at)
        name_length = 9 - head[0].bit_length()
        first = head[name_length] if name_length < len(head) and name_length <= 4 else 0
        length_length = 9 - first.bit_length()
        digits = head[name_length : name_length + length_length]
        if not first or len(digits) < length_length:
            return
        value = int.from_bytes(digits, "big") & ((1 << 7 * length_length) - 1)
        if value == (1 << 7 * length_length) - 1:
            return
        at += name_length + length_length + value
        yield at
