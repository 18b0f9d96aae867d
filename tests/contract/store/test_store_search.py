"""Search: the same answers as the plainest model, in pages that neither skip nor repeat."""

import random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cast
import journey
from cast import NOON
from mutoscope.domain import search
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Kind, Media, Visibility
from mutoscope.domain.people import Person
from mutoscope.domain.search import Query, Sort, Terms
from mutoscope.store.port import Store

SORTS: tuple[Sort, ...] = get_args(Sort)
WORDS = (
    "fog",
    "foggy",
    "sea",
    "seaside",
    "夜空",
    "夜",
    "café",
    "l'été",
    "don't",
    "Ünder",
    "हिन्दी",
    "2026",
    "a",
    "x" * 70,
)


def rank(item: Media, sort: Sort) -> tuple[float, int]:
    length = item.facts.duration_s or 0.0
    return {
        "newest": (0.0, -item.seq),
        "oldest": (0.0, item.seq),
        "longest": (-length, -item.seq),
        "shortest": (length, item.seq),
        "popular": (float(-item.views), -item.seq),
        "liked": (float(-item.likes), -item.seq),
    }[sort]


def fits(item: Media, terms: frozenset[str], scope: str, query: Query) -> bool:
    length = item.facts.duration_s
    return (
        {scope, *query.all} <= terms
        and all(any(term.startswith(start) for term in terms) for start in query.prefixes)
        and not terms & set(query.none)
        and (query.after is None or item.created_at >= query.after)
        and (query.before is None or item.created_at < query.before)
        and (query.longer_s is None or (length is not None and length >= query.longer_s))
        and (query.shorter_s is None or (length is not None and length <= query.shorter_s))
    )


def expected(items: list[Media], name: str, scope: str, query: Query, withheld_too: bool) -> list[str]:
    def terms(item: Media) -> frozenset[str]:
        made: Terms = search.terms_of(item, name)
        return made.open | made.withheld if withheld_too else made.open

    matching = [item for item in items if fits(item, terms(item), scope, query)]
    return [item.id for item in sorted(matching, key=lambda item: rank(item, query.sort))]


async def walk(store: Store, scope: str, query: Query, withheld_too: bool, limit: int) -> list[str]:
    seen: list[str] = []
    cursor = None
    while True:
        page = await store.media.search(scope, query, withheld_too, cursor, limit)
        assert len(page.items) <= limit
        seen += [item.id for item in page.items]
        cursor = page.next
        if cursor is None:
            return seen


def looks(dice: random.Random) -> dict[str, object]:
    kind = dice.choice(list(Kind))
    lengths = {"duration_s": dice.choice((0.5, 4.0, 4.0, 9.5))} if kind is Kind.VIDEO else {}
    return {
        "facts": cast.facts(kind, width=dice.choice((720, 1280)), **lengths),
        "prompt": " ".join(dice.choices(WORDS, k=3)),
        "title": " ".join(dice.choices(WORDS, k=2)),
        "tags": tuple(dice.choices(("Film Noir", "calm", "a/b", "l'été"), k=1)),
        "prompt_words": frozenset(dice.sample(("title", "description", "tags"), 2)),
        "visibility": dice.choice((Visibility.PUBLIC, Visibility.PUBLIC, Visibility.PRIVATE)),
        "unlock_price": dice.choice((0, 0, 5)),
        "views": dice.randrange(3),
        "likes": dice.randrange(3),
        "trashed_at": dice.choice((None, None, None, NOON)),
        "created_at": NOON + dice.randrange(5),
    }


@pytest.fixture
async def shelf(store: Store, alice: Person, rng: random.Random) -> list[Media]:
    """Thirty items of alice's, of all kinds."""
    items: list[Media] = []
    for _ in range(10):
        job = await journey.at(store, alice, journey.State.DEVELOPING, results=3, price_each=0)
        made = [cast.media(job, position, **looks(rng)) for position in range(3)]
        await store.generations.publish(job.id, job.fence, NOON, made, captured=0)
        items += await store.media.of_generation(job.id)
    return items


FIELDS = ("kind:video", "kind:image", "tag:film-noir", "tag:a/b", "tag:l'été", "orientation:portrait", "owner:alice")
terms = st.sampled_from([*sorted({term for word in WORDS for term in search.words(word)}), *FIELDS, "none"])
queries = st.builds(
    Query,
    all=st.lists(terms, max_size=2).map(tuple),
    prefixes=st.lists(
        st.sampled_from(["fo", "sea", "s", "夜", "caf", "l'", "xx", "x" * 64, "tag:film", "no"]), max_size=1
    ).map(tuple),
    none=st.lists(terms, max_size=2).map(tuple),
    after=st.none() | st.integers(NOON, NOON + 5),
    before=st.none() | st.integers(NOON, NOON + 5),
    longer_s=st.none() | st.sampled_from([0.0, 4.0, 9.0]),
    shorter_s=st.none() | st.sampled_from([0.5, 4.0]),
    sort=st.sampled_from(SORTS),
)


async def test_search_answers_as_the_plainest_model(store: Store, alice: Person, shelf: list[Media]) -> None:
    scopes = st.sampled_from([search.GALLERY, search.EVERYTHING, search.library(alice.id), search.trash(alice.id)])
    asked = []

    @settings(max_examples=200)
    @given(scopes, queries, st.booleans(), st.integers(1, 7))
    def ask(scope: str, query: Query, withheld_too: bool, limit: int) -> None:
        asked.append((scope, query, withheld_too, limit))

    ask()
    for scope, query, withheld_too, limit in asked:
        answer = await walk(store, scope, query, withheld_too, limit)
        assert answer == expected(shelf, "alice", scope, query, withheld_too), (scope, query, withheld_too)


@pytest.mark.parametrize("sort", SORTS)
async def test_the_pages_of_a_sort_neither_skip_nor_repeat(store: Store, shelf: list[Media], sort: Sort) -> None:
    whole = expected(shelf, "alice", search.EVERYTHING, Query(sort=sort), True)
    assert len(whole) == len(shelf)
    for limit in (1, 4, 30, 31):
        assert await walk(store, search.EVERYTHING, Query(sort=sort), True, limit) == whole


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("other", SORTS)
async def test_a_cursor_of_another_sort_is_refused(store: Store, shelf: list[Media], sort: Sort, other: Sort) -> None:
    cursor = (await store.media.search(search.EVERYTHING, Query(sort=sort), True, None, 5)).next
    assert cursor is not None
    if sort == other:
        assert (await store.media.search(search.EVERYTHING, Query(sort=other), True, cursor, 5)).items
    else:
        with pytest.raises(Invalid):
            await store.media.search(search.EVERYTHING, Query(sort=other), True, cursor, 5)


@pytest.mark.parametrize("cursor", ["nonsense", "%%%", "W10", "WyJuZXdlc3QiLCJ4Il0", "WyJuZXdlc3QiLDFlOTk5XQ"])
async def test_a_cursor_that_is_none_of_ours_is_refused_by_the_search(store: Store, cursor: str) -> None:
    with pytest.raises(Invalid):
        await store.media.search(search.GALLERY, Query(), False, cursor, 5)


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "'",
        "*",
        "a AND",
        "NOT",
        "(",
        ")",
        "open:x",
        "withheld:lighthouse",
        "{open}",
        "^x",
        "a NEAR b",
        "tag:\x00",
        "tag:'\"; DROP",
        "--",
        "夜*",
        "-x*",
        "%",
        "\\",
    ],
)
async def test_nothing_that_is_typed_breaks_the_search(store: Store, shelf: list[Media], text: str) -> None:
    for sort in SORTS:
        query = search.parse(text, sort)
        assert await walk(store, search.GALLERY, query, False, 50) == expected(
            shelf, "alice", search.GALLERY, query, False
        )


async def test_a_page_that_was_filled_while_new_items_came_goes_on_where_it_was(store: Store, alice: Person) -> None:
    old = [(await journey.published(store, alice))[0].id for _ in range(4)]
    page = await store.media.search(search.GALLERY, Query(), False, None, 2)
    await journey.published(store, alice)
    rest = await store.media.search(search.GALLERY, Query(), False, page.next, 10)
    assert [item.id for item in (*page.items, *rest.items)] == old[::-1]
