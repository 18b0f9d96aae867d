"""What can be done with people, their sessions, links and tokens, and with the stream of events, on both stores at once."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, multiple, rule
from msgspec import structs
from twins import NOBODY, Pair, Places, people, texts, walk

import cast
from mutoscope.domain import ledger
from mutoscope.domain.events import PUBLIC, to_person
from mutoscope.domain.ids import DAY, SECOND, Millis
from mutoscope.domain.people import OneTimeLink, Purpose, Role, Session

secrets, links, marks = Bundle("secrets"), Bundle("links"), Bundle("marks")

called = st.sampled_from(["alice", "ALICE", "bob", "Straße", "STRASSE", "夜空", "İ", "i̇", "ſ", "dora"]) | texts
emails = st.sampled_from(["a@b.example", "A@b.example", "c@d.example"])
roles = st.sampled_from([Role.USER, Role.USER, Role.ADMIN])


class PeopleRules(Pair):
    """The port's groups of people, of the ledger and of events."""

    @rule(
        target=people,
        name=called,
        role=roles,
        tokens=st.sampled_from([0, 0, 5]),
        link=st.none() | links | st.just("no"),
    )
    def add(self, name: str, role: Role, tokens: int, link: str | None) -> Any:
        person = cast.person(name, role, created_at=self.now())
        grant = ledger.grant(person.id, tokens, person.id, "hello", self.clock.now()) if tokens else None
        added = self.ask(lambda store: store.people.add(person, grant, link))
        return added.id if added else multiple()

    @rule(
        id=people, name=st.none() | called, role=st.none() | roles, suspended=st.none() | st.booleans(),
        more=st.integers(0, 1), late=st.sampled_from([0, 0, 0, 1]),
    )  # fmt: skip
    def change_person(
        self, id: str, name: str | None, role: Role | None, suspended: bool | None, more: int, late: int
    ) -> None:
        before, now = self.ask(lambda store: store.people.get(id)), self.now()
        assert before is not None
        changes: dict[str, Any] = {"token_version": before.token_version + more}
        changes |= {"name": name} if name is not None else {}
        changes |= {"role": role} if role is not None else {}
        changes |= {"suspended_at": now if suspended else None} if suspended is not None else {}
        after = structs.replace(before, **changes)
        self.ask(lambda store: store.people.change(after, before.token_version - late))
        self.ask(lambda store: store.people.get(id))

    @rule(name=called)
    def look_for_people(self, name: str) -> None:
        self.ask(lambda store: store.people.by_name(name))
        self.ask(lambda store: store.people.first_admin())
        self.ask(lambda store: store.people.change(cast.person(name, id=NOBODY), 1))

    @rule(
        id=people | people | people | st.just(NOBODY), email=st.none() | emails, version=st.sampled_from([1, 1, 2]),
        limit=st.integers(1, 3),
    )  # fmt: skip
    def set_email(self, id: str, email: str | None, version: int, limit: int) -> None:
        self.ask(lambda store: store.people.set_email(id, email, version))
        self.ask(lambda store: store.people.by_email(email or "a@b.example", limit))

    @rule(
        target=secrets,
        id=people,
        agent=texts,
        lasts=st.sampled_from([1, 10, 3600]),
        version=st.sampled_from([None, 1, 2]),
    )
    def open_session(self, id: str, agent: str, lasts: int, version: int | None) -> str:
        now, hash = self.now(), self.new("session")
        session = Session(
            secret_hash=hash, person_id=id, created_at=now, expires_at=now + lasts * SECOND, user_agent=agent,
            token_version=version,
        )  # fmt: skip
        self.ask(lambda store: store.people.open_session(session))
        return hash

    @rule(hash=secrets | secrets | secrets | st.just("none"))
    def use_session(self, hash: str) -> None:
        now = self.now()
        self.ask(lambda store: store.people.session(hash, now))
        self.ask(lambda store: store.people.use_session(hash, now))

    @rule(hash=secrets, id=people, all=st.booleans(), but=st.booleans())
    def close_sessions(self, hash: str, id: str, all: bool, but: bool) -> None:
        if all:
            self.ask(lambda store: store.people.close_sessions(id, hash if but else None))
        else:
            self.ask(lambda store: store.people.close_session(hash))

    @rule(
        target=links, purpose=st.sampled_from(Purpose), id=st.none() | people, lasts=st.sampled_from([1, 3600]),
        email=st.none() | emails,
    )  # fmt: skip
    def add_link(self, purpose: Purpose, id: str | None, lasts: int, email: str | None) -> str:
        link = OneTimeLink(
            secret_hash=self.new("link"), purpose=purpose, person_id=id, expires_at=self.now() + lasts * SECOND,
            email=email if id else None,
        )  # fmt: skip
        self.ask(lambda store: store.people.add_link(link))
        return link.secret_hash

    @rule(hash=links | links | links | st.just("none"), purpose=st.sampled_from(Purpose))
    def use_link(self, hash: str, purpose: Purpose) -> None:
        now = self.now()
        self.ask(lambda store: store.people.link(hash, purpose, now))
        self.ask(lambda store: store.people.use_link(hash, purpose, now))

    @rule(id=people, hash=links)
    def reset(self, id: str, hash: str) -> None:
        before, now = self.ask(lambda store: store.people.get(id)), self.now()
        assert before is not None
        after = structs.replace(before, token_version=before.token_version + 1)
        self.ask(lambda store: store.people.change(after, before.token_version, hash, now))
        self.ask(lambda store: store.people.get(id))

    @rule(
        id=people | people | people | st.just(NOBODY), change=st.sampled_from([-100, -3, 1, 3, 50]), memo=texts,
        reference=st.none() | st.sampled_from(["one", "二", "\0"]),
    )  # fmt: skip
    def post(self, id: str, change: int, memo: str, reference: str | None) -> None:
        name, now = reference or self.new("entry"), self.now()
        entry = (ledger.grant if change == 50 else ledger.adjust)(id, change, name, memo, now)
        self.ask(lambda store: store.ledger.post(entry))

    @rule(id=people | people | people | st.just(NOBODY), limit=st.integers(1, 4))
    def statement(self, id: str, limit: int) -> None:
        self.ask(lambda store: store.ledger.balance(id))
        self.ask(lambda store: walk(lambda cursor: store.ledger.statement(id, cursor, limit)))

    @rule(target=marks)
    def mark(self) -> Places:
        return self.twins.heads()

    @rule(
        target=marks, places=marks, ids=st.lists(people, max_size=2), public=st.booleans(), limit=st.integers(1, 5),
    )  # fmt: skip
    def hear_again(self, places: Places, ids: list[str], public: bool, limit: int) -> Places:
        """From a place of long ago: the next few, and the place to go on from."""
        here = Places(places.cursors)
        self.twins.hear(here, [*map(to_person, ids), *([PUBLIC] if public else [])], limit)
        return here

    @rule(age=st.sampled_from([0, SECOND, 20 * SECOND, DAY]))
    def prune(self, age: Millis) -> None:
        before = self.clock.now() - age
        self.ask(lambda store: store.events.prune(before))

    @rule(model=st.sampled_from([cast.MODEL, "other"]))
    def figures(self, model: str) -> None:
        self.ask(lambda store: store.stats.totals())
        self.ask(lambda store: store.stats.typical_ms(model))
