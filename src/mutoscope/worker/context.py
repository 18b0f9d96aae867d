"""What every stage works with: the ports, the providers by name, the clock, and the numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from mutoscope.blobs.port import Blobs
from mutoscope.darkroom.port import Darkroom, MediaLimits
from mutoscope.domain.generation import STAGE_DEADLINES_MS, FailureKind, Generation, State
from mutoscope.domain.ids import DAY, HOUR, MINUTE, SECOND, Clock, Millis
from mutoscope.providers.port import Provider, ProviderError
from mutoscope.spool import Spool
from mutoscope.store.port import Limits, Store

MIB = 1024 * 1024


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may want to turn. Times are in milliseconds of the real clock unless they say otherwise."""

    lease_ms: Millis = 30 * SECOND
    """How long a claim holds without a sign of life; after a crash, a job in hand waits this long."""
    tick_ms: Millis = SECOND
    """How long a line rests at most before it looks for work again."""
    stop_ms: Millis = 10 * SECOND
    """How long running stages may go on when the worker is asked to stop, before they are let go."""
    stall_ms: Millis = MINUTE
    """How long a stream may be silent before it is given up and begun again."""
    gone_after_ms: Millis = 30 * SECOND
    """From when on a provider that says "I never had it" is believed: a request may still be on its way before that."""
    retry_base_ms: Millis = SECOND
    """The first pause after a failure; it doubles with each try."""
    retry_cap_ms: Millis = MINUTE
    """The longest pause after a failure."""
    free_bytes: int = 32 * MIB
    """Nothing is ordered from a provider while the spool's disk has less room than this."""
    jobs_per_person: int = 4
    """How many jobs one person may have at providers at once."""
    at_once: Mapping[str, int] = {}
    """How many jobs of a stage run at once, by the stage's name, where it differs from the table in loop.py."""
    preview_ms: Millis = 10 * MINUTE
    """How long the previews of one item, or its blurred files, may take."""
    preview_attempts: int = 5
    """How often a darkroom that breaks over the same item is tried."""
    sweep_ms: Millis = HOUR
    """How often folders and events are swept."""
    audit_ms: Millis = DAY
    """How often stored objects are compared with the records: it lists all of them."""
    folder_age_ms: Millis = DAY
    """How old a spool folder without a living job is before it is removed."""
    object_age_ms: Millis = 14 * DAY
    """How old an object without a record is before it is removed: longer than all stages of a job together."""
    event_age_ms: Millis = 7 * DAY
    """How long events are kept."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """All that the stages need.

    ``name`` tells this worker from others in the store (host and process id will do). ``place`` names the data
    folder among those of other machines that share the store; empty where there is only this one. ``deadlines`` are
    STAGE_DEADLINES_MS with the operator's own hours for OUTCOME_UNKNOWN. ``model_name`` turns a model's id into its
    name in the catalogue, for descriptions (it may raise UnknownModel). ``leftovers`` are further folders that hold one
    folder for each job, such as the local provider's: those of jobs that do not live are swept from them too.
    ``webhook_base`` is the studio's own address, where providers may call it; None where they cannot.
    """

    name: str
    place: str = ""
    store: Store
    blobs: Blobs
    darkroom: Darkroom
    spool: Spool
    providers: Mapping[str, Provider]
    clock: Clock
    media_limits: MediaLimits
    numbers: Numbers = field(default_factory=Numbers)
    deadlines: Mapping[State, Millis] = field(default_factory=lambda: STAGE_DEADLINES_MS)
    model_name: Callable[[str], str] = str
    leftovers: Sequence[Spool] = ()
    webhook_base: str | None = None

    def provider_of(self, job: Generation) -> Provider:
        """The provider that the job was accepted for, never another. Raises ProviderError ``unavailable`` without it."""
        provider = self.providers.get(job.pinned.provider)
        if provider is None:
            raise ProviderError(
                FailureKind.UNAVAILABLE,
                "This model's provider is not set up here at the moment.",
                f"set up the provider {job.pinned.provider!r} again, or wait for the deadline",
            )
        return provider

    def limits(self) -> Limits:
        """How many jobs may be at each provider, and at all of them for one person."""
        return Limits(
            per_provider={name: provider.slots for name, provider in self.providers.items()},
            per_person=self.numbers.jobs_per_person,
        )
