"""What can be done with items, and every way to search for them, on both stores at once."""

from collections.abc import Sequence
from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec import structs
from twins import NO_ITEM, WORDS, Pair, people, texts, values, walk, which

import cast
from mutoscope.domain import search
from mutoscope.domain.counting import Day, Look
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import SECOND
from mutoscope.domain.media import Kind, Media, Previews, StoredFile, Variant, Visibility
from mutoscope.domain.search import Query, Sort
from mutoscope.domain.unlocking import Wish
from mutoscope.store.port import Store

FILM = StoredFile(key="videos/x.mp4", mime_type="video/mp4", size_bytes=7, width=16, height=9)

shown = st.fixed_dictionaries(
    {
        "title": texts,
        "description": texts,
        "tags": st.lists(st.sampled_from(["Film Noir", "calm", "夜空", "a/b", ""]), max_size=2).map(tuple),
        "prompt_words": st.frozensets(st.sampled_from(["title", "description", "tags"])),
        "visibility": st.sampled_from([Visibility.PUBLIC, Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE]),
        "unlock_price": st.sampled_from([0, 0, 5]),
        "is_blurred": st.sampled_from([False, False, True]),
        "blur_intensity": st.sampled_from([80, 80, 20]),
        "hidden": st.sampled_from([False, False, False, True]),
        "trashed_at": st.sampled_from([None, None, None, cast.NOON]),
        "previews": st.sampled_from(Previews),
    }
)
"""What owner and administrator change."""
made = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(Kind),
        "duration_s": st.sampled_from([0.0, 0.5, 4.0, 4, 9.5, 1e-9]),
        "width": st.sampled_from([720, 1280]),
        "prompt": texts,
        "model": st.sampled_from(["local/dream", "other"]),
        "parameters": st.dictionaries(st.just("duration_s"), values),
        "views": st.integers(0, 2),
        "likes": st.integers(0, 2),
    }
)
looks = st.builds(lambda one, other: one | other, shown, made)

FIELDS = (
    "kind:video",
    "kind:image",
    "tag:film-noir",
    "orientation:portrait",
    "owner:alice",
    "owner:bob",
    "model:other",
)
terms = st.sampled_from([*WORDS, *FIELDS, "none", search.GALLERY])
queries = st.builds(
    Query,
    all=st.lists(terms, max_size=2).map(tuple),
    prefixes=st.lists(st.sampled_from(["fo", "夜", "caf", "l'", "x" * 64, "tag:film", "w", "ß", "none"]), max_size=1).map(tuple),
    none=st.lists(terms, max_size=2).map(tuple),
    after=st.none() | st.integers(cast.NOON, cast.NOON + 60 * SECOND),
    before=st.none() | st.integers(cast.NOON, cast.NOON + 60 * SECOND),
    longer_s=st.none() | st.sampled_from([0.0, 4.0, 9.0]),
    shorter_s=st.none() | st.sampled_from([0.5, 4.0]),
    sort=st.sampled_from(get_args(Sort)),
) | st.builds(search.parse, texts.map(lambda text: text[:90]), st.sampled_from(get_args(Sort)))  # fmt: skip
typed = st.sampled_from(
    ["", "nonsense", "W10", "WzBd", "WyJuZXdlc3QiLDFd", "WyJsb25nZXN0IiwxLjUsMl0", "WzEsIngiXQ", "%%%"]
)
"""Cursors, of some list or of none."""


def item_of(job: Generation, place: int, look: dict[str, Any]) -> Media:
    """The item at a place of a job's results, with these looks."""
    own = {name: value for name, value in look.items() if name not in ("kind", "duration_s", "width")}
    length = {"duration_s": look["duration_s"]} if look["kind"] is Kind.VIDEO else {}
    return cast.media(job, place, **own, facts=cast.facts(look["kind"], width=look["width"], **length))


class ItemRules(Pair):
    """The port's groups of media and of unlocks."""

    @rule(
        buyer=people, item=which, price=st.sampled_from([5, 5, 5, 4]), share=st.sampled_from([0, 20, 100]),
        key=st.sampled_from([None, None, "a", "b"]),
    )  # fmt: skip
    def buy(self, buyer: str, item: int, price: int, share: int, key: str | None) -> None:
        now = self.now()
        wish = Wish(id=self.new("unl"), buyer_id=buyer, media_id=self.item(item), price=price, key=key)
        bought = self.ask(lambda store: store.unlocks.buy(wish, share, now))
        if bought is not None:
            self.sold.append(bought[0].id)
        self.ask(lambda store: store.unlocks.bought(buyer, [*self.published, NO_ITEM]))

    @rule(place=which)
    def refund(self, place: int) -> None:
        id, now = self.sold[place % len(self.sold)] if self.sold else "unl_nothing", self.now()
        self.ask(lambda store: store.unlocks.refund(id, now))

    @rule(item=st.none() | which, limit=st.integers(1, 3))
    def unlocks(self, item: int | None, limit: int) -> None:
        id = None if item is None else self.item(item)
        self.ask(lambda store: walk(lambda cursor: store.unlocks.list(id, cursor, limit)))

    @rule(end=st.sampled_from(["done", "done", "nothing made", "later", "stale", "nothing"]), pause=st.integers(0, 20))
    def blur(self, end: str, pause: int) -> None:
        now, due_at = self.now(), self.later(pause)
        taken = self.ask(lambda store: store.media.claim_blur(now, now + 10 * SECOND))
        if taken is None or end == "nothing":
            return
        id, fence, intensity = taken.item.id, taken.fence - (end == "stale"), taken.item.blur_intensity
        self.ask(lambda store: store.media.renew_blur(id, fence, due_at + 10 * SECOND))
        if end == "later":
            self.ask(lambda store: store.media.postpone_blur(id, fence, due_at))
        else:
            files = {Variant.BLURRED: FILM} if end == "done" else {}
            self.ask(lambda store: store.media.finish_blur(id, fence, intensity, now, files))
        self.ask(lambda store: store.media.postpone_blur(id, fence, due_at))  # refused, unless it is "later"
        self.ask(lambda store: store.media.renew_blur(id, fence, due_at))  # refused

    @rule(
        owner=people, scope=st.sampled_from(["gallery", "everything", "library", "trash", "nowhere"]), query=queries,
        withheld_too=st.booleans(), limit=st.integers(1, 4),
    )  # fmt: skip
    def search(self, owner: str, scope: str, query: Query, withheld_too: bool, limit: int) -> None:
        scopes = {
            "gallery": search.GALLERY, "everything": search.EVERYTHING, "library": search.library(owner),
            "trash": search.trash(owner), "nowhere": "in:nowhere",
        }  # fmt: skip
        where = scopes[scope]
        self.ask(lambda store: walk(lambda cursor: store.media.search(where, query, withheld_too, cursor, limit)))

    @rule(cursor=typed | texts, sort=st.sampled_from(get_args(Sort)), owner=people)
    def a_cursor_from_somewhere(self, cursor: str, sort: Sort, owner: str) -> None:
        async def items(store: Store) -> Sequence[Media]:
            return (await store.media.search(search.EVERYTHING, Query(sort=sort), True, cursor, 2)).items

        async def lines(store: Store) -> bool:
            return bool((await store.ledger.statement(owner, cursor, 2)).next)

        self.ask(items)
        self.ask(lines)

    @rule(item=which, change=shown, late=st.sampled_from([0, 0, 0, 1]))
    def change(self, item: int, change: dict[str, Any], late: int) -> None:
        id, now = self.item(item), self.now()
        before = self.ask(lambda store: store.media.get(id))
        if before is not None:
            after = structs.replace(before, **change)
            self.ask(lambda store: store.media.change(after, before.version - late, now))

    @rule(
        day=st.integers(1, 3).map(Day), looks=st.lists(st.tuples(which, st.sampled_from("abc")), max_size=6),
        most=st.sampled_from([99, 99, 4]), known=st.booleans(),
    )  # fmt: skip
    def view(self, day: Day, looks: list[tuple[int, str]], most: int, known: bool) -> None:
        seen = [Look(media_id=self.item(item), viewer=viewer) for item, viewer in looks]
        if known:
            self.ask(lambda store: store.views.secret(day, "the secret of a day"))
        self.ask(lambda store: store.views.add(day, seen, most))
        for look in seen:
            self.ask(lambda store, look=look: store.media.get(look.media_id))

    @rule(before=st.integers(1, 4).map(Day))
    def forget_viewers(self, before: Day) -> None:
        self.ask(lambda store: store.views.prune(before))

    @rule(person=people, item=which, way=st.sampled_from(["add", "add", "remove"]))
    def like(self, person: str, item: int, way: str) -> None:
        id, now = self.item(item), self.now()
        self.ask(lambda store: getattr(store.likes, way)(person, id, now))
        self.ask(lambda store: store.likes.liked(person, [*self.published, NO_ITEM]))

    @rule(person=people, limit=st.integers(1, 3))
    def likes(self, person: str, limit: int) -> None:
        self.ask(lambda store: walk(lambda cursor: store.likes.list(person, cursor, limit)))

    @rule(end=st.sampled_from(["done", "failed", "later", "stale", "nothing"]), pause=st.integers(0, 20))
    def previews(self, end: str, pause: int) -> None:
        now, due_at = self.now(), self.later(pause)
        item = self.ask(lambda store: store.media.claim_previews("w", now, now + 10 * SECOND))
        if item is None or end == "nothing":
            return
        id, fence = item.id, item.fence - (end == "stale")
        self.ask(lambda store: store.media.renew_previews(id, fence, due_at + 10 * SECOND))
        if end == "later":
            self.ask(lambda store: store.media.postpone_previews(id, fence, due_at))
        else:
            files = {Variant.PREVIEW: FILM} if end != "failed" else {}
            self.ask(lambda store: store.media.finish_previews(id, fence, now, files, end == "failed"))
        self.ask(lambda store: store.media.postpone_previews(id, fence, due_at))  # refused, unless it is "later"
        self.ask(lambda store: store.media.renew_previews(id, fence, due_at))  # refused
