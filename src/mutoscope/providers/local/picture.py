"""One frame to PNG, the same bytes every time, with words in it that say how it was made."""

import struct
import zlib
from pathlib import Path
from typing import Any, cast

import pyvips

from mutoscope.domain.media import PROCEDURAL_SOURCE_TYPE
from mutoscope.providers.local.art.pixels import Frame
from mutoscope.providers.local.film import MADE_BY

_XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="'
    f'{PROCEDURAL_SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
_HEADER_BYTES = 33
"""Signature and IHDR, after which text may come (https://www.w3.org/TR/png-3/#5ChunkOrdering)."""


def write(path: Path, frame: Frame) -> None:
    """Encode. Raises OSError."""
    image = cast(Any, pyvips.Image.new_from_array(frame, interpretation="srgb"))
    png = image.pngsave_buffer(compression=6, keep="none")
    # libvips would compress the words, and XMP belongs into an iTXt chunk, which it does not write.
    words = _chunk(b"tEXt", b"Comment\0" + MADE_BY.encode("latin-1"))
    xmp = _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP.encode())
    with path.open("wb") as file:
        file.writelines((png[:_HEADER_BYTES], words, xmp, png[_HEADER_BYTES:]))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
