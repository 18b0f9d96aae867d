"""What is sent: JSON, bytes, a file, a form with files. Files are streamed from the disk."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

CHUNK_BYTES = 256 * 1024


class Json(msgspec.Struct, frozen=True):
    """A value as JSON."""

    value: Any


class Raw(msgspec.Struct, frozen=True):
    """Bytes as they are."""

    content: bytes
    media_type: str = "application/octet-stream"


class File(msgspec.Struct, frozen=True):
    """A file as it is."""

    path: Path
    media_type: str


class Field(msgspec.Struct, frozen=True):
    """A field of a form."""

    name: str
    value: str


class FilePart(msgspec.Struct, frozen=True):
    """A file in a form, under a name of our own choice."""

    name: str
    path: Path
    filename: str
    media_type: str


class Form(msgspec.Struct, frozen=True):
    """A form (multipart/form-data), with or without files."""

    parts: tuple[Field | FilePart, ...]


Body = Json | Raw | File | Form


class Prepared:
    """A body that is ready to go: its files are open, its length in bytes is known. Close it."""

    def __init__(self, body: Body | None) -> None:
        """Raises OSError when a file cannot be read."""
        self._files = ExitStack()
        self._pieces: list[bytes | tuple[BinaryIO, int]] = []
        self.media_type = ""
        try:
            self._take(body)
        except BaseException:
            self._files.close()
            raise
        self.size_bytes = sum(len(p) if isinstance(p, bytes) else p[1] for p in self._pieces)

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes. Raises OSError when a file is not what it was."""
        for piece in self._pieces:
            if isinstance(piece, bytes):
                if piece:
                    yield piece
                continue
            file, left = piece
            while left:
                chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
                if not chunk:
                    raise OSError("the file has become shorter")
                left -= len(chunk)
                yield chunk

    def _take(self, body: Body | None) -> None:
        match body:
            case None:
                return
            case Json(value):
                self.media_type = "application/json"
                self._pieces.append(msgspec.json.encode(value))
            case Raw(content, media_type):
                self.media_type = media_type
                self._pieces.append(content)
            case File(path, media_type):
                self.media_type = media_type
                self._open(path)
            case Form(parts):
                self._form(parts)

    def _form(self, parts: tuple[Field | FilePart, ...]) -> None:
        boundary = secrets.token_hex(16)
        self.media_type = f"multipart/form-data; boundary={boundary}"
        for part in parts:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escaped(part.name)}"'
            if isinstance(part, Field):
                self._pieces.append(f"{head}\r\n\r\n{part.value}\r\n".encode())
                continue
            head += f'; filename="{_escaped(part.filename)}"\r\nContent-Type: {_escaped(part.media_type)}\r\n\r\n'
            self._pieces.append(head.encode())
            self._open(part.path)
            self._pieces.append(b"\r\n")
        self._pieces.append(f"--{boundary}--\r\n".encode())

    def _open(self, path: Path) -> None:
        file = self._files.enter_context(path.open("rb"))
        self._pieces.append((file, file.seek(0, 2)))
        file.seek(0)


def _escaped(text: str) -> str:
    """As browsers write names in forms (https://html.spec.whatwg.org/#multipart-form-data)."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
