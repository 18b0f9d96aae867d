"""Files inside JSON: base64 in a string, decoded as it comes, so that no film is ever whole in memory."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

import msgspec

from mutoscope.outgoing.scanner import NotEmbedded, Scanner

REST_BYTES = 1024 * 1024
"""The most that all the other fields together may take."""


class Embedded:
    """Files in a stream of JSON. ``wanted`` are where they may be: "video", "data[].b64_json", "artifacts[0].base64".

    Go through `files`, and through the bytes of each before the next (what is left of it is skipped); then `rest` has
    the other fields. An empty string is no file.
    """

    def __init__(self, chunks: AsyncIterator[bytes], wanted: Iterable[str], rest_bytes: int = REST_BYTES) -> None:
        self._scanner = Scanner(wanted, rest_bytes)
        self._events = self._read(chunks)
        self._inside = self._whole = False
        self._rest: Any = None

    @property
    def rest(self) -> Any:
        """The whole value with an empty string for each file. Only after `files` came to its end, else RuntimeError."""
        if not self._whole:
            raise RuntimeError("the files come first")
        return self._rest

    async def files(self) -> AsyncGenerator[tuple[str, AsyncGenerator[bytes]]]:
        """Each file: where it was, such as "data[1].b64_json", and its bytes. Both raise NotEmbedded, and what the stream raises."""
        async for event in self._events:
            assert isinstance(event, str), "a file begins with its place"
            self._inside = True
            yield event, self._bytes()
            async for _ in self._bytes():
                continue
        try:
            self._rest = msgspec.json.decode(bytes(self._scanner.copied))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NotEmbedded("the JSON is cut off, or is none") from None
        self._whole = True

    async def _bytes(self) -> AsyncGenerator[bytes]:
        while self._inside:
            event = await anext(self._events)
            if event is None:
                self._inside = False
                return
            assert isinstance(event, bytes), "a file ends before the next"
            yield event

    async def _read(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[str | bytes | None]:
        async for chunk in chunks:
            for event in self._scanner.feed(chunk):
                yield event
        self._scanner.end()


async def base64_field(chunks: AsyncIterator[bytes], wanted: str) -> AsyncGenerator[bytes]:
    """The bytes of the one file at ``wanted``, for where no other field matters. Raises NotEmbedded, also without it."""
    found = False
    async for _, pieces in Embedded(chunks, [wanted]).files():
        found = True
        async for piece in pieces:
            yield piece
    if not found:
        raise NotEmbedded(f"there is no {wanted} in the JSON")
