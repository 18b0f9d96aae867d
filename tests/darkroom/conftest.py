"""One darkroom for all tests of a file, as a server has one; those of the jail kill theirs and have their own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from mutoscope.darkroom.jailed import JailedDarkroom


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def darkroom() -> AsyncIterator[JailedDarkroom]:
    """Ended with the file's last test."""
    room = JailedDarkroom()
    yield room
    await room.close()
