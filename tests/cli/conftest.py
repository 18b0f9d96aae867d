"""One warm process for all commands of a run."""

from collections.abc import Iterator

import pytest

from cli.command import warm


@pytest.fixture(scope="session", autouse=True)
def warm_process() -> Iterator[None]:
    with warm():
        yield
