"""A darkroom for each test."""

from collections.abc import AsyncIterator

import pytest

from mutoscope.darkroom.jailed import JailedDarkroom


@pytest.fixture
async def darkroom() -> AsyncIterator[JailedDarkroom]:
    """Ended with the test."""
    room = JailedDarkroom()
    yield room
    await room.close()
