"""What a provider can do. An adapter turns a provider's own words into these and holds no state that a restart would lose."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Kind


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """The picture to start from, as a file on this machine."""

    path: Path
    mime_type: str
    width: int
    height: int


Keep = Callable[[int, AsyncIterator[bytes]], Awaitable[Output]]
"""Takes the place of a result, from 0, and its bytes; returns what says where they are.

What the bytes raise it raises too, and then keeps nothing of them: so who learns at the end of the bytes that they are
no result (that they were moderated, say) raises it there. Raises ProviderError ``invalid`` when they are too many.
"""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to make. ``reference`` is our own id for the job and goes out wherever the provider takes one.

    ``keep`` is for providers that answer with the bytes themselves: it streams them to this job's own folder, ``spool``,
    before anything else happens to them. ``webhook_url`` is where the provider may tell us that something
    happened; None where this studio has no address that it could reach.
    """

    reference: str
    upstream: str
    kind: Kind
    prompt: str
    negative_prompt: str
    parameters: Mapping[str, Any]
    seed: int
    results: int
    source: SourceFile | None
    spool: Path
    keep: Keep
    webhook_url: str | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The provider took the job."""

    job: ProviderJob


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Not yet. ``progress`` is 0 to 1 where the provider says."""

    progress: float | None = None
    poll_after_ms: Millis | None = None


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """Done: where the bytes are. Fewer outputs than were asked for means that some were withheld, for ``withheld``."""

    outputs: tuple[Output, ...]
    withheld: str = ""


class Canceled(msgspec.Struct, frozen=True, kw_only=True):
    """The provider stopped, at our request or by itself."""


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """The provider says that it never had such a job."""


class CannotTell(msgspec.Struct, frozen=True, kw_only=True):
    """The provider has no way to say whether it has a job of that reference."""


class ProviderError(Exception):
    """One error for all providers. ``message`` is for the person; ``detail`` for the administrator, without secrets."""

    def __init__(self, kind: FailureKind, message: str, detail: str = "", retry_after_ms: Millis | None = None) -> None:
        super().__init__(f"{kind}: {message} {detail}".strip())
        self.kind = kind
        self.message = message
        self.detail = detail
        self.retry_after_ms = retry_after_ms


class Provider(Protocol):
    """One provider. Every call may raise ProviderError; ``ambiguous`` from submit means: it may have been taken."""

    name: str
    slots: int
    """How many jobs it may have at once."""
    minimum_poll_ms: Millis
    idempotent_by_reference: bool
    """Whether a second submit with the same reference is the same job, never another."""
    repeats_free: bool
    """Whether making a job again costs nobody anything: one that is lost, with the machine that had it, is made again."""
    elsewhere: bool
    """Whether the operator named another server than the provider's own: models that ended there may live here."""

    async def submit(self, order: Order) -> Accepted | Finished:
        """Ask for it, once. Rate_limited and unavailable mean that it was surely not taken."""
        ...

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """How it stands. A job that failed raises ProviderError. Also gives fresh addresses for a finished one."""
        ...

    def open(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes of an output that has an address. Raises ProviderError ``expired`` when the address is dead."""
        ...

    async def cancel(self, job: ProviderJob) -> Canceled | Finished | Pending:
        """Ask to stop. Finished when it was done first; Pending when the provider has not said yet."""
        ...

    async def find(self, reference: str) -> ProviderJob | Gone | CannotTell:
        """Whether the provider has a job of our reference: asked after a crash between intent and answer."""
        ...

    async def forget(self, job: ProviderJob) -> None:
        """The result is kept on our side: the provider's copy may go. Best effort."""
        ...

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """The delivery's own id, by which a repeated one is known. ``headers`` have lower-case names.

        Raises ProviderError ``unauthorized`` unless the call surely comes from the provider, ``unavailable`` when that
        cannot be told now.
        """
        ...

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        """The job that a verified call is about, where its words name it: for a job whose own answer was lost."""
        ...

    async def check(self) -> str | None:
        """Try the key, where that costs nothing, and say in a few words what was found; None: nothing can be tried.

        Raises ProviderError: ``unauthorized`` for a key that is wrong, ``out_of_credit``, ``unavailable`` ...
        """
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...
