"""What a store can do: operations that are atomic by name. There are no sessions and no half steps.

Every operation either happened whole and durably when it returns, or raised and changed nothing. Money moves in the
same commit as what it pays for. Each operation that changes something people see also appends its events in that commit.
A backend that cannot be reached, is full, or broke raises `StoreUnavailable`; other exceptions are named at the operation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from mutoscope.domain.catalogue import Retired
from mutoscope.domain.events import Event
from mutoscope.domain.generation import Failure, Generation, Output, ProviderJob, State
from mutoscope.domain.ids import Millis
from mutoscope.domain.invites import Invite
from mutoscope.domain.keys import ApiKey
from mutoscope.domain.ledger import Balance, Entry
from mutoscope.domain.limits import Bucket
from mutoscope.domain.media import Media, StoredFile, Variant
from mutoscope.domain.people import OneTimeLink, Person, Purpose, Session
from mutoscope.domain.search import Query
from mutoscope.domain.unlocking import Unlock, Wish


class StoreUnavailable(Exception):
    """The store could not be reached, is full, or broke; nothing was changed."""


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker writes beside the state. What is UNSET stays."""

    due_at: Millis | UnsetType = UNSET
    progress: float | None | UnsetType = UNSET
    job: ProviderJob | None | UnsetType = UNSET
    outputs: tuple[Output, ...] | UnsetType = UNSET
    submitted_at: Millis | None | UnsetType = UNSET
    home: str | UnsetType = UNSET


NOTHING = Patch()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs may be at a provider (by its name), and at all providers for one person."""

    per_provider: Mapping[str, int]
    per_person: int


class GenerationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list: of one person or of all, in some states or in any."""

    owner_id: str | None = None
    states: frozenset[State] | None = None


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some rows, and the cursor that continues after them; None at the end."""

    items: Sequence[T]
    next: str | None


class Generations(Protocol):
    """Jobs."""

    async def accept(self, generation: Generation, key: str | None, body_hash: str) -> tuple[Generation, bool]:
        """Insert the job and hold its price, in one commit. Returns the job, and whether it stood there before.

        With an idempotency ``key`` the owner's earlier job of the same key is returned instead, nothing held.
        Raises IdempotencyMismatch when that one had another ``body_hash``, NotEnoughTokens when available < hold.
        """
        ...

    async def of_key(self, owner_id: str, key: str, body_hash: str, now: Millis) -> Generation | None:
        """The owner's earlier job of an idempotency key, as it is now; None while the key is free.

        A look ahead: only ``accept`` decides. Raises IdempotencyMismatch when that job had another ``body_hash``.
        """
        ...

    async def get(self, id: str) -> Generation | None:
        """The job."""
        ...

    async def list(self, filter: GenerationFilter, cursor: str | None, limit: int) -> Page[Generation]:
        """Jobs, newest first. Raises Invalid for a cursor that is not one of ours."""
        ...

    async def claim(
        self,
        states: frozenset[State],
        worker: str,
        now: Millis,
        lease_until: Millis,
        limits: Limits,
        place: str = "",
    ) -> Generation | None:
        """Take one job that is due (``due_at <= now``) and not under a lease: sets the lease, adds one to the fence.

        A ``place`` becomes the job's ``home``; a job that has begun and has another home is left to it until it is
        TAKEN_OVER_AFTER_MS late. Without a place every job may be taken, and stays at home where it is.

        A queued job is given only within ``limits``, counted over jobs in AT_PROVIDER states and queued ones under a
        lease; among queued jobs the owner with the fewest there comes first, then the oldest job. Others: earliest
        ``due_at`` first. None when there is nothing.
        """
        ...

    async def next_due(self, states: frozenset[State]) -> Millis | None:
        """When the earliest job in those states falls due or its lease ends; None when there is none."""
        ...

    async def renew(self, id: str, fence: int, lease_until: Millis) -> None:
        """Prolong a lease that is held. Raises StaleFence, also when it was given up."""
        ...

    async def advance(
        self, id: str, fence: int, from_: State, to: State, now: Millis, patch: Patch = NOTHING
    ) -> Generation:
        """Move a job along the table of transitions, give up the lease, reset ``attempts``; due now unless patched.

        A move out of SUBMITTING to RENDERING goes to CANCELING instead when the person asked for a cancel meanwhile.
        Raises StaleFence when the fence or the state is no longer so; ValueError when the table has no such step or
        ``to`` is terminal.
        """
        ...

    async def begin(self, id: str, fence: int, now: Millis, lease_until: Millis) -> Generation:
        """QUEUED to SUBMITTING, keeping the lease: the intent, committed before the provider is asked. Raises StaleFence."""
        ...

    async def postpone(
        self, id: str, fence: int, state: State, now: Millis, due_at: Millis, patch: Patch = NOTHING
    ) -> Generation:
        """Stay in the state, give up the lease, try again at ``due_at``; counts an attempt. Raises StaleFence.

        Writes an event only when something that people see has changed.
        """
        ...

    async def publish(self, id: str, fence: int, now: Millis, media: Sequence[Media], captured: int) -> Generation:
        """DEVELOPING to SUCCEEDED: insert the items, settle the hold (``captured``; the rest is released), one commit.

        A hold that was settled before stays as it was: the items are kept, uncharged. Raises StaleFence.
        """
        ...

    async def finish(
        self, id: str, fence: int, from_: State, to: State, now: Millis, failure: Failure | None, captured: int = 0
    ) -> Generation:
        """End in FAILED or CANCELED and settle the hold, in one commit (a hold settled before stays). Raises StaleFence."""
        ...

    async def cancel(self, id: str, now: Millis) -> Generation:
        """The person's wish, in one commit. QUEUED without a lease: canceled, all released. RENDERING: canceling, the
        lease broken. QUEUED under a lease, SUBMITTING and OUTCOME_UNKNOWN: noted, for the worker to honour. CANCELING
        or noted before: as it is. Raises WrongState when the provider has finished (FETCHING and after) or the job ended.
        """
        ...

    async def wake(self, id: str, now: Millis) -> None:
        """Make a job due now; nothing else changes. Unknown ids are ignored."""
        ...

    async def settle_unknown(
        self, id: str, now: Millis, job: ProviderJob | None, failure: Failure | None
    ) -> Generation:
        """An administrator's answer to OUTCOME_UNKNOWN: the provider has it (``job``: to RENDERING), or it failed
        (``failure``: to FAILED with release). Raises WrongState in any other state.
        """
        ...

    async def late(self, id: str, now: Millis, job: ProviderJob) -> Generation:
        """A result turned up for a job that FAILED or was CANCELED: to FETCHING, uncharged. Raises WrongState."""
        ...


class Ledger(Protocol):
    """Tokens."""

    async def post(self, entry: Entry) -> bool:
        """Append an entry (grant, adjust). False when the same (kind, reference) was booked before.

        Raises IdempotencyMismatch when that was for another amount or person, NotEnoughTokens.
        """
        ...

    async def balance(self, person_id: str) -> Balance:
        """What a person has."""
        ...

    async def statement(self, person_id: str, cursor: str | None, limit: int) -> Page[tuple[Entry, int]]:
        """A person's entries, newest first, each with the available balance after it."""
        ...

    async def proof(self) -> list[str]:
        """What does not add up: cached balances against sums, negative balances, open holds without a running job and
        the reverse. Empty when all is right.
        """
        ...


class Unlocks(Protocol):
    """Purchases that open an item to a buyer."""

    async def buy(self, wish: Wish, share_percent: int, now: Millis) -> tuple[Unlock, bool]:
        """Debit the buyer, credit the owner, keep the right and count it, in one commit. Returns the unlock, and whether
        it stood there before: an item is bought once, and a wish of an earlier key gets that key's unlock, also a
        refunded one; then nothing is charged.

        Raises what `unlocking.sell` and `unlocking.same` raise, and NotEnoughTokens.
        """
        ...

    async def refund(self, id: str, now: Millis) -> Unlock:
        """Take the right back and reverse the entries on both sides, in one commit; one that was refunded stays as it is.

        Raises NotFound.
        """
        ...

    async def bought(self, buyer_id: str, media_ids: Sequence[str]) -> frozenset[str]:
        """Which of the items the buyer has unlocked."""
        ...

    async def list(self, media_id: str | None, cursor: str | None, limit: int) -> Page[Unlock]:
        """Unlocks of one item or of all, newest first, refunded ones too. Raises Invalid for a cursor that is not ours."""
        ...


class Blur(msgspec.Struct, frozen=True, kw_only=True):
    """A locked item whose blurred files are to be made, taken under a lease."""

    item: Media
    fence: int
    attempts: int


class MediaStore(Protocol):
    """Items."""

    async def get(self, id: str) -> Media | None:
        """The item, also from the trash."""
        ...

    async def of_generation(self, generation_id: str) -> Sequence[Media]:
        """The items that came of a job, in order."""
        ...

    async def search(self, scope: str, query: Query, withheld_too: bool, cursor: str | None, limit: int) -> Page[Media]:
        """Items that have the term ``scope`` and fit the query. Without ``withheld_too`` only open terms count.

        Raises Invalid for a cursor that is not one of ours or belongs to another sort.
        """
        ...

    async def change(self, item: Media, expected_version: int, now: Millis) -> Media:
        """Replace an item's record and its search terms if its version is still the expected one. Raises Conflict."""
        ...

    async def claim_previews(self, worker: str, now: Millis, lease_until: Millis) -> Media | None:
        """Take one item whose previews are PENDING, due and not under a lease."""
        ...

    async def renew_previews(self, id: str, fence: int, lease_until: Millis) -> None:
        """Prolong a lease that is held. Raises StaleFence, also when it was given up."""
        ...

    async def finish_previews(
        self, id: str, fence: int, now: Millis, files: Mapping[Variant, StoredFile], failed: bool = False
    ) -> Media:
        """Add the files, previews DONE (or FAILED). Raises StaleFence."""
        ...

    async def postpone_previews(self, id: str, fence: int, due_at: Millis) -> None:
        """Try again at ``due_at``; counts an attempt. Raises StaleFence."""
        ...

    async def claim_blur(self, now: Millis, lease_until: Millis) -> Blur | None:
        """Take one item that needs blurred files, due and not under a lease.

        An item is due in the commit that locks it, gives it another intensity, or adds a preview to a locked one.
        """
        ...

    async def finish_blur(
        self, id: str, fence: int, intensity: int, now: Millis, files: Mapping[Variant, StoredFile]
    ) -> Media:
        """Add the files, made at that intensity; without any, give it up until something changes. Raises StaleFence,
        also when the item has another intensity by now or is not locked any more.
        """
        ...

    async def postpone_blur(self, id: str, fence: int, due_at: Millis) -> None:
        """Try again at ``due_at``; counts an attempt. Raises StaleFence."""
        ...

    async def count_view(self, id: str) -> None:
        """One view more."""
        ...


class People(Protocol):
    """Accounts, sessions, one-time links."""

    async def add(
        self, person: Person, grant: Entry | None, link_hash: str | None = None, invite_hash: str | None = None
    ) -> Person:
        """Make an account with its sign-up grant, in one commit; with ``link_hash``, using up that SET_UP link in it, with
        ``invite_hash``, counting a use of that invitation.

        Raises Conflict when the name is taken (case-insensitively), or, with a link, when there is an administrator;
        WrongCredentials when the link is used, expired, unknown or for another purpose, or the invitation not good.
        """
        ...

    async def get(self, id: str) -> Person | None:
        """The person."""
        ...

    async def by_name(self, name: str) -> Person | None:
        """The person of that name, case-insensitively."""
        ...

    async def first_admin(self) -> Person | None:
        """The administrator who came first; None while nobody administers this studio."""
        ...

    async def change(
        self, person: Person, expected_version: int, link_hash: str | None = None, now: Millis = 0
    ) -> None:
        """Replace the record, if its ``token_version`` is still the expected one; sessions, keys and one-time links of the
        person end when it goes up. With ``link_hash``, in the same commit that RESET link of theirs is used up at ``now``.

        Raises Conflict when it is not, when there is no such person, or when the name is taken; WrongCredentials when the
        link is not good.
        """
        ...

    async def open_session(self, session: Session) -> None:
        """Keep a session."""
        ...

    async def session(self, secret_hash: str, now: Millis) -> tuple[Session, Person] | None:
        """The session and its person, unless it expired, is of another version, or the person is suspended."""
        ...

    async def sessions_of(self, person_id: str, now: Millis) -> Sequence[Session]:
        """The sessions of a person that have not expired, newest first."""
        ...

    async def use_session(self, secret_hash: str, now: Millis) -> None:
        """Note when it was used last. An unknown one is ignored."""
        ...

    async def close_session(self, secret_hash: str) -> None:
        """End one session; ending it twice is harmless."""
        ...

    async def close_sessions(self, person_id: str, but: str | None = None) -> None:
        """End all sessions of a person; ``but`` the one of that ``secret_hash``."""
        ...

    async def add_link(self, link: OneTimeLink) -> None:
        """Keep a one-time link."""
        ...

    async def link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        """The link while it is good, without using it up."""
        ...

    async def use_link(self, secret_hash: str, purpose: Purpose, now: Millis) -> OneTimeLink | None:
        """Use up a link: exactly one of many callers gets it."""
        ...


class KeysStore(Protocol):
    """API keys."""

    async def add(self, key: ApiKey, limit: int) -> None:
        """Keep a key. Raises Conflict when its person has ``limit`` of them, or is not there any more."""
        ...

    async def of_secret(self, secret_hash: str, now: Millis) -> tuple[ApiKey, Person] | None:
        """The key and its person, unless it expired, is of another version, or the person is suspended."""
        ...

    async def of_person(self, person_id: str) -> Sequence[ApiKey]:
        """All keys of a person, also those that have expired; newest first."""
        ...

    async def use(self, id: str, now: Millis) -> None:
        """Note when it was used last; an earlier moment than is noted, and an unknown key, are ignored."""
        ...

    async def revoke(self, person_id: str, id: str) -> bool:
        """End a key of that person. False when they have no such key."""
        ...


class InvitesStore(Protocol):
    """Invitations; ``People.add`` counts their uses."""

    async def add(self, invite: Invite) -> None:
        """Keep one; those that ended a month before are forgotten."""
        ...

    async def of_secret(self, secret_hash: str, now: Millis) -> Invite | None:
        """The invitation, while one more account can be made with it."""
        ...

    async def all(self) -> Sequence[Invite]:
        """All of them, newest first."""
        ...

    async def revoke(self, id: str) -> bool:
        """Take one back. False when there is none."""
        ...


class Buckets(Protocol):
    """Token buckets of limits (see `domain.limits`), shared by all processes that share the store, and bounded in number.

    They are no part of backups, and may be forgotten.
    """

    async def wait(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        """How many milliseconds until one could be taken from each; 0 now."""
        ...

    async def take(self, buckets: Sequence[Bucket], now: Millis) -> Millis:
        """Take one from each and return 0; or take none, and return how many milliseconds until that may be possible."""
        ...

    async def charge(self, buckets: Sequence[Bucket], now: Millis) -> None:
        """Take one from each, also where there is none: such a bucket is in debt."""
        ...


class ModelsStore(Protocol):
    """Models of which their provider said that they are gone."""

    async def retire(self, model: str, upstream: str, why: str, now: Millis) -> bool:
        """Keep it, and tell everyone. False when the same model with the same ``upstream`` was kept before: the first stays."""
        ...

    async def retired(self) -> Sequence[Retired]:
        """All of them, by model and upstream."""
        ...

    async def restore(self, model: str, now: Millis) -> bool:
        """Forget what was said of a model, and tell everyone. False when nothing was."""
        ...


class HooksStore(Protocol):
    """Calls of providers that were verified."""

    async def record(
        self, provider: str, delivery: str, reference: str, now: Millis, job: ProviderJob | None = None
    ) -> bool:
        """Keep a delivery, with the job that it named. False when it was kept before; then that stays as it was."""
        ...

    async def job(self, provider: str, reference: str) -> ProviderJob | None:
        """The job that the provider's last such delivery about our reference named."""
        ...

    async def prune(self, before: Millis) -> None:
        """Forget deliveries older than that."""
        ...


class Events(Protocol):
    """The stream of what happened."""

    async def head(self) -> str:
        """The cursor of now."""
        ...

    async def after(self, cursor: str, audiences: Sequence[str], limit: int) -> tuple[Sequence[Event], str] | None:
        """Events after a cursor for any of the audiences, oldest first, with the cursor to go on from.

        None when the cursor is unknown or older than what is kept: the client has to read everything again.
        """
        ...

    async def wait(self, cursor: str, timeout_s: float) -> None:
        """Return when there may be something after the cursor, or after the timeout."""
        ...

    async def prune(self, before: Millis) -> None:
        """Forget events older than that."""
        ...


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counts for the operator."""

    generations: Mapping[State, int]
    items: int
    stored_bytes: int
    people: int


class Stats(Protocol):
    """Figures."""

    async def totals(self) -> Totals:
        """Counts over everything."""
        ...

    async def typical_ms(self, model: str) -> Millis | None:
        """The median time from submit to finish of the last 20 successes of a model; None below three."""
        ...


class Store(Protocol):
    """All groups of one backend."""

    generations: Generations
    ledger: Ledger
    media: MediaStore
    unlocks: Unlocks
    people: People
    keys: KeysStore
    invites: InvitesStore
    buckets: Buckets
    models: ModelsStore
    hooks: HooksStore
    events: Events
    stats: Stats

    def revision(self) -> int | None:
        """A number for all that can be read now. While it stays the same, what was read after asking for it is exact.

        None: not known now (a commit is under way, or other processes write too), so nothing that was read may be kept.
        """
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable unless the store answers."""
        ...

    async def check(self) -> str:
        """Write something that nobody sees, read it back as a later reader would, and take it away.

        Returns what the database is in a few words without secrets, such as "SQLite 3.40.1, file mutoscope.db, 12.0 MB,
        schema 2". Writes no events. Raises StoreUnavailable, with what to do about it where that is known.
        """
        ...

    async def time(self) -> Millis | None:
        """What time the database has, to be compared with this machine's; None where it lives by this machine's clock.

        Raises StoreUnavailable.
        """
        ...

    async def backup(self, target: Path) -> None:
        """Write a consistent copy of everything to a new file, while work goes on. Raises FileExistsError."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of everything. Later calls raise StoreUnavailable."""
        ...
