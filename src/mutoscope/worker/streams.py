"""Streams of bytes that may go silent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from mutoscope.domain.ids import Millis


class Stalled(Exception):
    """The next bytes did not come in time."""


async def patiently(chunks: AsyncIterator[bytes], stall_ms: Millis) -> AsyncGenerator[bytes, None]:
    """The same chunks. Raises Stalled when the next one does not come within ``stall_ms``; closes the stream."""
    try:
        while True:
            try:
                async with asyncio.timeout(stall_ms / 1000):
                    chunk = await anext(chunks)
            except TimeoutError as e:
                raise Stalled from e
            yield chunk
    except StopAsyncIteration:
        return
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
