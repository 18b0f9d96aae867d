"""Laws that hold for whatever is thrown at the domain."""

import re
import string
from collections import Counter
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import cast
from mutoscope.domain.catalogue import Model, Parameter, Price, cancel_fee, price_each, validate
from mutoscope.domain.errors import Invalid
from mutoscope.domain.generation import STAGE_DEADLINES_MS, TERMINAL, TRANSITIONS, State, backoff_ms, shown_progress
from mutoscope.domain.ids import Ids, is_id
from mutoscope.domain.ledger import Entry, Hold, adjust, available, grant, held, open_hold, settle
from mutoscope.domain.media import Kind, Media, Visibility, description_from, is_key, slug, tags_from, title_from
from mutoscope.domain.search import QUERY_CHARS, QUERY_TERMS, Query, field, parse, terms_of, words

TEXT = st.text(max_size=200)
ANY_TEXT = st.text(st.characters(), max_size=200)  # half characters and NUL too
WORDS = st.text(string.ascii_lowercase + "éß夜空の -'’_.*\":", max_size=60)

PEOPLE = ("alice", "bob")


class Books(RuleBasedStateMachine):
    """Grants, holds and settlements in any order, booked as a store books them: refused when an account would go below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.balances: Counter[str] = Counter()
        self.booked: set[tuple[str, str]] = set()
        self.holds: list[Hold] = []
        self.number = 0

    def book(self, entries: list[Entry]) -> bool:
        after = self.balances.copy()
        for entry in entries:
            after[entry.debit] -= entry.amount
            after[entry.credit] += entry.amount
        if any(after[name(person)] < 0 for person in PEOPLE for name in (available, held)):
            return False
        keys = {(entry.kind.value, entry.reference) for entry in entries}
        assert len(keys) == len(entries), "one step books a kind twice under one reference"
        assert not keys & self.booked, "the same thing was booked twice"
        self.balances, self.booked = after, self.booked | keys
        return True

    def fresh(self) -> str:
        self.number += 1
        return f"gen_{self.number}"

    @rule(person=st.sampled_from(PEOPLE), amount=st.integers(1, 1000))
    def give(self, person: str, amount: int) -> None:
        assert self.book([grant(person, amount, self.fresh(), "", 0)])

    @rule(person=st.sampled_from(PEOPLE), change=st.integers(-500, 500).filter(bool))
    def correct(self, person: str, change: int) -> None:
        before = self.balances[available(person)]
        done = self.book([adjust(person, change, self.fresh(), "", 0)])
        assert done is (before + change >= 0)

    @rule(person=st.sampled_from(PEOPLE), amount=st.integers(0, 400))
    def hold(self, person: str, amount: int) -> None:
        hold, before = Hold(reference=self.fresh(), person_id=person, amount=amount), self.balances[available(person)]
        if self.book(open_hold(hold, "", 0)):
            self.holds.append(hold)
        else:
            assert amount > before

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        hold = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        captured = data.draw(st.integers(0, hold.amount))
        before = self.balances.copy()
        assert self.book(settle(hold, captured, "", 0)), "a hold could not be settled"
        moved = {
            name: self.balances[name] - before[name] for name in self.balances if self.balances[name] != before[name]
        }
        expected = {
            held(hold.person_id): -hold.amount,
            available(hold.person_id): hold.amount - captured,
            "house:income": captured,
        }
        assert moved == {name: change for name, change in expected.items() if change}

    @invariant()
    def the_sum_of_all_accounts_is_zero(self) -> None:
        assert sum(self.balances.values()) == 0

    @invariant()
    def what_is_held_is_what_open_holds_hold(self) -> None:
        for person in PEOPLE:
            assert self.balances[held(person)] == sum(hold.amount for hold in self.holds if hold.person_id == person)


TestBooks = Books.TestCase


@given(st.integers(0, 1000), st.integers(-10, 1010))
def test_a_settlement_is_whole_or_refused(amount: int, captured: int) -> None:
    hold = Hold(reference="gen_1", person_id="alice", amount=amount)
    try:
        entries = settle(hold, captured, "", 0)
    except ValueError:
        assert not 0 <= captured <= amount
    else:
        assert sum(entry.amount for entry in entries) == amount


@given(st.sampled_from(sorted(State)), st.lists(st.integers(0, 9), max_size=30))
def test_a_job_that_wanders_along_the_table_can_always_still_end(start: State, turns: list[int]) -> None:
    state = start
    for turn in turns:
        ahead = sorted(TRANSITIONS[state])
        if not ahead:
            break
        state = ahead[turn % len(ahead)]
    assert state in TERMINAL or (state in STAGE_DEADLINES_MS and State.FAILED in TRANSITIONS[state])


@given(
    st.sampled_from(sorted(State)),
    st.none() | st.floats(-2, 2, allow_nan=False),
    st.none() | st.integers(cast.NOON - 10**9, cast.NOON + 10**9),
    st.integers(0, 10**7),
)
def test_progress_never_leaves_its_bounds(
    state: State, progress: float | None, submitted_at: int | None, typical_ms: int
) -> None:
    pinned = cast.pinned(typical_ms=typical_ms)
    job = cast.generation(cast.alice(), state=state, progress=progress, submitted_at=submitted_at, pinned=pinned)
    shown, by = shown_progress(job, cast.NOON)
    assert (shown is None) == (by is None)
    assert shown is None or 0 <= shown < 1 or (shown == 1 and state is State.SUCCEEDED)


@given(st.integers(0, 10**9))
def test_pauses_grow_and_stay_under_a_minute(attempts: int) -> None:
    assert 500 <= backoff_ms(attempts) <= backoff_ms(attempts + 1) <= 60_000


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.decimals(0, 600, places=3), st.integers(0, 1000))
def test_a_price_is_never_below_what_it_exactly_is_and_never_a_whole_token_above(
    base: int, per_second: int, duration_s: Decimal, percent: int
) -> None:
    model = Model(
        id="m", provider="p", upstream="u", name="M", description="", kind=Kind.VIDEO,
        price=Price(base=base, per_second=per_second, size_percent={"s": percent}),
    )  # fmt: skip
    exact = (Decimal(base) + Decimal(per_second) * duration_s) * percent / 100
    for written in (float(duration_s), str(duration_s)):
        tokens = price_each(model, {"duration_s": written, "size": "s"})
        assert tokens == int(exact.to_integral_value(ROUND_CEILING))


@given(st.integers(0, 10**9), st.integers(0, 100))
def test_a_late_cancel_never_costs_more_than_the_price(price: int, percent: int) -> None:
    model = Model(
        id="m", provider="p", upstream="u", name="M", description="", kind=Kind.VIDEO, cancel_fee_percent=percent
    )
    assert Fraction(price * percent, 100) <= cancel_fee(model, price) <= price


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(st.integers(), max_size=3)
    | st.dictionaries(TEXT, st.integers(), max_size=2)
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["choice", "integer", "number", "boolean", "other"]), VALUES))
def test_parameters_are_taken_as_the_catalogue_allows_or_refused_in_words(given_: dict[str, Any]) -> None:
    model = Model(
        id="m", provider="p", upstream="u", name="M", description="", kind=Kind.VIDEO,
        parameters={
            "choice": Parameter(label="c", type="choice", default="a", choices=("a", "b")),
            "integer": Parameter(label="i", type="integer", default=3, minimum=0, maximum=12, step=3),
            "number": Parameter(label="n", type="number", default=0.5),
            "boolean": Parameter(label="b", type="boolean", default=False),
        },
    )  # fmt: skip
    try:
        values = validate(model, given_)
    except Invalid as refused:
        complaints = refused.extra["fields"]
        assert complaints.keys() <= given_.keys()
        return
    assert values.keys() == model.parameters.keys()
    assert values["choice"] in ("a", "b")
    assert type(values["integer"]) is int
    assert values["integer"] in (0, 3, 6, 9, 12)
    assert abs(values["number"]) < float("inf")
    assert type(values["boolean"]) is bool
    assert validate(model, values) == values


@given(ANY_TEXT)
def test_terms_of_any_text_hold_no_white_space_and_can_be_stored(text: str) -> None:
    for term in [*words(text), field("tag", text)]:
        assert not re.search(r"\s", term)
        assert term == term.casefold() or "\u0345" in text  # a letter whose small form has two shapes
        term.encode()
        assert "\0" not in term
        assert 0 < len(term) <= 64 + len("tag:")


@given(TEXT)
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    assert words(text) == words(text.replace("’", "'"))
    assert set(words(f"{text} {text}")) >= set(words(text)) - {""}


@given(st.text(max_size=QUERY_CHARS + 20) | WORDS | ANY_TEXT)
def test_any_query_is_understood_or_refused_in_words(text: str) -> None:
    try:
        query = parse(text)
    except Invalid as refused:
        complaints = refused.extra["fields"]
        assert complaints.keys() == {"q"}
        return
    assert isinstance(query, Query)
    used = query.all + query.prefixes + query.none
    assert len(used) <= QUERY_TERMS
    for term in used:
        assert not re.search(r"\s", term)
        assert not term.startswith("in:")
        term.encode()


@given(st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), max_size=10))
def test_plain_words_all_have_to_be_there(typed: list[str]) -> None:
    assert parse(" ".join(typed)) == Query(all=tuple(dict.fromkeys(typed)))


ITEM = cast.media(cast.generation(cast.alice()))
ITEMS = st.builds(
    msgspec.structs.replace,
    st.just(ITEM),
    prompt=WORDS | TEXT,
    title=WORDS | TEXT,
    description=WORDS | TEXT,
    tags=st.lists(WORDS, max_size=4).map(tuple),
    category=WORDS,
    prompt_words=st.frozensets(st.sampled_from(["title", "description", "tags"])),
    unlock_price=st.integers(0, 2),
    is_blurred=st.booleans(),
    hidden=st.booleans(),
    trashed_at=st.none() | st.just(cast.NOON),
    visibility=st.sampled_from(Visibility),
)


@given(ITEMS)
def test_the_open_and_the_withheld_terms_of_an_item_are_disjoint_and_locking_loses_none(item: Media) -> None:
    found = terms_of(item, "alice")
    unlocked = terms_of(msgspec.structs.replace(item, unlock_price=0, is_blurred=False), "alice")
    assert not found.open & found.withheld
    assert unlocked.withheld == frozenset()
    assert found.open | found.withheld == unlocked.open


@given(ITEMS)
def test_a_locked_item_shows_no_word_that_only_its_prompt_had(item: Media) -> None:
    item = msgspec.structs.replace(item, is_blurred=True)
    texts = {"title": [item.title], "description": [item.description], "tags": list(item.tags)}
    said = {word for name in texts.keys() - item.prompt_words for text in texts[name] for word in words(text)}
    shown = {term for term in terms_of(item, "alice").open if ":" not in term}
    assert shown <= said
    assert not shown & (set(words(item.prompt)) - said)


@given(ITEMS)
def test_what_strangers_find_does_not_depend_on_a_locked_prompt(item: Media) -> None:
    item = msgspec.structs.replace(item, is_blurred=True, prompt_words=frozenset({"title", "description", "tags"}))
    other = msgspec.structs.replace(item, prompt="x", title="y", description="z", tags=("t",), model="m", provider="p")
    assert terms_of(item, "alice").open == terms_of(other, "alice").open


@given(ANY_TEXT | st.text("aßŉ. ,\n", max_size=300), st.sampled_from(Kind))
def test_titles_and_descriptions_fit_and_always_say_something(prompt: str, kind: Kind) -> None:
    title, description = title_from(prompt, kind), description_from(prompt, kind, "Dream")
    assert 0 < len(title) <= 80
    assert 0 < len(description) <= 2_000
    assert title == " ".join(title.split())
    assert "\n" not in title + description


@given(st.dictionaries(TEXT, st.lists(ANY_TEXT, max_size=4), max_size=4), st.sampled_from(Kind))
def test_tags_are_slugs_each_once(selections: dict[str, list[str]], kind: Kind) -> None:
    tags = tags_from(kind, selections)
    assert tags[:2] == ("ai-generated", kind.value)
    assert len(set(tags)) == len(tags)
    assert all(tag and tag == slug(tag) and len(tag) <= 40 and not re.search(r"\s", tag) for tag in tags)


@given(
    st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 80) - 1), st.sampled_from(["gen", "med", "usr", "ses", "lnk"])
)
def test_every_id_that_is_made_has_the_form_of_one(now: int, dice: int, kind: Any) -> None:
    made = Ids(cast.HandClock(now), lambda bits: dice).new(kind)
    assert is_id(made, kind)


@given(st.integers(0, (1 << 48) - 2), st.integers(0, (1 << 80) - 1), st.integers(0, (1 << 80) - 1))
def test_a_later_id_sorts_after_an_earlier_one(now: int, first: int, second: int) -> None:
    early = Ids(cast.HandClock(now), lambda bits: first).new("med")
    late = Ids(cast.HandClock(now + 1), lambda bits: second).new("med")
    assert early < late


@given(ANY_TEXT | st.from_regex(r"(images|videos|sources|\.\.)/(med|gen)_[0-7][0-9a-z]{25}[/.]?.{0,20}"))
def test_what_counts_as_a_key_never_leads_anywhere(text: str) -> None:
    if is_key(text):
        assert re.fullmatch(r"[a-z0-9_/.-]+", text)
        assert ".." not in text
        assert text.split("/")[0] in ("images", "videos", "sources")
        assert all(text.split("/"))
