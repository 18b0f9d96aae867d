"""What can be done with API keys, share links, invitations, limits and lists of sessions, on both stores at once."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, multiple, rule
from twins import NOBODY, Pair, people, texts

import cast
from mutoscope.domain.ids import SECOND
from mutoscope.domain.invites import Invite
from mutoscope.domain.keys import ApiKey, Scope
from mutoscope.domain.limits import Rate, bucket
from mutoscope.domain.sharing import ShareLink

api_keys, invites, share_links = Bundle("api_keys"), Bundle("invites"), Bundle("share_links")
RATE = Rate(name="tried", burst=2, refill_ms=7 * SECOND)
scopes = st.lists(st.sampled_from(Scope), min_size=1, max_size=4, unique=True).map(tuple)


class KeyRules(Pair):
    """The port's groups of keys, share links, invitations and buckets."""

    @rule(
        target=api_keys, id=people | people | st.just(NOBODY), name=texts, scopes=scopes, version=st.sampled_from([1, 1, 2]),
        lasts=st.none() | st.sampled_from([1, 3600]), limit=st.sampled_from([1, 3, 20]),
    )  # fmt: skip
    def make_key(
        self, id: str, name: str, scopes: tuple[Scope, ...], version: int, lasts: int | None, limit: int
    ) -> tuple[str, str, str]:
        now, number = self.now(), self.new("key")
        key = ApiKey(
            id=number, secret_hash=f"hash of {number}", person_id=id, name=name, scopes=scopes, token_version=version,
            created_at=now, expires_at=None if lasts is None else now + lasts * SECOND,
        )  # fmt: skip
        self.ask(lambda store: store.keys.add(key, limit))
        return id, number, key.secret_hash

    @rule(key=api_keys, id=people, late=st.sampled_from([0, 0, 5]))
    def use_key(self, key: tuple[str, str, str], id: str, late: int) -> None:
        now = self.now()
        self.ask(lambda store: store.keys.of_secret(key[2], now))
        self.ask(lambda store: store.keys.use(key[1], now - late * SECOND))
        self.ask(lambda store: store.keys.of_person(id))

    @rule(key=api_keys, other=st.none() | people)
    def revoke_key(self, key: tuple[str, str, str], other: str | None) -> None:
        self.ask(lambda store: store.keys.revoke(other or key[0], key[1]))
        self.ask(lambda store: store.keys.of_person(key[0]))

    @rule(
        target=share_links, owner=people | people | st.just(NOBODY), to=st.sampled_from(["a", "b"]),
        lasts=st.none() | st.sampled_from([1, 3600]), limit=st.sampled_from([1, 2, 20]),
    )  # fmt: skip
    def make_link(self, owner: str, to: str, lasts: int | None, limit: int) -> tuple[str, str, str]:
        now, number = self.now(), self.new("link")
        link = ShareLink(
            id=number, secret_hash=f"hash of {number}", target=to, owner_id=owner, made_by=owner, created_at=now,
            expires_at=None if lasts is None else now + lasts * SECOND,
        )  # fmt: skip
        self.ask(lambda store: store.shares.add(link, limit))
        self.ask(lambda store: store.shares.of_target(to))
        return owner, number, link.secret_hash

    @rule(link=share_links, late=st.sampled_from([0, 0, 5]), limit=st.sampled_from([1, 2, 20]))
    def use_link(self, link: tuple[str, str, str], late: int, limit: int) -> None:
        owner, id, secret_hash = link
        now = self.now()
        self.ask(lambda store: store.shares.of_secret(secret_hash, now))
        self.ask(lambda store: store.shares.use(id, now - late * SECOND))
        self.ask(lambda store: store.shares.get(id, now))
        self.ask(lambda store: store.shares.of_owner(owner, None, limit))

    @rule(link=share_links, other=st.none() | people, anybody=st.booleans())
    def revoke_link(self, link: tuple[str, str, str], other: str | None, anybody: bool) -> None:
        now = self.now()
        self.ask(lambda store: store.shares.revoke(link[1], None if anybody else other or link[0], now))
        self.ask(lambda store: store.shares.of_owner(link[0], None, 20))

    @rule(id=people)
    def list_sessions(self, id: str) -> None:
        now = self.now()
        self.ask(lambda store: store.people.sessions_of(id, now))

    @rule(
        whose=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True),
        verb=st.sampled_from(["wait", "take", "charge"]),
    )
    def try_something(self, whose: list[str], verb: str) -> None:
        now, tried = self.now(), [bucket(RATE, name) for name in whose]
        if verb == "charge":
            self.ask(lambda store: store.buckets.charge(tried, now))
        elif verb == "take":
            self.ask(lambda store: store.buckets.take(tried, now))
        self.ask(lambda store: store.buckets.wait(tried, now))

    @rule(target=invites, uses=st.integers(1, 3), lasts=st.sampled_from([1, 3600, 86_400]), note=texts)
    def invite(self, uses: int, lasts: int, note: str) -> tuple[str, str]:
        now, number = self.now(), self.new("invite")
        made = Invite(
            id=number, secret_hash=f"hash of {number}", made_by=NOBODY, uses=uses, note=note, created_at=now,
            expires_at=now + lasts * SECOND,
        )  # fmt: skip
        self.ask(lambda store: store.invites.add(made))
        return number, made.secret_hash

    @rule(target=people, invite=invites, name=texts)
    def join_by_invite(self, invite: tuple[str, str], name: str) -> Any:
        person = cast.person(name, created_at=self.now())
        self.ask(lambda store: store.invites.of_secret(invite[1], person.created_at))
        added = self.ask(lambda store: store.people.add(person, None, None, invite[1]))
        self.ask(lambda store: store.invites.all())
        return added.id if added else multiple()

    @rule(invite=invites)
    def take_back_invite(self, invite: tuple[str, str]) -> None:
        self.ask(lambda store: store.invites.revoke(invite[0]))
