"""How items become terms, and what people type becomes a query."""

import msgspec
import pytest

import cast
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Media, Visibility
from mutoscope.domain.search import Query, Terms, day, field, library, parse, terms_of, trash, words

NOV_22 = 1_795_305_600_000

ALICE = cast.alice()
ITEM = cast.media(
    cast.generation(ALICE, prompt="a zebra in fog"),
    title="Zebra", description="a zebra in fog", tags=("ai-generated", "film-noir"), category="nature",
)  # fmt: skip


def terms(**fields: object) -> Terms:
    item: Media = msgspec.structs.replace(ITEM, **fields)
    return terms_of(item, "alice")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Café's 夜空 2026", ["the", "café's", "夜空", "2026"]),
        ("Cafe\u0301", ["café"]),
        ("ＦＵＬＬ　width", ["full", "width"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("rock’n’roll rock'n'roll", ["rock'n'roll", "rock'n'roll"]),
        ("'quoted' it's'", ["quoted", "it's"]),
        ("snake_case well-known", ["snake", "case", "well", "known"]),
        ("夜空の灯", ["夜空", "空の", "の灯"]),
        ("夜", ["夜"]),
        ("mp4夜空mp4", ["mp4", "夜空", "mp4"]),
        ("한국 영화", ["한국", "영화"]),
        ("x" * 70, ["x" * 64]),
        ("!!! ... \0 \t", []),
        ("", []),
    ],
)
def test_words_are_normalised_and_cjk_becomes_pairs(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("Film Noir", "tag:film-noir"), (" a \n\u3000 b ", "tag:a-b"), ("local/dream", "tag:local/dream"), ("", "tag:"),
        ("a\0b\udcff", "tag:ab"), ("y" * 99, "tag:" + "y" * 64),
    ],
)  # fmt: skip
def test_a_field_is_one_term_without_white_space(value: str, term: str) -> None:
    assert field("tag", value) == term


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("Foggy lighthouse", Query(all=("foggy", "lighthouse"))),
        ("fog fog FOG", Query(all=("fog",))),
        ("fog -rain", Query(all=("fog",), none=("rain",))),
        ("light*", Query(prefixes=("light",))),
        ("blue light*", Query(all=("blue",), prefixes=("light",))),
        ("-light*", Query(none=("light",))),
        ("x*", Query(all=("x",))),
        ("*", Query()),
        ("kind:video TAG:Noir", Query(all=("kind:video", "tag:noir"))),
        ('tag:"film noir" -owner:bob', Query(all=("tag:film-noir",), none=("owner:bob",))),
        ('"blue light"', Query(all=("blue", "light"))),
        ("model:local/dream", Query(all=("model:local/dream",))),
        ("nonsense:thing", Query(all=("nonsense", "thing"))),
        ("https://example.org", Query(all=("https", "example", "org"))),
        ("tag:", Query(all=("tag",))),
        ("in:everything", Query(all=("in", "everything"))),
        ("after:2026-11-22 before:2026-11-23", Query(after=NOV_22, before=NOV_22 + 86_400_000)),
        ("longer:5 shorter:10.5", Query(longer_s=5.0, shorter_s=10.5)),
        ("夜空 -灯", Query(all=("夜空",), none=("灯",))),
        ('"unclosed quote', Query(all=("unclosed", "quote"))),
    ],
)
def test_what_people_type_becomes_a_query(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x" * 501, "too long"), (" ".join(f"w{n}" for n in range(21)), "too many words"), ("after:yesterday", "not a date"),
        ("before:2026-02-30", "not a date"), ("longer:soon", "not a number"), ("shorter:-1", "not a number"),
        ("longer:nan", "not a number"), ("longer:1e9", "not a number"), ("-after:2026-11-22", "without the minus"),
        ("-longer:5", "without the minus"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_is_refused_and_says_why(text: str, complaint: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text)
    assert complaint in refused.value.extra["fields"]["q"]


def test_no_query_reaches_a_scope() -> None:
    for scope in ("in:everything", "in:gallery", library(ALICE.id), trash(ALICE.id)):
        for text in (scope, f'"{scope}"', f"tag:{scope}", f'in:"{scope[3:]}"', f"-{scope}"):
            query = parse(text)
            assert scope not in query.all + query.prefixes + query.none


def test_an_open_item_is_found_by_all_of_it() -> None:
    found = terms()
    assert found.withheld == frozenset()
    assert found.open == {
        "in:everything", "in:gallery", library(ALICE.id), "kind:video", "owner:alice", "orientation:landscape", "category:nature",
        "model:local/dream", "provider:local", "zebra", "a", "in", "fog", "tag:ai-generated", "tag:film-noir", "ai", "generated",
        "film", "noir",
    }  # fmt: skip


@pytest.mark.parametrize("lock", [{"unlock_price": 5}, {"is_blurred": True}])
def test_a_locked_item_is_not_found_by_strangers_through_what_its_prompt_gave(lock: dict[str, object]) -> None:
    found = terms(**lock)
    assert found.open == {
        "in:everything", "in:gallery", library(ALICE.id), "kind:video", "owner:alice", "orientation:landscape", "category:nature",
    }  # fmt: skip
    assert found.withheld == terms().open - found.open


def test_a_locked_item_is_found_by_the_words_that_its_owner_wrote_for_the_public() -> None:
    found = terms(unlock_price=5, title="Striped horse", prompt_words=frozenset({"description", "tags"}))
    assert {"striped", "horse"} <= found.open
    assert {"zebra", "fog", "tag:film-noir", "noir"} <= found.withheld


def test_a_word_that_the_owner_wrote_too_is_open() -> None:
    found = terms(unlock_price=5, title="Fog", prompt_words=frozenset({"description", "tags"}))
    assert "fog" in found.open
    assert "fog" not in found.withheld


def test_tags_that_the_owner_wrote_are_open() -> None:
    found = terms(is_blurred=True, tags=("For Sale",), prompt_words=frozenset({"title", "description"}))
    assert {"tag:for-sale", "for", "sale"} <= found.open


@pytest.mark.parametrize(
    ("fields", "scopes"),
    [
        ({}, {"in:everything", "in:gallery", library(ALICE.id)}),
        ({"visibility": Visibility.UNLISTED}, {"in:everything", library(ALICE.id)}),
        ({"visibility": Visibility.PRIVATE}, {"in:everything", library(ALICE.id)}),
        ({"hidden": True}, {"in:everything", library(ALICE.id)}),
        ({"trashed_at": cast.NOON}, {"in:everything", trash(ALICE.id)}),
    ],
)
def test_an_item_is_in_the_scopes_where_it_belongs(fields: dict[str, object], scopes: set[str]) -> None:
    for lock in ({}, {"unlock_price": 5}):
        found = terms(**fields, **lock)
        assert {term for term in found.open if term.startswith("in:")} == scopes
        assert not {term for term in found.withheld if term.startswith("in:")}


def test_days_begin_at_midnight_utc() -> None:
    assert day("2026-11-22", "from") == NOV_22
    assert day("1970-01-01", "from") == 0
    with pytest.raises(Invalid) as refused:
        day("22.11.2026", "from")
    assert refused.value.extra["fields"].keys() == {"from"}
