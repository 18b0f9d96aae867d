"""Any order of steps, by several workers with old and new fences, with crashes between: the promises hold."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

import cast
import journey
from mutoscope.domain import search
from mutoscope.domain.errors import NotEnoughTokens, StaleFence, WrongState
from mutoscope.domain.generation import TERMINAL, Generation, State, may_move
from mutoscope.domain.ids import SECOND
from mutoscope.domain.people import Person
from mutoscope.store.port import GenerationFilter, Limits, Patch, Store
from mutoscope.store.sqlite import open_sqlite

LEASE = 10 * SECOND
LIMITS = Limits(per_provider={cast.PROVIDER: 3}, per_person=2)
START_TOKENS = 60
ONWARD = {
    State.SUBMITTING: State.RENDERING,
    State.RENDERING: State.FETCHING,
    State.CANCELING: State.FETCHING,
    State.OUTCOME_UNKNOWN: State.RENDERING,
    State.FETCHING: State.DEVELOPING,
}
STALE = (StaleFence, WrongState)


class Jobs(RuleBasedStateMachine):
    """Two people, any number of workers, and a power switch."""

    claims = Bundle("claims")
    """Jobs as workers saw them when they claimed them: some of these fences are old."""
    accepted = Bundle("accepted")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="mutoscope-"))
        self.clock = cast.HandClock()
        self.lives = 0
        self.seen: dict[str, Generation] = {}
        self.leases: dict[str, tuple[int, int]] = {}

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def open(self) -> None:
        self.path.parent.mkdir()
        self.store: Store = self.run(open_sqlite(self.path, self.clock))
        self.people = [self.run(journey.join(self.store, who, START_TOKENS)) for who in (cast.alice(), cast.bob())]

    @property
    def path(self) -> Path:
        return self.folder / str(self.lives) / "mutoscope.db"

    def attempt(self, work: Any) -> Generation | None:
        """Do it, or be refused as late."""
        try:
            return self.run(work)
        except STALE:
            return None

    @rule(target=accepted, who=st.integers(0, 1), results=st.integers(1, 3), price=st.sampled_from([0, 1, 7, 25]))
    def accept(self, who: int, results: int, price: int) -> Any:
        owner: Person = self.people[who]
        made = cast.generation(
            owner, results=results, price_each=price, created_at=self.clock.now(), due_at=self.clock.now()
        )
        available = self.run(self.store.ledger.balance(owner.id)).available
        try:
            job, _ = self.run(self.store.generations.accept(made, None, ""))
        except NotEnoughTokens:
            assert available < made.hold
            return multiple()
        assert available >= made.hold
        return job.id

    @rule(target=claims, states=st.sets(st.sampled_from(sorted(set(State) - TERMINAL)), min_size=3))
    def claim(self, states: set[State]) -> Any:
        now = self.clock.now()
        job = self.run(self.store.generations.claim(frozenset(states), "w", now, now + LEASE, LIMITS))
        if job is None:
            return multiple()
        fence, until = self.leases.get(job.id, (0, 0))
        assert job.state in states
        assert job.due_at <= now
        assert job.fence > fence
        assert until <= now, "two live leases"
        self.leases[job.id] = job.fence, now + LEASE
        return job

    @rule(target=claims, steps=st.integers(1, 8))
    def work(self, steps: int) -> Any:
        """A worker that does what is due, as it should be done; its claims stay behind as old fences."""
        held: list[Generation] = []
        for _ in range(steps):
            now = self.clock.now()
            job = self.run(self.store.generations.claim(frozenset(State), "w", now, now + LEASE, LIMITS))
            if job is None:
                break
            held.append(job)
            self.leases[job.id] = job.fence, 0
            if job.state is State.DEVELOPING:
                made = [cast.media(job, position) for position in range(len(job.media_ids))]
                self.run(self.store.generations.publish(job.id, job.fence, now, made, job.hold))
            elif job.state is State.QUEUED:
                self.run(self.store.generations.begin(job.id, job.fence, now, now))
            else:
                self.run(self.store.generations.advance(job.id, job.fence, job.state, ONWARD[job.state], now))
            self.jobs_move_by_the_table_and_are_settled_once()
        return multiple(*held)

    @rule(job=claims, to=st.sampled_from(sorted(set(State) - TERMINAL)))
    def advance(self, job: Generation, to: State) -> None:
        if not may_move(job.state, to):
            return
        now = self.clock.now()
        if to is State.SUBMITTING:
            self.attempt(self.store.generations.begin(job.id, job.fence, now, now + LEASE))
            return
        patch = Patch(submitted_at=now) if to is State.RENDERING else Patch()
        if self.attempt(self.store.generations.advance(job.id, job.fence, job.state, to, now, patch)):
            self.leases[job.id] = job.fence, 0

    @rule(job=claims, to=st.sampled_from([State.RENDERING, State.FETCHING, State.OUTCOME_UNKNOWN, State.QUEUED]))
    def submitted(self, job: Generation, to: State) -> None:
        if self.attempt(self.store.generations.advance(job.id, job.fence, State.SUBMITTING, to, self.clock.now())):
            self.leases[job.id] = job.fence, 0

    @rule(job=claims, pause=st.integers(0, 5 * SECOND), progress=st.none() | st.sampled_from([0.1, 0.9]))
    def postpone(self, job: Generation, pause: int, progress: float | None) -> None:
        now = self.clock.now()
        work = self.store.generations.postpone(job.id, job.fence, job.state, now, now + pause, Patch(progress=progress))
        if self.attempt(work):
            self.leases[job.id] = job.fence, 0

    @rule(job=claims)
    def renew(self, job: Generation) -> None:
        until = self.clock.now() + LEASE
        try:
            self.run(self.store.generations.renew(job.id, job.fence, until))
        except StaleFence:
            return
        self.leases[job.id] = job.fence, until

    @rule(job=claims, share=st.integers(0, 3))
    def publish(self, job: Generation, share: int) -> None:
        made = [cast.media(job, position) for position in range(min(share, len(job.media_ids)))]
        captured = job.pinned.price_each * len(made)
        settled = self.seen[job.id].captured
        done = self.attempt(self.store.generations.publish(job.id, job.fence, self.clock.now(), made, captured))
        if done:
            assert done.captured == (captured if settled is None else settled)
            assert len(self.run(self.store.media.of_generation(job.id))) == len(made)

    @rule(job=claims, to=st.sampled_from([State.FAILED, State.CANCELED]), fee=st.integers(0, 1))
    def finish(self, job: Generation, to: State, fee: int) -> None:
        if may_move(job.state, to):
            captured = min(fee, job.hold)
            self.attempt(
                self.store.generations.finish(
                    job.id, job.fence, job.state, to, self.clock.now(), journey.BROKE, captured
                )
            )

    @rule(id=accepted)
    def cancel(self, id: str) -> None:
        if self.attempt(self.store.generations.cancel(id, self.clock.now())) and self.reread(id).lease_until == 0:
            self.leases[id] = self.reread(id).fence, 0

    @rule(id=accepted)
    def wake(self, id: str) -> None:
        self.run(self.store.generations.wake(id, self.clock.now()))

    @rule(id=accepted, known=st.booleans())
    def settle_unknown(self, id: str, known: bool) -> None:
        job = cast.job(self.reread(id)) if known else None
        failure = None if known else journey.BROKE
        if self.attempt(self.store.generations.settle_unknown(id, self.clock.now(), job, failure)):
            self.leases[id] = self.reread(id).fence, 0

    @rule(id=accepted)
    def late(self, id: str) -> None:
        before = self.reread(id)
        if self.attempt(self.store.generations.late(id, self.clock.now(), cast.job(before))):
            self.leases[id] = self.reread(id).fence, 0

    @rule(job=consumes(claims))
    def forget(self, job: Generation) -> None:
        """A worker that is never heard of again."""

    @rule(by=st.integers(1, 2 * LEASE))
    def wait(self, by: int) -> None:
        self.clock.tick(by)

    @rule()
    def crash(self) -> None:
        """The power goes: what is on the disk at this moment is what the next life finds."""
        old = self.path.parent
        self.lives += 1
        shutil.copytree(old, self.path.parent)
        self.run(self.store.close())
        shutil.rmtree(old)
        self.store = self.run(open_sqlite(self.path, self.clock))
        self.leases = {id: (fence, 0) for id, (fence, _) in self.leases.items()}

    def reread(self, id: str) -> Generation:
        job = self.run(self.store.generations.get(id))
        assert job is not None
        return job

    @invariant()
    def the_ledger_adds_up(self) -> None:
        assert self.run(self.store.ledger.proof()) == []
        jobs = self.jobs()
        for person in self.people:
            balance = self.run(self.store.ledger.balance(person.id))
            mine = [job for job in jobs if job.owner_id == person.id]
            assert balance.available >= 0
            assert balance.held == sum(job.hold for job in mine if job.captured is None)
            assert balance.available + balance.held == START_TOKENS - sum(job.captured or 0 for job in mine)

    @invariant()
    def jobs_move_by_the_table_and_are_settled_once(self) -> None:
        for job in self.jobs():
            before = self.seen.get(job.id, job)
            assert before.state is job.state or may_move(before.state, job.state), f"{before.state} to {job.state}"
            assert job.version >= before.version
            assert job.fence >= before.fence
            assert before.captured is None or job.captured == before.captured
            assert (job.state in TERMINAL) <= (job.captured is not None)
            self.seen[job.id] = job

    @invariant()
    def every_item_of_a_success_is_in_the_gallery(self) -> None:
        listed = {
            item.id
            for item in self.run(self.store.media.search(search.GALLERY, search.Query(), False, None, 500)).items
        }
        assert listed == {id for job in self.jobs() if job.state is State.SUCCEEDED for id in job.delivered}

    def jobs(self) -> list[Generation]:
        return list(self.run(self.store.generations.list(GenerationFilter(), None, 1_000)).items)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)


class TestAnyOrderOfStepsAndCrashesKeepsThePromises(Jobs.TestCase):
    settings = settings(settings.get_profile("mutoscope"), max_examples=12, stateful_step_count=40)
