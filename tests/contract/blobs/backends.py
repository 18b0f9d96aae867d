"""The blob stores that the contract is tried on. A new one is one line here, and no test is left out for it."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.port import Blobs
from mutoscope.blobs.s3 import open_s3
from mutoscope.domain.ids import SystemClock
from servers.s3 import place_in

SERVERS = {"s3-ministack": "ministack", "s3-radosgw": "radosgw"}
"""Backends that need a server, and which; its address is in the environment, for child processes too."""


def variable(server: str) -> str:
    """The environment variable that holds a server's address."""
    return f"MUTOSCOPE_TEST_{server.upper()}"


def bucket(server: str) -> Callable[[Path], Blobs]:
    """Opens a bucket of its own for each place."""

    def open_(place: Path) -> Blobs:
        name = "place-" + hashlib.sha256(str(place).encode()).hexdigest()[:24]
        return open_s3(place_in(server, os.environ[variable(server)], name), SystemClock())

    return open_


BACKENDS: dict[str, Callable[[Path], Blobs]] = {
    "folder": lambda place: FolderBlobs(place / "media"),
    "s3-ministack": bucket("ministack"),
    "s3-radosgw": bucket("radosgw"),
}
"""How to open each, given a place that names it: the same place is the same store, also from another process."""
