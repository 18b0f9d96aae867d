"""A job: its states, the one table of transitions, and what the outside sees of them.

A generation is a row that a worker claims, works on for one stage, and hands on. Every write of a worker carries the
fence that its claim returned and names the state that it expects; a write that is late or out of turn is refused.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec

from mutoscope.domain.ids import DAY, HOUR, MINUTE, SECOND, Millis
from mutoscope.domain.media import Kind, Visibility
from mutoscope.domain.source import SourceFit


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    RENDERING = "rendering"
    CANCELING = "canceling"
    OUTCOME_UNKNOWN = "outcome_unknown"
    FETCHING = "fetching"
    DEVELOPING = "developing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


S = State

TRANSITIONS: Mapping[State, frozenset[State]] = {
    S.QUEUED: frozenset({S.SUBMITTING, S.FAILED, S.CANCELED}),
    # Back to queued only when the provider surely did not take the request; straight to fetching when it answers with
    # the result; to canceling when the person asked for it while the request was under way.
    S.SUBMITTING: frozenset({S.QUEUED, S.RENDERING, S.FETCHING, S.CANCELING, S.OUTCOME_UNKNOWN, S.FAILED, S.CANCELED}),
    # Back to queued only at a provider that is idempotent by our reference and lost the job: asking again costs nothing.
    S.RENDERING: frozenset({S.QUEUED, S.FETCHING, S.CANCELING, S.FAILED}),
    # To fetching when the provider had finished first.
    S.CANCELING: frozenset({S.CANCELED, S.FETCHING, S.FAILED}),
    S.OUTCOME_UNKNOWN: frozenset({S.QUEUED, S.RENDERING, S.FETCHING, S.CANCELING, S.FAILED, S.CANCELED}),
    S.FETCHING: frozenset({S.QUEUED, S.DEVELOPING, S.FAILED}),
    # Back to fetching when the spooled bytes are gone.
    S.DEVELOPING: frozenset({S.FETCHING, S.SUCCEEDED, S.FAILED}),
    S.SUCCEEDED: frozenset(),
    # A result that arrives after the tokens went back is fetched and kept, uncharged.
    S.FAILED: frozenset({S.FETCHING}),
    S.CANCELED: frozenset({S.FETCHING}),
}

TERMINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELED})
AT_PROVIDER = frozenset({S.SUBMITTING, S.RENDERING, S.CANCELING})
"""States that take one of the provider's slots and one of the person's."""

PublicStatus = Literal["queued", "in_progress", "succeeded", "failed", "canceled"]

STAGE_DEADLINES_MS: Mapping[State, Millis] = {
    S.QUEUED: DAY,
    S.SUBMITTING: 15 * MINUTE,
    S.RENDERING: 6 * HOUR,
    S.CANCELING: HOUR,
    S.OUTCOME_UNKNOWN: 72 * HOUR,
    S.FETCHING: DAY,
    S.DEVELOPING: 7 * DAY,
}
"""How long a job may stay in a stage before it ends in failure with release. Bytes that we hold are waited for longest."""

TAKEN_OVER_AFTER_MS: Millis = 20 * SECOND
"""How late a job has to be before a worker of another place takes it: its own place is down then, or far behind."""


def may_move(from_: State, to: State) -> bool:
    """Whether the table of transitions has this step."""
    return to in TRANSITIONS[from_]


def public_status(state: State) -> PublicStatus:
    """The five words that an API client needs; ``state`` itself is shown beside it as ``stage``."""
    if state is State.QUEUED:
        return "queued"
    if state in TERMINAL:
        return state.value  # pyright: ignore[reportReturnType]  # the three terminal states are public words
    return "in_progress"


class FailureKind(StrEnum):
    """Why a job failed, in the words of the API. Each provider has one table from its own errors to these."""

    INVALID = "invalid"
    MODERATED = "moderated"
    UNAUTHORIZED = "unauthorized"
    OUT_OF_CREDIT = "out_of_credit"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    RETIRED = "retired"
    EXPIRED = "expired"
    AMBIGUOUS = "ambiguous"
    UNUSABLE = "unusable"
    TIMED_OUT = "timed_out"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """``message`` is for the person and says what to do; ``detail`` is for the administrator."""

    kind: FailureKind
    message: str
    detail: str = ""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Where one result's bytes are: at an address of the provider's, or already in the spool under a file name."""

    url: str | None = None
    spooled: str | None = None
    place: str = ""
    """The place whose spool has the only copy: set for bytes that came with the provider's answer."""
    media_type: str | None = None


class ProviderJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the provider knows it. ``data`` is what its adapter needs to ask again (addresses and such)."""

    id: str
    reference: str
    data: dict[str, str] = {}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The picture that a job starts from: bytes under ``key`` in the blob store."""

    key: str
    mime_type: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    media_id: str | None = None


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What a job was accepted with; a later change of the catalogue changes nothing for it. Money in whole tokens."""

    model: str
    provider: str
    upstream: str
    kind: Kind
    price_each: int
    cancel_fee: int
    typical_ms: Millis
    source: SourceFit | None = None
    """What the picture is made into for the provider; None: it goes as it is."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One job. ``media_ids`` are reserved when it is accepted, one for each result asked for."""

    id: str
    owner_id: str
    state: State
    pinned: Pinned
    prompt: str
    context: str
    """What the category selections add to the prompt when it goes to the provider."""
    negative_prompt: str
    category_selections: dict[str, list[str]]
    parameters: dict[str, Any]
    seed: int
    source: Source | None
    visibility: Visibility
    media_ids: tuple[str, ...]
    created_at: Millis
    updated_at: Millis
    retry_of: str | None = None

    # The worker's columns.
    fence: int = 0
    lease_until: Millis = 0
    worker: str = ""
    home: str = ""
    """The place (a data folder, on some machine) that worked on it last: what it spooled or rendered is there."""
    due_at: Millis = 0
    attempts: int = 0
    """Tries within the present stage; back to 0 with each transition."""
    stage_since: Millis = 0
    cancel_requested_at: Millis | None = None
    job: ProviderJob | None = None
    outputs: tuple[Output, ...] = ()

    # What people see of the way.
    version: int = 1
    progress: float | None = None
    """0 to 1, as the provider says; None when it does not say."""
    submitted_at: Millis | None = None
    finished_at: Millis | None = None
    failure: Failure | None = None
    delivered: tuple[str, ...] = ()
    """The media that came of it, in the order asked for."""
    captured: int | None = None
    """Tokens taken for it; None while the hold is open."""

    @property
    def hold(self) -> int:
        """Tokens set aside: the price of every result asked for."""
        return self.pinned.price_each * len(self.media_ids)

    @property
    def settled(self) -> bool:
        """Whether the hold has been settled: what comes now is kept uncharged."""
        return self.captured is not None


def found(generation: Generation, job: ProviderJob) -> ProviderJob:
    """A job that was found again, maybe by nothing but its id, with the model that was asked: some are asked for by both."""
    return msgspec.structs.replace(job, data={"upstream": generation.pinned.upstream} | job.data)


def shown_progress(generation: Generation, now: Millis) -> tuple[float | None, Literal["provider", "estimate"] | None]:
    """How far the job is, 0 to 1, and who says so: the provider, or past runs of that model (which never claim 1)."""
    if generation.state is State.SUCCEEDED:
        return 1.0, "provider"
    if generation.state in {State.FETCHING, State.DEVELOPING}:
        return 0.99, "provider"
    if generation.progress is not None:
        return min(max(generation.progress, 0.0), 0.99), "provider"
    if generation.submitted_at is not None and generation.state not in TERMINAL and generation.pinned.typical_ms:
        return min(max(now - generation.submitted_at, 0) / generation.pinned.typical_ms, 0.95), "estimate"
    return None, None


def poll_after_ms(typical_ms: Millis, provider_minimum_ms: Millis) -> Millis:
    """The pause between two polls: a twentieth of the usual time, within the provider's minimum and 30 s."""
    return max(provider_minimum_ms, min(typical_ms // 20, 30_000))


def backoff_ms(attempts: int, base_ms: Millis = 500, cap_ms: Millis = 60_000) -> Millis:
    """The pause before try ``attempts + 1``: doubling from ``base_ms``, at most ``cap_ms``."""
    return min(base_ms * 2 ** min(attempts, 20), cap_ms)
