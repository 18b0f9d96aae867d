"""The blob stores that the contract is tried on. A new one is one line here, and no test is left out for it."""

from collections.abc import Callable
from pathlib import Path

from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.port import Blobs

BACKENDS: dict[str, Callable[[Path], Blobs]] = {
    "folder": lambda place: FolderBlobs(place / "media"),
}
"""How to open each, given a place that names it: the same place is the same store, also from another process."""
