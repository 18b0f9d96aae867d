"""The servers that studios of these tests keep things in, shared by all tests of this process."""

from collections.abc import Iterator

import pytest

from crash.backends import Servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("servers"))
    yield servers
    servers.stop()
