"""One run of a step on a thing that was claimed: under its lease, bounded, and whatever happens the thing is not lost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from mutoscope.domain.errors import StaleFence
from mutoscope.domain.ids import Millis
from mutoscope.store.port import StoreUnavailable
from mutoscope.worker.context import Worker
from mutoscope.worker.lease import under_lease
from mutoscope.worker.moves import log, where

T = TypeVar("T")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What was claimed. ``about`` is what the log says of it; ``renew`` prolongs its lease; ``let_go`` makes it due at once, and ``later`` after a pause.

    ``limit_s`` bounds one run, also where a provider or a disk never answers.
    """

    about: Mapping[str, Any]
    limit_s: float
    renew: Callable[[Millis], Awaitable[None]]
    let_go: Callable[[], Awaitable[None]]
    later: Callable[[], Awaitable[None]]


async def run(worker: Worker, held: Held, work: Callable[[], Awaitable[T]]) -> T | None:
    """What ``work`` gave; None when it came to no end: then it is tried again later, or was never ours any more."""
    try:
        return await under_lease(_bounded(work, held.limit_s), held.renew, worker.clock, worker.numbers.lease_ms)
    except StaleFence:
        log.info("another has it", **held.about)
    except StoreUnavailable as e:
        log.warning("the store does not answer", **held.about, why=str(e))
    except asyncio.CancelledError:
        await _given_up(held, held.let_go)
        raise
    except Exception as e:  # a stage that stumbles never ends the loop
        log.error("stumbled", **held.about, why=type(e).__name__, where=where(e))
        await _given_up(held, held.later)
    return None


async def _bounded(work: Callable[[], Awaitable[T]], limit_s: float) -> T:
    async with asyncio.timeout(limit_s):
        return await work()


async def _given_up(held: Held, way: Callable[[], Awaitable[None]]) -> None:
    try:
        await way()
    except (StaleFence, StoreUnavailable) as e:
        log.info("not let go", **held.about, why=type(e).__name__)
