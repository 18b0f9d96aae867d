"""Being canceled while the driver is at work."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def heard() -> Generator[None]:
    """Raise CancelledError at the end where the driver has swallowed it.

    The driver sends through ``asyncio.wait_for``, and that of Python 3.11 loses a cancel that comes just when the bytes are
    sent: the task goes on as if nobody had asked it to end, and whoever waits for its end waits for ever.
    """
    task = asyncio.current_task()
    asked = task.cancelling() if task is not None else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError
