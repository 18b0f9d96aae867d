"""What the stubs of real vendors share: jobs in a book, scripts by prompt, and results whose bytes misbehave on demand.

A vendor's stub speaks that vendor's wire format to the letter and says which document it follows. Vendors do not know
our reference, so jobs are counted by their **prompt**: a test gives each order a prompt of its own.

    POST /admin/script?reference=PROMPT {...}   how that job behaves (without a reference: all others), see `book.Script`
    GET  /admin/counts                          {PROMPT: {"asked": n, "paid": n}}
    GET  /admin/requests                        what came in, newest last: [{"method", "target", "headers", "body"}]
"""

import asyncio
import base64
import io
import struct
import time
import zlib
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
from multipart import MultipartParser, parse_options_header

from stubs.book import Answer, Book, Script
from stubs.samples import samples
from stubs.serving import Takeover

Stage = Literal["running", "finished", "failed", "canceled"]
KEPT_REQUESTS = 200
LARGE_BYTES = 3_000_000
KEY = "stub-key"
"""The key that every stub wants."""


class Vendor:
    """The base of a vendor's stub. ``refuse`` and ``route`` are the vendor's own."""

    def __init__(self, folder: Path) -> None:
        self.book, self.files = Book(folder), samples(folder)
        self.folder = folder
        self._requests: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)

    async def route(
        self, method: str, path: Sequence[str], query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        """Raises Answer. ``path`` is split at slashes."""
        raise NotImplementedError

    def refuse(self, how: str, headers: dict[str, str]) -> Answer:
        """The answer in the vendor's words for one of `counting.REFUSALS`; ``headers`` hold Retry-After where scripted."""
        raise NotImplementedError

    async def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Raises Answer, always."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        path = url.path.strip("/").split("/")
        if path[0] != "admin":
            self._requests.append(
                {"method": method, "target": target, "headers": headers, "body": base64.b64encode(body).decode()}
            )
            await self.route(method, path, query, headers, body)
            raise Answer(404, {"error": "no such route"})
        match method, path[1:]:
            case "POST", ["script"]:
                self.book.set_script(msgspec.json.decode(body, type=Script), query.get("reference", ""))
                raise Answer(200, {})
            case "GET", ["counts"]:
                raise Answer(200, self.book.counts())
            case "GET", ["requests"]:
                raise Answer(200, list(self._requests))
            case _:
                await self.administer(method, path[1:], query, body)
        raise Answer(404, {"error": "no such route"})

    async def administer(self, method: str, path: Sequence[str], query: dict[str, str], body: bytes) -> None:
        """More routes for tests, where a vendor's stub needs them."""

    async def begin(self, prompt: str, kind: str, results: int = 1) -> tuple[str, Script]:
        """An order came in. Returns the job's id and its script; what is to go wrong is raised.

        From here on it is paid for.
        """
        script = self.book.script(prompt)
        self.book.ask(prompt)
        await asyncio.sleep(script.submit_delay_s)
        how = script.submit
        if how not in ("take", "at_once") and not self.book.still(f"submit {prompt}", script.submit_times):
            how = "take"
        if how == "drop_before":
            raise Answer(0, None)
        if how not in ("take", "at_once", "drop_after", "strange", "see_other"):
            self.say_no(how, script)
        id = self.book.take({"reference": prompt, "kind": kind, "results": results}, None, script)
        if how == "drop_after":
            raise Answer(0, None)
        if how == "strange":
            raise Answer(200, b"<html>what?</html>", Content_Type="text/html")
        if how == "see_other":
            raise Answer(303, b"", Location="/")
        return id, script

    def say_no(self, how: str, script: Script) -> None:
        """Raise the vendor's own refusal."""
        wait = script.retry_after_s
        raise self.refuse(how, {} if wait is None else {"Retry_After": f"{wait:g}"})

    def look(self, id: str) -> tuple[str, int, Script, Stage]:
        """Kind, results, script and stage of a job, for a poll; scripted trouble with polling is raised."""
        kind, results, script, since, canceled = self.book.job(id)
        if script.poll in ("busy", "rate_limit", "unauthorized") and self.book.still(f"poll {id}", script.poll_times):
            self.say_no(script.poll, script)
        if script.poll.startswith("page_") and self.book.still(f"poll {id}", script.poll_times):
            raise Takeover(partial(_page, script.poll.removeprefix("page_")))
        return kind, results, script, self.stage(script, since, canceled)

    @staticmethod
    def stage(script: Script, since: float, canceled: bool) -> Stage:
        """How far a job is by now."""
        done = time.time() - since >= script.finish_after_s and script.end != "never"
        if (canceled and script.cancel != "late") or (done and script.end == "cancel"):
            return "canceled"
        if not done:
            return "running"
        return "failed" if script.end == "fail" else "finished"

    def progress(self, id: str) -> float:
        """0 to 0.99, by the time that has passed."""
        _, _, script, since, _ = self.book.job(id)
        return min((time.time() - since) / max(script.finish_after_s, 0.001), 0.99)

    @staticmethod
    def good(script: Script, results: int) -> int:
        """How many results are not withheld."""
        return 0 if script.end == "moderate" else results if script.outputs is None else script.outputs

    def key_of(self, id: str) -> int:
        """A new number for an address of a result: addresses die by it, see ``body="expired"``."""
        return self.book.count(f"key {id}")

    def give(self, id: str, place: int, key: int | None = None, **headers: str) -> Answer:
        """The bytes of a result, or what the script has in their place. ``key`` None: the address cannot die."""
        kind, _, script, _, _ = self.book.job(id)
        how, right = script.body, self.files[kind]
        headers = {"Content_Type": "image/png" if kind == "image" else "video/mp4"} | headers
        if how == "expired":
            dead = key is not None and (script.body_times < 0 or key <= script.body_times)
            return Answer(410, b"gone") if dead else Answer(200, right, **headers)
        if how == "large":
            return Answer(200, padded(right), **headers)
        if how == "right" or not self.book.still(f"body {id} {place}", script.body_times):
            return Answer(200, right, **headers)
        if how == "error":
            return Answer(500, b"broken")
        if how == "wrong_type":
            return Answer(200, b"<html>Please sign in</html>" * 50, Content_Type="text/html")
        if how == "other_kind":
            return Answer(200, self.files["image" if kind == "video" else "video"])
        # A body shorter than it says; one whose end cannot be told from the wire; one that goes silent in the middle.
        return Answer(200, right[: len(right) // 2], how=how, length=str(len(right)), **headers)


def padded(content: bytes) -> bytes:
    """The same picture or film, with so much beside it that it is larger than what an answer without a result may be."""
    if not content.startswith(b"\x89PNG"):
        return content + struct.pack(">I4s", 8 + LARGE_BYTES, b"free") + bytes(LARGE_BYTES)
    named = b"paDd" + bytes(LARGE_BYTES)
    end = content.rindex(b"IEND") - 4
    chunk = struct.pack(">I", LARGE_BYTES) + named + struct.pack(">I", zlib.crc32(named))
    return content[:end] + chunk + content[end:]


async def _page(status: str, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What stands between us and a vendor says no; it speaks HTML, and knows nothing of jobs."""
    body = b"<html><h1>Sorry</h1></html>"
    head = f"HTTP/1.1 {status} Sorry\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def form(headers: dict[str, str], body: bytes) -> dict[str, bytes]:
    """The fields of a multipart form, files among them."""
    _, options = parse_options_header(headers["content-type"])
    return {part.name: part.raw for part in MultipartParser(io.BytesIO(body), options["boundary"])}
