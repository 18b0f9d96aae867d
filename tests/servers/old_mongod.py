"""A socket that says what an old mongod says of itself, for versions that no package index has.

It speaks the wire protocol as far as a driver asks before it refuses
(https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/): `hello` in OP_QUERY and OP_MSG, and `buildInfo`.
Everything else is answered with an empty success, so that only the version can be the reason of a refusal.
"""

import socketserver
import struct
import threading
from typing import Any

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADER = struct.Struct("<iiii")
"""Length of the message, its own id, the id of the message that it answers, the kind of message."""


class OldMongod:
    """The primary of a replica set of one, of that version."""

    def __init__(self, version: str, wire_version: int) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Talk)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._server.answers = _answers(self.address, version, wire_version)  # pyright: ignore[reportAttributeAccessIssue]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "OldMongod":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _answers(address: str, version: str, wire_version: int) -> dict[str, dict[str, Any]]:
    hello = {
        "isWritablePrimary": True, "ismaster": True, "setName": "rs0", "me": address, "hosts": [address],
        "primary": address, "minWireVersion": 0, "maxWireVersion": wire_version, "maxBsonObjectSize": 16_777_216,
    }  # fmt: skip
    return {"hello": hello, "ismaster": hello, "isMaster": hello, "buildInfo": {"version": version}}


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while header := self.rfile.read(HEADER.size):
            length, id, _, kind = HEADER.unpack(header)
            body = self.rfile.read(length - HEADER.size)
            if kind == OP_QUERY:
                answer = self._answer(body[body.index(b"\0", 4) + 9 :])
                self._send(id, OP_REPLY, struct.pack("<iqii", 0, 0, 0, 1) + answer)
            elif kind == OP_MSG:
                self._send(id, OP_MSG, b"\0\0\0\0\0" + self._answer(body[5:]))

    def _answer(self, command: bytes) -> bytes:
        answers: dict[str, dict[str, Any]] = self.server.answers  # pyright: ignore[reportAttributeAccessIssue]
        return bson.encode(answers.get(next(iter(bson.decode(command))), {}) | {"ok": 1.0})

    def _send(self, to: int, kind: int, body: bytes) -> None:
        self.wfile.write(HEADER.pack(HEADER.size + len(body), 0, to, kind) + body)
