"""A stub of a bucket's server that is too busy: it refuses with SlowDown, and passes the rest on to a real one.

with BusyStub(server.endpoint, rng) as busy:
    place = place_in("ministack", busy.endpoint, "films")
    busy.storm(first=20)         # the next 20 requests are refused
    busy.storm(fraction=0.5)     # every request with this probability, as the dice say
    busy.storm()                 # over
"""

import random
import threading
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import uvicorn

WAIT_S = 10.0
SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message><RequestId>stub</RequestId></Error>"
)
"""What S3 says, with status 503 (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""
OF_THE_CONNECTION = {b"connection", b"transfer-encoding", b"keep-alive"}


class BusyStub:
    """Runs in a thread. ``refused`` and ``passed`` count requests."""

    def __init__(self, upstream: str, rng: random.Random) -> None:
        self._upstream, self._rng = urlsplit(upstream), rng
        self._first, self._fraction = 0, 0.0
        self.refused = self.passed = 0
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._serve, host="127.0.0.1", port=0, loop="asyncio", interface="asgi3", lifespan="on", ws="none",
                log_level="warning", timeout_graceful_shutdown=1,
            )
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, name="busy", daemon=True)
        self.endpoint = ""

    def __enter__(self) -> "BusyStub":
        self._thread.start()
        patience = time.monotonic() + WAIT_S
        while not self._server.started:
            assert time.monotonic() < patience, "the stub does not start"
            time.sleep(0.01)
        self.endpoint = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(WAIT_S)

    def storm(self, first: int = 0, fraction: float = 0.0) -> None:
        """From now on refuse the first so many requests, and then each with that probability."""
        self._first, self._fraction = first, fraction

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
            return
        await receive()
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as self._http:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if self._is_too_much():
            self.refused += 1
            # Read first: who is refused in the middle of sending may see a reset in place of the refusal.
            async for _ in _body(receive):
                pass
            length = (b"content-length", b"%d" % len(SLOW_DOWN))
            start = {"status": 503, "headers": [(b"content-type", b"application/xml"), length]}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body", "body": SLOW_DOWN if scope["method"] != "HEAD" else b""})
        else:
            self.passed += 1
            await self._pass_on(scope, receive, send)

    def _is_too_much(self) -> bool:
        if self._first > 0:
            self._first -= 1
            return True
        return self._rng.random() < self._fraction

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        """With path, query and host as they came: they are what is signed."""
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx2.URL(
            scheme=self._upstream.scheme, host=self._upstream.hostname, port=self._upstream.port,
            raw_path=scope["raw_path"] + query,
        )  # fmt: skip
        headers = _of_the_message(scope["headers"])
        has_body = any(name == b"content-length" and value != b"0" for name, value in headers)
        content = _body(receive) if has_body else None
        request = self._http.build_request(scope["method"], url, headers=headers, content=content)
        response = await self._http.send(request, stream=True)
        try:
            start = {"status": response.status_code, "headers": _of_the_message(response.headers.raw)}
            await send({"type": "http.response.start", **start})
            async for block in response.aiter_raw():
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()


async def _body(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _of_the_message(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in OF_THE_CONNECTION]
