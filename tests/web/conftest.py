"""A house for each test; the darkroom is shared."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import Darkroom
from web.house import House, open_house


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    """The real darkroom."""
    darkroom = JailedDarkroom()
    yield darkroom
    await darkroom.close()


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, darkroom: Darkroom) -> AsyncIterator[House]:
    """A studio with alice, bob, and carol who administers."""
    async with open_house(tmp_path, darkroom) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lasting(tmp_path_factory: pytest.TempPathFactory, darkroom: Darkroom) -> AsyncIterator[House]:
    """A studio that the tests of a module share: nobody moves its clock or counts on what is not theirs."""
    async with open_house(tmp_path_factory.mktemp("house"), darkroom) as house:
        yield house
