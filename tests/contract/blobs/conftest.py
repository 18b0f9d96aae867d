"""One store of every backend for each test, and keys for it."""

import sys
from pathlib import Path

import pytest
from backends import BACKENDS

import cast
from mutoscope.blobs.port import Blobs
from mutoscope.domain.media import Kind, Variant, key_for

CHILD = [sys.executable, str(Path(__file__).parent / "child.py")]


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """The backend's name."""
    return request.param


@pytest.fixture
def blobs(backend: str, tmp_path: Path) -> Blobs:
    """An empty store of that backend in the place ``tmp_path``."""
    return BACKENDS[backend](tmp_path)


@pytest.fixture
def key() -> str:
    """The key of a film that nobody else has."""
    return key_for(Kind.VIDEO, cast.ids.new("med"), Variant.MASTER, "video/mp4")


@pytest.fixture
def child() -> list[str]:
    """The command of a process of its own; what it does follows."""
    return CHILD
