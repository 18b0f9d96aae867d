"""What a collection is made of, how its order changes, and who is shown what of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import cast
from cast import NOON
from mutoscope.domain.collections import (
    ITEMS_OF_ONE,
    Add,
    Arrange,
    Move,
    Remove,
    Step,
    check_version,
    check_words,
    may_change,
    may_know,
    rearranged,
    shows,
)
from mutoscope.domain.errors import Conflict, Invalid, NotFound
from mutoscope.domain.media import Visibility
from mutoscope.domain.rights import STRANGER, Viewer, allowed

ALICE, BOB = cast.alice(), cast.bob()
LATER = NOON + 5


def order_after(step: Step, order: str = "abcd", known: str = "abcdefgh") -> str:
    """The order after a step; items are letters here."""
    return "".join(rearranged(cast.collection(ALICE), tuple(order), step, set(known), LATER)[1])


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (Add(("f", "e")), "abcdfe"),
        (Add(("f", "a", "f")), "abcdf"),
        (Add(("z",)), "abcd"),
        (Remove(("c", "a", "z")), "bd"),
        (Move(id="a", beside="c", after=True), "bcad"),
        (Move(id="a", beside="c", after=False), "bacd"),
        (Move(id="d", beside="a", after=False), "dabc"),
        (Move(id="b", beside="b", after=True), "abcd"),
        (Arrange(("d", "c", "b", "a")), "dcba"),
        (Arrange(()), "abcd"),
        (Arrange(("d", "a")), "dabc"),
        (Arrange(("d", "b")), "adbc"),
    ],
)
def test_a_step_leads_to_its_order(step: Step, after: str) -> None:
    assert order_after(step) == after


def test_what_is_gone_for_good_leaves_at_the_next_step() -> None:
    assert order_after(Remove(("d",)), known="abd") == "ab"
    assert order_after(Add(("e",)), order="ab", known="be") == "be"


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        (Move(id="z", beside="a", after=True), NotFound),
        (Move(id="a", beside="z", after=True), Invalid),
        (Arrange(("a", "a")), Invalid),
        (Arrange(("a", "z")), Invalid),
    ],
)
def test_a_step_to_a_place_that_is_not_there_is_refused(step: Step, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        order_after(step)


def test_a_collection_holds_so_many_items_and_none_of_those_that_are_one_too_many() -> None:
    full = tuple(f"i{n}" for n in range(ITEMS_OF_ONE))
    known = {*full, "more"}
    empty = cast.collection(ALICE)
    assert rearranged(empty, (), Add(full), known, LATER)[1] == full
    with pytest.raises(Conflict, match="1,000 items"):
        rearranged(empty, full, Add(("more",)), known, LATER)
    assert rearranged(empty, full, Add(full[:5]), known, LATER) == (empty, full)


def test_a_step_that_changes_something_is_a_new_version_and_one_that_does_not_is_none() -> None:
    before = cast.collection(ALICE, cover_id="a", version=3)
    after, _ = rearranged(before, ("a", "b"), Add(("c",)), {"a", "b", "c"}, LATER)
    assert after == structs.replace(before, version=4, updated_at=LATER)
    assert rearranged(before, ("a", "b"), Add(("b",)), {"a", "b"}, LATER) == (before, ("a", "b"))


def test_a_cover_that_leaves_is_no_cover_any_more() -> None:
    before = cast.collection(ALICE, cover_id="a")
    assert rearranged(before, ("a", "b"), Remove(("a",)), {"a", "b"}, LATER)[0].cover_id is None
    assert rearranged(before, ("a", "b"), Remove(("b",)), {"a", "b"}, LATER)[0].cover_id == "a"


letters = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(order=letters, named=st.randoms(), size=st.integers(0, 8))
def test_an_arrangement_keeps_every_item_and_brings_those_named_into_that_order(
    order: list[str], named: "st.randoms", size: int
) -> None:
    chosen = named.sample(order, min(size, len(order)))
    after = order_after(Arrange(tuple(chosen)), "".join(order))
    assert sorted(after) == sorted(order)
    assert [item for item in after if item in chosen] == chosen


def test_the_version_that_somebody_saw_has_to_be_the_one_that_is() -> None:
    collection = cast.collection(ALICE, version=4)
    check_version(collection, 4)
    check_version(collection, None)
    with pytest.raises(Conflict) as refused:
        check_version(collection, 3)
    assert refused.value.extra == {"version": 4}


@pytest.mark.parametrize("title", ["", " \u200b", "x" * 81, "two\nlines", "turned \u202e round", "a\x00b"])
def test_a_title_is_one_line_of_something_to_see(title: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_words(title, "fine")
    assert set(refused.value.extra["fields"]) == {"title"}


@pytest.mark.parametrize("description", ["x" * 2_001, "a\x07b"])
def test_a_description_is_text_of_so_many_characters(description: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_words("Harbours", description)
    assert set(refused.value.extra["fields"]) == {"description"}


def test_words_are_kept_without_white_space_around_them() -> None:
    assert check_words("  Häfen 🏮 ", "\u200b ") == ("Häfen 🏮", "")
    assert check_words("x" * 80, "two\nlines ") == ("x" * 80, "two\nlines")


VIEWERS = {
    "stranger": STRANGER,
    "alice": Viewer(person_id=ALICE.id),
    "bob": Viewer(person_id=BOB.id),
    "carol": Viewer(person_id="usr_carol", is_admin=True),
    "buyer": Viewer(person_id="usr_buyer", unlocked=frozenset({"med_it"})),
}


@pytest.mark.parametrize("visibility", Visibility)
def test_a_private_collection_is_its_owners_and_the_administrators(visibility: Visibility) -> None:
    collection = cast.collection(ALICE, visibility=visibility)
    known = {name for name, viewer in VIEWERS.items() if may_know(viewer, collection)}
    assert known == ({"alice", "carol"} if visibility is Visibility.PRIVATE else set(VIEWERS))
    assert {name for name, viewer in VIEWERS.items() if may_change(viewer, collection)} == {"alice", "carol"}


@pytest.mark.parametrize(
    ("state", "seen_by"),
    [
        ({"visibility": Visibility.PUBLIC}, set(VIEWERS)),
        ({"visibility": Visibility.PUBLIC, "unlock_price": 5}, set(VIEWERS)),
        ({"visibility": Visibility.UNLISTED}, {"alice", "carol", "buyer"}),
        ({"visibility": Visibility.PRIVATE}, {"alice", "carol", "buyer"}),
        ({"visibility": Visibility.PUBLIC, "hidden": True}, {"alice", "carol"}),
        ({"visibility": Visibility.PUBLIC, "trashed_at": NOON}, set()),
    ],
)
def test_each_item_of_alices_is_shown_to_those_who_may_see_it(state: dict[str, object], seen_by: set[str]) -> None:
    item = structs.replace(cast.media(cast.generation(ALICE)), id="med_it", **state)
    assert {name for name, viewer in VIEWERS.items() if shows(viewer, item)} == seen_by


STATES = [
    {"visibility": visibility, "hidden": hidden, "trashed_at": trashed_at, "unlock_price": price}
    for visibility, hidden, trashed_at, price in itertools.product(Visibility, (False, True), (None, NOON), (0, 5))
]


@pytest.mark.parametrize("viewer", VIEWERS)
def test_no_item_is_shown_in_a_collection_that_is_not_open_to_the_viewer_by_itself(viewer: str) -> None:
    shown = 0
    for state in STATES:
        item = structs.replace(cast.media(cast.generation(ALICE)), id="med_it", **state)
        if shows(VIEWERS[viewer], item):
            assert allowed(VIEWERS[viewer], item, None), state
            shown += 1
    assert shown


def test_whoever_lends_a_collection_shows_their_own_of_it_but_nothing_hidden_trashed_or_of_others() -> None:
    for state in STATES:
        item = structs.replace(cast.media(cast.generation(ALICE)), **state)
        gone = state["hidden"] or state["trashed_at"] is not None
        assert shows(STRANGER, item, ALICE.id) is (not gone), state
        assert shows(STRANGER, item, BOB.id) is (not gone and state["visibility"] is Visibility.PUBLIC), state
