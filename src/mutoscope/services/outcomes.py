"""Jobs whose outcome nobody knows, and the administrator who looks it up at the provider."""

from collections.abc import Callable

from mutoscope.domain.errors import Invalid, NotFound
from mutoscope.domain.generation import Failure, FailureKind, Generation, ProviderJob, State, found
from mutoscope.domain.ids import Clock, Millis, is_id
from mutoscope.domain.people import Person, administer
from mutoscope.store.port import GenerationFilter, Page, Store

UNKNOWN = frozenset({State.OUTCOME_UNKNOWN})
PROVIDER_JOB_CHARS = 500
WHAT = "resolves the outcome of a job"


async def bring_home(store: Store, generation: Generation, job: ProviderJob, now: Millis) -> Generation:
    """The provider has it: the job goes on from there and is asked for, never ordered again. One that failed or was
    canceled meanwhile brings its result to its owner, uncharged. Raises WrongState when the job is neither.
    """
    job = found(generation, job)
    if generation.state in {State.FAILED, State.CANCELED}:
        return await store.generations.late(generation.id, now, job)
    return await store.generations.settle_unknown(generation.id, now, job, None)


class Outcomes:
    """The verbs, each for administrators alone (Forbidden)."""

    def __init__(self, store: Store, clock: Clock, wake: Callable[[], None]) -> None:
        self._store, self._clock, self._wake = store, clock, wake

    async def unknown(self, by: Person, cursor: str | None, limit: int) -> Page[Generation]:
        """Everyone's jobs of unknown outcome, newest first."""
        administer(by, WHAT)
        return await self._store.generations.list(GenerationFilter(states=UNKNOWN), cursor, limit)

    async def found(self, by: Person, id: str, provider_job: str) -> Generation:
        """The provider has it, under its own id ``provider_job``: see `bring_home`. Raises NotFound, Invalid, WrongState."""
        generation = await self._existing(by, id)
        if not (0 < len(provider_job) <= PROVIDER_JOB_CHARS and provider_job.isprintable()):
            raise Invalid(
                "That is no id of a provider's job.",
                {"provider_job": f"1 to {PROVIDER_JOB_CHARS} printable characters"},
            )
        job = ProviderJob(id=provider_job, reference=id)
        resolved = await bring_home(self._store, generation, job, self._clock.now())
        self._wake()
        return resolved

    async def failed(self, by: Person, id: str) -> Generation:
        """The provider has nothing: the job fails, and its tokens go back. Raises NotFound, WrongState."""
        await self._existing(by, id)
        failure = Failure(
            kind=FailureKind.AMBIGUOUS,
            message="The provider never told what became of this job. Your tokens are back; you can try again.",
            detail=f"resolved by {by.name}",
        )
        return await self._store.generations.settle_unknown(id, self._clock.now(), None, failure)

    async def _existing(self, by: Person, id: str) -> Generation:
        administer(by, WHAT)
        generation = await self._store.generations.get(id) if is_id(id, "gen") else None
        if generation is None:
            raise NotFound("There is no such job.")
        return generation
