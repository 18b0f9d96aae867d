"""No term is split, folded or mixed up with another by the full-text index."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mutoscope.domain import search as domain
from mutoscope.store.sqlite import schema, search

texts = st.text(min_size=1, max_size=20)
made = st.one_of(
    texts.map(domain.words).filter(bool).map(lambda found: found[0]),
    st.builds(domain.field, st.sampled_from(domain.FIELDS), texts),
)
SCOPE = "in:everything"


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript((schema.MIGRATIONS / "0001_start.sql").read_text())
        yield connection


def finds(index: sqlite3.Connection, query: domain.Query, withheld_too: bool = False) -> list[int]:
    match = search.matching(SCOPE, query, withheld_too)
    return [row[0] for row in index.execute("SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid", (match,))]


def fill(index: sqlite3.Connection, *items: tuple[set[str], set[str]]) -> None:
    index.execute("DELETE FROM search")
    for seq, (open_, withheld) in enumerate(items, 1):
        search.add(index, seq, domain.Terms(open=frozenset({SCOPE, *open_}), withheld=frozenset(withheld)))


@given(made, made)
@example("हिन्दी", "हिन्द")
@example("夜空", "夜")
@example("tag:a/b-c_d.e:f", "tag:a")
@example("l'été", "l'ete")
@example("ı", "i")
@example("\u0345", "ι")
@example("tag:\x00", "tag:")
@example("ǆ", "ǅ")
def test_every_term_is_found_exactly(index: sqlite3.Connection, term: str, other: str) -> None:
    assume(term != other)
    fill(index, ({term}, set()), ({other}, set()), ({term, other}, set()))
    assert finds(index, domain.Query(all=(term,))) == [1, 3]
    assert finds(index, domain.Query(all=(term, other))) == [3]
    assert finds(index, domain.Query(none=(term,))) == [2]


@given(made, st.integers(1, 10))
@example("夜空", 1)
@example("हिन्दी", 3)
def test_every_beginning_finds_its_terms(index: sqlite3.Connection, term: str, length: int) -> None:
    start = term[:length]
    items = ({term}, {"x" + term}, {start})
    fill(index, *((terms, set()) for terms in items))
    fitting = [seq for seq, terms in enumerate(items, 1) if any(found.startswith(start) for found in {SCOPE} | terms)]
    assert finds(index, domain.Query(prefixes=(start,))) == fitting


@given(made)
def test_a_withheld_term_is_found_by_its_owner_alone(index: sqlite3.Connection, term: str) -> None:
    fill(index, (set(), {term}))
    assert finds(index, domain.Query(all=(term,))) == []
    assert finds(index, domain.Query(prefixes=(term[:2],))) == ([1] if SCOPE.startswith(term[:2]) else [])
    assert finds(index, domain.Query(none=(term,))) == [1]
    assert finds(index, domain.Query(all=(term,)), withheld_too=True) == [1]
    assert finds(index, domain.Query(none=(term,)), withheld_too=True) == []
