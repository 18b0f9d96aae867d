"""Looks for the strings of some places in JSON as it comes, and decodes their base64.

All else is copied aside, with an empty string in their place, for a real reader of JSON to judge at the end: so this
looks at nothing but strings and nesting.
"""

import binascii
import re
from collections.abc import Iterable, Iterator

import msgspec

DEPTH = 64
KEY_BYTES = 1_000
PREFIX_BYTES = 200
"""How long "data:image/png;base64," may be."""
STRUCTURE = re.compile(rb'["\[\]{},:]')
WHITE = b" \t\r\n"
STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d*)\]")

Event = str | bytes | None
"""The place of a file that begins, some of its bytes, its end."""


class NotEmbedded(Exception):
    """The JSON is cut or none, too large beside its files, or a file in it is no base64. Says which."""


class _Around(msgspec.Struct):
    """An object or a list around: ``step`` is the key or the number of what comes next in it."""

    is_object: bool
    step: str | int
    key_next: bool


class Scanner:
    """Fed with the bytes in order. ``copied`` is what was put aside, at most ``rest_bytes``."""

    def __init__(self, wanted: Iterable[str], rest_bytes: int) -> None:
        self._wanted, self._rest_bytes = [_steps(text) for text in wanted], rest_bytes
        self.copied = bytearray()
        self._around: list[_Around] = []
        self._seen: set[str] = set()
        self._in_string, self._key_from = False, -1
        self._file: _Base64 | None = None
        self._place, self._announced = "", False
        self._left = b""
        """An escape that was cut by the end of a chunk."""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What these bytes bring. Raises NotEmbedded."""
        data, at, quote = self._left + chunk, 0, -1
        self._left = b""
        while at < len(data):
            if not self._in_string:
                at = self._structure(data, at)
                continue
            if quote < at:
                # Looked for once, since a string may be all escapes. Much faster than one expression for both.
                found = data.find(b'"', at)
                quote = len(data) if found < 0 else found
            stop = data.find(b"\\", at, quote)
            stop = quote if stop < 0 else stop
            yield from self._text(data[at:stop])
            if stop == len(data):
                return
            if stop == quote:
                yield from self._string_ends()
                at = stop + 1
                continue
            at = stop + (6 if data.startswith(b"\\u", stop) else 2)
            if at > len(data):
                self._left = data[stop:]
                return
            yield from self._escape(data[stop:at])

    def end(self) -> None:
        """The stream has ended. Raises NotEmbedded when it did so within a string; the rest is for the reader of JSON."""
        if self._in_string or self._left:
            raise NotEmbedded("the JSON is cut off")

    def _copy(self, data: bytes) -> None:
        self.copied += data
        if len(self.copied) > self._rest_bytes:
            raise NotEmbedded(f"the JSON has more than {self._rest_bytes} bytes beside its files")

    def _structure(self, data: bytes, at: int) -> int:
        found = STRUCTURE.search(data, at)
        stop = found.end() if found else len(data)
        self._copy(data[at:stop])
        if found is None:
            return stop
        top = self._around[-1] if self._around else None
        match found[0]:
            case b'"':
                self._string_begins(top)
            case b"{" | b"[":
                if len(self._around) == DEPTH:
                    raise NotEmbedded("the JSON is nested too deep")
                is_object = found[0] == b"{"
                self._around.append(_Around(is_object, "" if is_object else 0, is_object))
            case b"}" | b"]":
                if top is None or top.is_object != (found[0] == b"}"):
                    raise NotEmbedded("not JSON")
                self._around.pop()
            case b"," if top is not None:
                top.key_next = top.is_object
                top.step = top.step + 1 if isinstance(top.step, int) else ""
            case b":" if top is not None:
                top.key_next = False
            case _:
                return stop
        return stop

    def _string_begins(self, top: _Around | None) -> None:
        self._in_string = True
        if top is not None and top.key_next:
            self._key_from = len(self.copied) - 1
            return
        steps = [around.step for around in self._around]
        if not any(_fits(steps, wanted) for wanted in self._wanted):
            return
        self._place, self._announced = _place(steps), False
        if self._place in self._seen:
            raise NotEmbedded(f"{self._place} is there twice")
        self._seen.add(self._place)
        self._file = _Base64(self._place)

    def _text(self, text: bytes) -> Iterator[Event]:
        if self._file is None:
            self._copy(text)
            if self._key_from >= 0 and len(self.copied) - self._key_from > KEY_BYTES:
                raise NotEmbedded("a key in the JSON is too long")
            return
        if text and not self._announced:
            self._announced = True
            yield self._place
        if piece := self._file.decode(text):
            yield piece

    def _escape(self, escape: bytes) -> Iterator[Event]:
        if self._file is None:
            yield from self._text(escape)
            return
        try:
            text = msgspec.json.decode(b'"' + escape + b'"', type=str).encode("ascii")
        except (msgspec.DecodeError, UnicodeError):
            raise NotEmbedded(f"{self._place} is not base64") from None
        yield from self._text(text)

    def _string_ends(self) -> Iterator[Event]:
        self._in_string = False
        self._copy(b'"')
        if self._file is not None:
            if piece := self._file.end():
                yield piece
            self._file = None
            if self._announced:
                yield None
        elif self._key_from >= 0:
            self._around[-1].step, self._key_from = _key(bytes(self.copied[self._key_from :])), -1


class _Base64:
    """One string of base64, maybe as a data address ("data:image/png;base64,...")."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._text = b""
        self._head, self._padded = True, False

    def decode(self, text: bytes) -> bytes:
        """The bytes of what is complete so far. Raises NotEmbedded."""
        self._text += text.translate(None, WHITE)
        if self._head and not self._past_head():
            return b""
        whole = len(self._text) // 4 * 4
        text, self._text = self._text[:whole], self._text[whole:]
        if self._padded and (text or self._text):
            raise NotEmbedded(f"{self._place} is not base64")
        self._padded = text.endswith(b"=")
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            raise NotEmbedded(f"{self._place} is not base64") from None

    def end(self) -> bytes:
        """The last bytes. Raises NotEmbedded when the string ended too early."""
        self._head = False
        piece = self.decode(b"")
        if self._text:
            raise NotEmbedded(f"{self._place} is not base64, or is cut off")
        return piece

    def _past_head(self) -> bool:
        if not self._text.startswith(b"data:"[: len(self._text)]):
            self._head = False
        elif len(self._text) > len(b"data:") and b"," in self._text[:PREFIX_BYTES]:
            self._text, self._head = self._text.partition(b",")[2], False
        elif len(self._text) > PREFIX_BYTES:
            raise NotEmbedded(f"{self._place} is not base64")
        return not self._head


def _steps(text: str) -> list[str | int | None]:
    return [name or (int(number) if number else None) for name, number in STEP.findall(text)]


def _fits(steps: list[str | int], wanted: list[str | int | None]) -> bool:
    return len(steps) == len(wanted) and all(
        isinstance(step, int) if want is None else step == want for step, want in zip(steps, wanted, strict=True)
    )


def _place(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _key(quoted: bytes) -> str:
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotEmbedded("not JSON") from None
