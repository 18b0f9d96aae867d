"""An answer that has begun: status and headers are here, the body comes as it is read, within its bounds."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import httpcore2

from mutoscope.domain.ids import Millis
from mutoscope.outgoing.course import TRANSPORT, Course
from mutoscope.outgoing.inflate import CannotDecode, decoder
from mutoscope.outgoing.patience import Limits
from mutoscope.outgoing.trouble import Answer, Answered, OutgoingError, Trouble

BLACK = b"***"
REFUSAL_BYTES = 64 * 1024
"""How much is read of the words that come with an error."""


class Arrival:
    """Read it once, with `chunks` or `read`. ``headers`` have their names in small letters."""

    retry_after_ms: Millis | None = None
    keyed = False
    """Whether the key was sent to where this comes from."""

    def __init__(
        self,
        response: httpcore2.Response,
        course: Course,
        deadline_s: float,
        limits: Limits,
        secrets: Sequence[bytes] = (),
    ) -> None:
        """``secrets`` are what is blacked out where the whole of an answer is read: its words end in logs and records."""
        self.status = response.status
        self.headers: Mapping[str, str] = _headers(response)
        self.where = course.where
        self._response, self._course = response, course
        self._deadline_s, self._limits, self._secrets = deadline_s, limits, secrets

    def __repr__(self) -> str:
        return f"Arrival({self.status} from {self.where})"

    @property
    def ok(self) -> bool:
        """Whether the status is of success."""
        return 200 <= self.status < 300

    @property
    def line(self) -> httpcore2.AsyncNetworkStream:
        """The connection itself, once the other side has left HTTP: with status 101."""
        return self._response.extensions["network_stream"]

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body, decompressed. Raises OutgoingError when it is cut, too slow, too large or not what it says."""
        total = 0
        try:
            decode = decoder(self.headers.get("content-encoding", ""))
            async with aclosing(self._raw()) as raws:
                async for raw in raws:
                    for piece in decode.pieces(raw):
                        total += len(piece)
                        if total > self._limits.body_bytes:
                            raise self._error(Trouble.TOO_LARGE, f"more than {self._limits.body_bytes} bytes")
                        yield piece
            decode.end()
        except CannotDecode as e:
            raise self._error(Trouble.GARBLED, str(e)) from None

    async def read(self) -> Answer:
        """The whole of it. Raises OutgoingError as `chunks` does."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
        return self._answer(bytes(body))

    async def refusal(self) -> Answered:
        """An error's status, and the beginning of its words, as far as they come."""
        body = bytearray()
        chunks = self.chunks()
        try:
            async for chunk in chunks:
                body += chunk
                if len(body) >= REFUSAL_BYTES:
                    break
        except OutgoingError:
            pass
        finally:
            await chunks.aclose()
        return Answered(self._answer(bytes(body[:REFUSAL_BYTES])))

    async def close(self) -> None:
        """Let go of the connection; what has not been read is not wanted."""
        await self._response.aclose()

    async def _raw(self) -> AsyncGenerator[bytes]:
        now_s, stream = asyncio.get_running_loop().time, aiter(self._response.aiter_stream())
        while True:
            try:
                async with asyncio.timeout_at(min(self._deadline_s, now_s() + self._limits.silence_s)):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TRANSPORT as e:
                raise self._course.error(e) from None
            yield chunk

    def _answer(self, body: bytes) -> Answer:
        for secret in self._secrets:
            body = body.replace(secret, BLACK)
        return Answer(
            status=self.status,
            headers=dict(self.headers),
            body=body,
            where=self.where,
            retry_after_ms=self.retry_after_ms,
            keyed=self.keyed,
        )

    def _error(self, trouble: Trouble, more: str) -> OutgoingError:
        return OutgoingError(trouble, self.where, sent=True, more=more)


def _headers(response: httpcore2.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
