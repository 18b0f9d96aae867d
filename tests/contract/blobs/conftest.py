"""One store of every backend for each test, and keys for it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backends import BACKENDS, SERVERS, variable

import cast
from mutoscope.blobs.port import Blobs
from mutoscope.domain.media import Kind, Variant, key_for
from servers.s3 import S3Server

CHILD = [sys.executable, str(Path(__file__).parent / "child.py")]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], S3Server]]:
    """Starts a server the first time that it is asked for."""
    running: dict[str, S3Server] = {}

    def start(name: str) -> S3Server:
        if name not in running:
            running[name] = S3Server(name, tmp_path_factory.mktemp(name))
            os.environ[variable(name)] = running[name].endpoint
        return running[name]

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest, serve: Callable[[str], S3Server]) -> str:
    """The backend's name; its server runs."""
    if request.param in SERVERS:
        serve(SERVERS[request.param])
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
