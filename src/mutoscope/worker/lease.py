"""The heartbeat: while a stage runs its lease is renewed; without the lease the stage is stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from mutoscope.domain.errors import StaleFence
from mutoscope.domain.ids import Clock, Millis
from mutoscope.store.port import StoreUnavailable

T = TypeVar("T")


async def under_lease(
    work: Coroutine[Any, Any, T], renew: Callable[[Millis], Awaitable[None]], clock: Clock, lease_ms: Millis
) -> T:
    """What ``work`` returns or raises. Raises StaleFence when another holder took over; then the work was canceled.

    ``renew`` is given the new end of the lease, at every third of it; while the store does not answer, the work goes on
    as long as the old lease lasts.
    """
    working = asyncio.ensure_future(work)
    beating = asyncio.ensure_future(_beat(renew, clock, lease_ms))
    try:
        await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        await _stop(working)
        # The last write of the work may itself have ended the lease: then its word counts.
        return beating.result() if working.cancelled() else working.result()
    finally:
        await _stop(working)
        await _stop(beating)


async def _beat(renew: Callable[[Millis], Awaitable[None]], clock: Clock, lease_ms: Millis) -> Any:
    lease_until = clock.now() + lease_ms
    while True:
        await asyncio.sleep(lease_ms / 3000)
        now = clock.now()
        try:
            await renew(now + lease_ms)
            lease_until = now + lease_ms
        except StoreUnavailable as e:
            if now >= lease_until:
                raise StaleFence("the lease ran out while the store did not answer") from e


async def _stop(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as forgotten
