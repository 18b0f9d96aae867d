"""Uploads in parts without an end: nobody sees them, and everybody pays for them.

A crash leaves them, and so does an answer that is lost: whoever did not hear that an upload has begun begins another.
"""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

import httpx2
import msgspec

from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.blobs.sentences import sentence
from mutoscope.blobs.sigv4 import Signer
from mutoscope.domain.ids import Clock, Millis

ADDRESS_S = 300
NO_ANSWER = "The bucket's server does not answer: look at AWS_ENDPOINT_URL, AWS_REGION and the network."


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One that has begun and not ended. ``number`` is the server's name for it."""

    key: str
    number: str
    begun_at: Millis


class Unfinished:
    """The unfinished uploads of the bucket at ``address``; to be used in ``async with``."""

    def __init__(self, address: str, signer: Signer, clock: Clock, timeout_s: float) -> None:
        self._address, self._signer, self._clock = address, signer, clock
        self._http = httpx2.AsyncClient(trust_env=False, timeout=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def list(self, prefix: str) -> Sequence[Upload]:
        """Those of keys that begin so; the first thousand, the rest once these are gone. Raises BlobsUnavailable."""
        answer = await self._ask("GET", self._address, {"uploads": "", "prefix": prefix})
        if answer.status_code != 200:
            raise BlobsUnavailable(sentence(answer.text, "list unfinished uploads"))
        return _read(answer.content)

    async def give_up(self, upload: Upload) -> bool:
        """Free its parts; False when it was not there any more, or may not be. Raises BlobsUnavailable."""
        answer = await self._ask("DELETE", f"{self._address}/{upload.key}", {"uploadId": upload.number})
        return answer.is_success

    async def _ask(self, method: str, url: str, query: dict[str, str]) -> httpx2.Response:
        signed = self._signer.sign(url, self._clock.now(), ADDRESS_S, method, query)
        try:
            return await self._http.request(method, signed)
        except httpx2.TransportError as e:
            raise BlobsUnavailable(NO_ANSWER) from e


def _read(content: bytes) -> Sequence[Upload]:
    found: list[Upload] = []
    for element in ElementTree.fromstring(content).iter():  # noqa: S314  # the bucket's server is trusted with the films
        if element.tag.rpartition("}")[2] == "Upload":
            of = {child.tag.rpartition("}")[2]: child.text or "" for child in element}
            begun = msgspec.convert(of["Initiated"], datetime, strict=False)
            found.append(Upload(key=of["Key"], number=of["UploadId"], begun_at=int(begun.timestamp() * 1000)))
    return found
