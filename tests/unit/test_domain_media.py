"""Titles, descriptions, tags and keys."""

import msgspec
import pytest

import cast
from mutoscope.domain.media import (
    Kind,
    Variant,
    Visibility,
    description_from,
    is_key,
    key_for,
    slug,
    source_key,
    tags_from,
    title_from,
)


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("a lighthouse in fog", "A lighthouse in fog"),
        ("a lighthouse in fog, slow push-in, 35 mm", "A lighthouse in fog"),
        ("a cat. It sleeps.", "A cat"),
        ("a cat\nin the rain", "A cat"),
        ("  lots   of \t space ", "Lots of space"),
        ("...and then it rains", "...and then it rains"),
        ("!!! A parade !!!", "A parade"),
        (", , a late start", "A late start"),
        ("shot at f/1.8 with 2.5x zoom", "Shot at f/1.8 with 2.5x zoom"),
        ("16:9 picture of a fox; red", "16:9 picture of a fox"),
        ("夜空の下の灯台。静か", "夜空の下の灯台。静か"),
        ("", "Untitled film"),
        (" \n ", "Untitled film"),
        ("?!.,", "Untitled film"),
        ("über den Wolken", "Über den Wolken"),
    ],
)
def test_a_title_is_the_first_clause_of_the_prompt(prompt: str, title: str) -> None:
    assert title_from(prompt, Kind.VIDEO) == title


def test_a_picture_without_a_prompt_is_called_a_picture() -> None:
    assert title_from("", Kind.IMAGE) == "Untitled picture"


def test_a_long_title_is_cut_at_a_word() -> None:
    title = title_from("a very long walk " * 20, Kind.VIDEO)
    assert title == "A very long walk a very long walk a very long walk a very long walk a very…"
    assert len(title_from("x" * 300, Kind.VIDEO)) == 80
    assert len(title_from("ŉ" + "x" * 79, Kind.VIDEO)) == 80  # its capital has two letters


def test_a_description_is_the_prompt_or_says_what_made_it() -> None:
    assert description_from(" a  cat\nsleeps ", Kind.VIDEO, "Dream") == "a cat sleeps"
    assert description_from(" ", Kind.VIDEO, "Dream") == "A film made with Dream."
    assert description_from("", Kind.IMAGE, "Still") == "A picture made with Still."
    assert len(description_from("word " * 1000, Kind.VIDEO, "Dream")) <= 2000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Film Noir", "film-noir"), ("  1980s / VHS!", "1980s-vhs"), ("Straße", "strasse"), ("夜 空", "夜-空"), ("***", ""),
        ("a" * 50, "a" * 40), ("a" * 39 + " b", "a" * 39), ("<script>", "script"),
    ],
)  # fmt: skip
def test_a_tag_is_lower_case_words_with_hyphens(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_tags_say_that_it_is_ai_generated_its_kind_and_what_was_selected_each_once() -> None:
    chosen = {"style": ["Film Noir", "film noir"], "mood": ["Calm"], "other": ["***", "Video"]}
    assert tags_from(Kind.VIDEO, chosen) == ("ai-generated", "video", "film-noir", "calm")


@pytest.mark.parametrize(
    ("width", "height", "word"),
    [
        (1280, 720, "landscape"), (720, 1280, "portrait"), (512, 512, "square"), (1000, 980, "square"), (1000, 979, "landscape"),
        (979, 1000, "portrait"), (1, 1, "square"),
    ],
)  # fmt: skip
def test_orientation_allows_two_percent(width: int, height: int, word: str) -> None:
    assert cast.facts(width=width, height=height).orientation == word


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("mime_type", ["image/webp", "video/mp4", "text/vtt", "application/x-strange"])
def test_every_key_that_is_made_is_known_as_one(kind: Kind, variant: Variant, mime_type: str) -> None:
    assert is_key(key_for(kind, cast.ids.new("med"), variant, mime_type))
    assert is_key(source_key(cast.ids.new("gen"), mime_type))


def test_keys_of_different_variants_differ() -> None:
    id = cast.ids.new("med")
    assert len({key_for(Kind.VIDEO, id, variant, "image/webp") for variant in Variant}) == len(Variant)


@pytest.mark.parametrize(
    ("fields", "locked", "listed"),
    [
        ({}, False, True),
        ({"unlock_price": 1}, True, True),
        ({"is_blurred": True}, True, True),
        ({"visibility": Visibility.UNLISTED}, False, False),
        ({"visibility": Visibility.PRIVATE}, False, False),
        ({"hidden": True}, False, False),
        ({"trashed_at": cast.NOON}, False, False),
    ],
)
def test_what_is_locked_and_what_is_listed(fields: dict[str, object], locked: bool, listed: bool) -> None:
    item = msgspec.structs.replace(cast.media(cast.generation(cast.alice())), **fields)
    assert (item.locked, item.listed) == (locked, listed)
