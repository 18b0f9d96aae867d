"""What can be done with jobs, rightly and wrongly, to both stores at once."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule
from item_rules import item_of, looks
from msgspec import structs
from twins import Pair, claims, people, texts, values, walk, which

import cast
import journey
from mutoscope.domain.generation import TERMINAL, Failure, FailureKind, Generation, Output, ProviderJob, Source, State
from mutoscope.domain.ids import DAY, MINUTE, SECOND, Millis
from mutoscope.domain.media import Visibility
from mutoscope.store.port import GenerationFilter, Limits, Patch

LEASE = 10 * SECOND
STATES = sorted(State)
LIVE = sorted(set(State) - TERMINAL)
ONWARD = {
    State.SUBMITTING: State.RENDERING,
    State.RENDERING: State.FETCHING,
    State.CANCELING: State.FETCHING,
    State.OUTCOME_UNKNOWN: State.RENDERING,
    State.FETCHING: State.DEVELOPING,
}

places = st.sampled_from(["", "here", "there"])
failures = st.none() | st.builds(Failure, kind=st.sampled_from(FailureKind), message=texts, detail=texts)
orders = st.fixed_dictionaries(
    {
        "results": st.integers(1, 3),
        "price_each": st.sampled_from([0, 0, 1, 7, 25]),
        "provider": st.sampled_from([cast.PROVIDER, "other"]),
        "prompt": texts,
        "negative_prompt": texts,
        "seed": st.integers(0, 2**32),
        "category_selections": st.dictionaries(st.sampled_from(["mood", "a.b"]), st.lists(texts, max_size=2)),
        "parameters": st.dictionaries(st.sampled_from(["duration_s", "$x", "a.b"]), values, max_size=2),
        "visibility": st.sampled_from(Visibility),
        "source": st.none()
        | st.just(Source(key="k", mime_type="image/png", width=1, height=1, size_bytes=1, sha256="")),
    }
)
limits = st.builds(
    Limits,
    per_provider=st.dictionaries(st.sampled_from([cast.PROVIDER, "other"]), st.integers(0, 3)),
    per_person=st.sampled_from([0, 1, 2, 100]),
)
outputs = st.lists(st.builds(Output, url=st.none() | texts, spooled=st.none() | texts, place=places), max_size=2)
patches = st.fixed_dictionaries(
    {},
    optional={
        "progress": st.none() | st.sampled_from([0.0, 0.1, 0.9, 1.0]),
        "outputs": outputs.map(tuple),
        "home": places,
        "job": st.none()
        | st.builds(ProviderJob, id=texts, reference=texts, data=st.dictionaries(st.just("a.b"), texts)),
        "submitted_at": st.just("now"),
        "due_at": st.integers(0, 20),
    },
)


class JobRules(Pair):
    """The port's group of generations."""

    def patch(self, fields: dict[str, Any]) -> Patch:
        """With the moments that were drawn as seconds from now."""
        moments: dict[str, Millis] = {}
        if "due_at" in fields:
            moments["due_at"] = self.later(fields["due_at"])
        if "submitted_at" in fields:
            moments["submitted_at"] = self.clock.now()
        return Patch(**(fields | moments))

    @rule(
        owner=people, order=orders,
        key=st.none() | st.sampled_from(["one", "鍵", "a:b", "x" * 200]), body=st.sampled_from("ab"),
    )  # fmt: skip
    def order(self, owner: str, order: dict[str, Any], key: str | None, body: str) -> None:
        self.accept(owner, order, key, body)

    def accept(self, owner: str, order: dict[str, Any], key: str | None, body: str) -> str:
        now = self.clock.now()
        moments = {"created_at": now, "updated_at": now, "due_at": now, "stage_since": now}
        made = cast.generation(cast.person("x", id=owner), **(order | moments))
        answer = self.ask(lambda store: store.generations.accept(made, key, body))
        if answer and not answer[1]:
            self.ordered.append(made.id)
        return made.id

    @rule(owner=people, key=st.sampled_from(["one", "鍵", "a:b"]), body=st.sampled_from("ab"), old=st.booleans())
    def of_key(self, owner: str, key: str, body: str, old: bool) -> None:
        now = self.clock.now() + 8 * DAY * old
        self.ask(lambda store: store.generations.of_key(owner, key, body, now))

    @rule(target=claims, states=st.sets(st.sampled_from(STATES)), limits=limits, place=places)
    def claim(self, states: set[State], limits: Limits, place: str) -> Any:
        return self.claimed(frozenset(states), limits, place) or multiple()

    def claimed(self, states: frozenset[State], limits: Limits, place: str) -> Generation | None:
        now = self.now()
        return self.ask(lambda store: store.generations.claim(states, "w", now, now + LEASE, limits, place))

    @rule(target=claims, steps=st.integers(1, 6), looks=looks, fields=patches)
    def work(self, steps: int, looks: dict[str, Any], fields: dict[str, Any]) -> Any:
        """A worker that does what is due, as it should be done; its claims stay behind as old fences."""
        held: list[Generation] = []
        for _ in range(steps):
            job = self.claimed(journey.ALL, journey.NO_LIMITS, "here")
            if job is None:
                break
            held.append(job)
            self.do(job, looks, fields)
        return multiple(*held)

    @rule(owner=people, order=orders, looks=st.lists(looks, min_size=1, max_size=3))
    def deliver(self, owner: str, order: dict[str, Any], looks: list[dict[str, Any]]) -> None:
        """A job from the order to its items, if nothing else is due."""
        id = self.accept(owner, order | {"price_each": 0, "results": len(looks)}, None, "")
        for _ in range(6):
            job = self.claimed(journey.ALL, journey.NO_LIMITS, "")
            if job is None or job.id != id:
                return
            if job.state is State.DEVELOPING:
                return self.publish(job, looks, 0)
            self.do(job, looks[0], {"submitted_at": "now"} if job.state is State.SUBMITTING else {})

    def do(self, job: Generation, looks: dict[str, Any], fields: dict[str, Any]) -> None:
        """The next step of a job that was just claimed."""
        now = self.now()
        if job.state is State.DEVELOPING:
            self.publish(job, [looks] * len(job.media_ids), job.hold)
        elif job.state is State.QUEUED:
            self.ask(lambda store: store.generations.begin(job.id, job.fence, now, now))
        else:
            patch = self.patch(fields)
            self.ask(
                lambda store: store.generations.advance(job.id, job.fence, job.state, ONWARD[job.state], now, patch)
            )

    @rule(job=claims, begin=st.booleans())
    def begin_or_renew(self, job: Generation, begin: bool) -> None:
        now, until = self.now(), self.later(10)
        if begin:
            self.ask(lambda store: store.generations.begin(job.id, job.fence, now, until))
        else:
            self.ask(lambda store: store.generations.renew(job.id, job.fence, until))

    @rule(job=claims, from_=st.none() | st.sampled_from(LIVE), to=st.sampled_from(STATES), fields=patches)
    def advance(self, job: Generation, from_: State | None, to: State, fields: dict[str, Any]) -> None:
        now, patch, here = self.now(), self.patch(fields), from_ or job.state
        self.ask(lambda store: store.generations.advance(job.id, job.fence, here, to, now, patch))

    @rule(job=claims, from_=st.none() | st.sampled_from(LIVE), pause=st.integers(0, 20), fields=patches)
    def postpone(self, job: Generation, from_: State | None, pause: int, fields: dict[str, Any]) -> None:
        now, due_at, patch, here = self.now(), self.later(pause), self.patch(fields), from_ or job.state
        self.ask(lambda store: store.generations.postpone(job.id, job.fence, here, now, due_at, patch))

    @rule(job=claims, looks=st.lists(looks, max_size=3), captured=st.integers(0, 60))
    def publish_some(self, job: Generation, looks: list[dict[str, Any]], captured: int) -> None:
        self.publish(job, looks[: len(job.media_ids)], captured)

    def publish(self, job: Generation, looks: list[dict[str, Any]], captured: int) -> None:
        now = self.now()
        made = [structs.replace(item_of(job, place, look), created_at=now) for place, look in enumerate(looks)]
        done = self.ask(lambda store: store.generations.publish(job.id, job.fence, now, made, captured))
        self.published += done.delivered if done else ()

    @rule(job=claims, to=st.sampled_from(STATES), failure=failures, captured=st.integers(0, 3))
    def finish(self, job: Generation, to: State, failure: Failure | None, captured: int) -> None:
        now = self.now()
        self.ask(lambda store: store.generations.finish(job.id, job.fence, job.state, to, now, failure, captured))

    @rule(job=which)
    def cancel(self, job: int) -> None:
        id, now = self.job(job), self.now()
        self.ask(lambda store: store.generations.cancel(id, now))

    @rule(job=which)
    def wake(self, job: int) -> None:
        id, now = self.job(job), self.now()
        self.ask(lambda store: store.generations.wake(id, now))

    @rule(job=which, known=st.booleans(), failure=failures)
    def settle_unknown(self, job: int, known: bool, failure: Failure | None) -> None:
        id, now = self.job(job), self.now()
        upstream = ProviderJob(id="upstream", reference=id) if known else None
        self.ask(lambda store: store.generations.settle_unknown(id, now, upstream, failure))

    @rule(job=which)
    def late(self, job: int) -> None:
        id, now = self.job(job), self.now()
        upstream = ProviderJob(id="upstream", reference=id, data={"a.b": "\0"})
        self.ask(lambda store: store.generations.late(id, now, upstream))

    @rule(job=which, states=st.sets(st.sampled_from(STATES)))
    def look_at_a_job(self, job: int, states: set[State]) -> None:
        id = self.job(job)
        self.ask(lambda store: store.generations.get(id))
        self.ask(lambda store: store.media.of_generation(id))
        self.ask(lambda store: store.generations.next_due(frozenset(states)))

    @rule(
        owner=st.none() | people, states=st.none() | st.frozensets(st.sampled_from(STATES)), limit=st.integers(1, 5),
    )  # fmt: skip
    def list_jobs(self, owner: str | None, states: frozenset[State] | None, limit: int) -> None:
        wanted = GenerationFilter(owner_id=owner, states=states)
        self.ask(lambda store: walk(lambda cursor: store.generations.list(wanted, cursor, limit)))

    @rule(by=st.sampled_from([SECOND, LEASE, MINUTE, 8 * DAY]))
    def wait(self, by: Millis) -> None:
        self.clock.tick(by)
