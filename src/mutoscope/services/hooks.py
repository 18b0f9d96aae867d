"""Calls of providers: a call is verified, recorded once, and then only wakes the job up: the worker asks the provider.

A signature may stand for the provider and not for our account there, and may not cover the address that was called. So
what a call says is believed in one thing alone: which job at the provider it is about, where that answer was lost.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import structlog

from mutoscope.domain.errors import Forged, NotFound, Unavailable, WrongState
from mutoscope.domain.generation import FailureKind, Generation, ProviderJob, State
from mutoscope.domain.ids import Clock, is_id
from mutoscope.providers.port import Provider, ProviderError
from mutoscope.services.outcomes import bring_home
from mutoscope.store.port import Store

log = structlog.get_logger("mutoscope.hooks")

Heard = Literal["woken", "found", "repeated", "idle", "unknown_job"]
"""The job was woken, or found again after its answer was lost; the delivery was seen before; the job is at a stage that
needs no call, or has ended; there is no such job of this provider."""

WAITING = frozenset({State.RENDERING, State.CANCELING, State.OUTCOME_UNKNOWN})
GIVEN_UP = frozenset({FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS})
"""Failures that say nothing of what the provider did."""


class Hooks:
    """What the public route calls."""

    def __init__(self, store: Store, providers: Mapping[str, Provider], clock: Clock, wake: Callable[[], None]) -> None:
        self._store, self._providers, self._clock, self._wake = store, providers, clock, wake

    def check(self, provider: str, reference: str) -> None:
        """Raises NotFound for an address that we have given to nobody."""
        if provider not in self._providers or not is_id(reference, "gen"):
            raise NotFound("There is nothing at this address.")

    async def receive(self, provider: str, reference: str, headers: Mapping[str, str], body: bytes) -> Heard:
        """Take a call in; header names are in lower case. Nothing is read or written before the signature is right.

        Raises NotFound, Forged, Unavailable when that cannot be told now.
        """
        self.check(provider, reference)
        delivery = await self._verify(provider, headers, body)
        named, now = self._named(provider, reference, body), self._clock.now()
        new = await self._store.hooks.record(provider, delivery, reference, now, named)
        job = await self._store.generations.get(reference)
        heard = await self._act(provider, job, new)
        log.info("a provider called", provider=provider, generation=reference, heard=heard)
        return heard

    async def _verify(self, provider: str, headers: Mapping[str, str], body: bytes) -> str:
        try:
            return await self._providers[provider].verify_webhook(headers, body)
        except ProviderError as e:
            if e.kind is not FailureKind.UNAUTHORIZED:
                raise Unavailable("Whether this call is the provider's cannot be told now. Send it again.") from e
        except Exception as e:  # whatever a stranger sends, an adapter that stumbles over it has not verified it
            log.error("a call could not be verified", provider=provider, why=type(e).__name__)
        raise Forged("This call does not surely come from the provider.")

    def _named(self, provider: str, reference: str, body: bytes) -> ProviderJob | None:
        try:
            return self._providers[provider].job_of_webhook(reference, body)
        except Exception as e:  # the call counts without its words
            log.error("a call could not be read", provider=provider, generation=reference, why=type(e).__name__)
            return None

    async def _act(self, provider: str, job: Generation | None, new: bool) -> Heard:
        if job is None or job.pinned.provider != provider:
            return "unknown_job"
        # As it was recorded: a delivery that was sent on to another address names nothing there.
        if is_lost(job) and (named := await self._store.hooks.job(provider, job.id)) is not None:
            return await self._found(job, named)
        if job.state not in WAITING:
            return "idle"
        if not new:
            return "repeated"
        await self._store.generations.wake(job.id, self._clock.now())
        self._wake()
        return "woken"

    async def _found(self, job: Generation, named: ProviderJob) -> Heard:
        try:
            await bring_home(self._store, job, named, self._clock.now())
        except WrongState:  # the worker was faster
            return "idle"
        self._wake()
        return "found"


def is_lost(job: Generation) -> bool:
    """Whether nobody here knows what the provider made of a job: it waits for word, or was given up without any."""
    if job.job is not None:
        return False
    if job.state is State.FAILED:
        return job.failure is not None and job.failure.kind in GIVEN_UP
    return job.state in {State.OUTCOME_UNKNOWN, State.CANCELED}
