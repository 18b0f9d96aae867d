"""What can be done with collections, on both stores at once."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, rule
from msgspec import structs
from twins import NOBODY, Pair, people, texts, which

import cast
from mutoscope.domain.collections import Add, Arrange, Move, Remove, Step
from mutoscope.domain.media import Visibility

collections = Bundle("collections")
NO_COLLECTION = "col_00000000000000000000000000"
versions = st.sampled_from([None, None, 0, -1])
"""Of the collection, as somebody saw it: any, the one that is, the one before."""
some = st.lists(which, max_size=4)
steps = st.sampled_from(["add", "add", "remove", "before", "after", "arrange"])


class CollectionRules(Pair):
    """The port's group of collections."""

    @rule(target=collections, id=people | people | st.just(NOBODY), title=texts, limit=st.sampled_from([1, 2, 9]))
    def make_collection(self, id: str, title: str, limit: int) -> str:
        now = self.now()
        made = cast.collection(cast.alice(), title=title, created_at=now, updated_at=now)
        made = structs.replace(made, owner_id=id)
        self.ask(lambda store: store.collections.add(made, limit))
        self.ask(lambda store: store.collections.of_person(id))
        return made.id

    @rule(id=collections | st.just(NO_COLLECTION), step=steps, some=some, version=versions)
    def rearrange(self, id: str, step: str, some: list[int], version: int | None) -> None:
        now, ids = self.now(), tuple(self.item(one) for one in some)
        there = self.ask(lambda store: store.collections.get(id))
        expected = there.version + version if there and version is not None else None
        self.ask(lambda store: store.collections.rearrange(id, _step(step, ids), expected, now))
        self.ask(lambda store: store.collections.held([id, NO_COLLECTION]))
        self.ask(lambda store: store.media.all_of(ids))

    @rule(
        id=collections, title=texts, visibility=st.sampled_from(Visibility), cover=which | st.none(),
        version=st.sampled_from([0, 0, -1]),
    )  # fmt: skip
    def rename(self, id: str, title: str, visibility: Visibility, cover: int | None, version: int) -> None:
        now, there = self.now(), self.ask(lambda store: store.collections.get(id))
        if there is None:
            return
        cover_id = None if cover is None else self.item(cover)
        wanted = structs.replace(there, title=title, visibility=visibility, cover_id=cover_id)
        self.ask(lambda store: store.collections.change(wanted, there.version + version, now))

    @rule(id=collections | st.just(NO_COLLECTION), version=versions)
    def delete_collection(self, id: str, version: int | None) -> None:
        now, there = self.now(), self.ask(lambda store: store.collections.get(id))
        expected = there.version + version if there and version is not None else None
        self.ask(lambda store: store.collections.delete(id, expected, now))


def _step(name: str, ids: tuple[str, ...]) -> Step:
    if name in ("before", "after") and len(ids) > 1:
        return Move(id=ids[0], beside=ids[1], after=name == "after")
    return {"add": Add, "remove": Remove}.get(name, Arrange)(ids)
