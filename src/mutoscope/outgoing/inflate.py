"""Decompression that never gives more than a piece at a time, however much a few bytes stand for."""

import zlib
from collections.abc import Iterator

PIECE_BYTES = 64 * 1024


class CannotDecode(Exception):
    """The body is not compressed as it says, or ends before its end."""


class Plain:
    """No compression."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The same bytes."""
        yield chunk

    def end(self) -> None:
        """Nothing is left over."""


class Deflated:
    """gzip or deflate."""

    def __init__(self) -> None:
        # 32: zlib tells the two headers apart.
        self._of = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the bytes stand for, in pieces. Raises CannotDecode."""
        while chunk and not self._of.eof:
            try:
                piece = self._of.decompress(chunk, PIECE_BYTES)
            except zlib.error:
                raise CannotDecode("not gzip or deflate") from None
            chunk = self._of.unconsumed_tail
            if piece:
                yield piece

    def end(self) -> None:
        """Raises CannotDecode when more should have come."""
        if not self._of.eof:
            raise CannotDecode("cut within the compressed data")


def decoder(encoding: str) -> Plain | Deflated:
    """For a Content-Encoding. Raises CannotDecode for one that was not asked for and is not known."""
    match encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip" | "deflate":
            return Deflated()
        case _:
            raise CannotDecode("compressed in a way that nobody asked for")
