"""A certificate authority for all tests."""

import pytest

from outgoing.far import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority of the tests' own."""
    return Authority(tmp_path_factory.mktemp("authority"))
