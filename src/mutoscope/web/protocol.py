"""HTTP as uvicorn speaks it, with a bound on what may come before anything comes of it.

Neither uvicorn nor its parser bounds a request's head or a body's trailers: a stranger could fill the memory with one
header field.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""What a request line and its header fields may have; looked at when the next piece comes, so one piece more may pass."""

REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: application/problem+json\r\n"
    b"content-length: %d\r\n\r\n%s"
)
PROBLEM = (
    b'{"type":"about:blank","title":"Request Header Fields Too Large","status":431,"code":"head_too_large",'
    b'"detail":"The address and the header fields may have 64 KiB together."}'
)


class BoundedHttp(HttpToolsProtocol):
    """One connection. Counts the bytes since the last event that they led to."""

    _waiting_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take a piece, unless what came before is too much already."""
        if self._waiting_bytes > HEAD_BYTES:
            if self.cycle is None or self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]  # None at first
                self.transport.write(REFUSAL % (len(PROBLEM), PROBLEM))
            self.transport.close()
            return
        self._waiting_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._waiting_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._waiting_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body is there."""
        self._waiting_bytes = 0
        super().on_body(body)
