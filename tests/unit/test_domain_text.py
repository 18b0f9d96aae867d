"""What may stand in titles, tags, descriptions and prompts."""

import pytest

import cast
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Kind, description_from, slug, title_from
from mutoscope.domain.text import is_blank, one_line, wrong_in_line, wrong_in_text
from mutoscope.services.gallery import Changes, _changed  # pyright: ignore[reportPrivateUsage]  # the rule of edits

FINE = [
    "A lighthouse in fog",
    "Über den Wolken, 35 mm",
    "夜空の下の灯台",
    "مرحبا بالعالم",
    "می‌خواهم",  # with a zero-width non-joiner, as Persian is written
    "हिन्दी में",
    "שלום\u200f (1)",
    "👩‍👩‍👧 at the ❤️ of it 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
]
CONTROLS = ["a\x00b", "a\x1bb", "a\x7fb", "a\x9bb", "a\rb", "a\ud800b"]
BREAKS = ["a\nb", "a\tb", "a\r\nb", "a\u2028b", "a\u2029b"]
TURNS = [f"a{chr(c)}b" for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
UNSEEN = ["", " \n\t", "\u200b", "\u200d\ufeff", "\u3164", "\u2060 \u00ad", "\ufe0f"]


@pytest.mark.parametrize("text", FINE)
def test_every_script_and_joined_emoji_may_stand_anywhere(text: str) -> None:
    assert wrong_in_line(text) is None
    assert wrong_in_text(text) is None
    assert not is_blank(text)
    assert one_line(text) == text


@pytest.mark.parametrize("text", CONTROLS)
def test_a_control_character_is_refused_in_every_text(text: str) -> None:
    assert wrong_in_line(text)
    assert wrong_in_text(text)


@pytest.mark.parametrize("text", [*BREAKS, *TURNS])
def test_line_breaks_and_turned_writing_are_refused_in_a_line_alone(text: str) -> None:
    assert wrong_in_line(text)
    assert wrong_in_text(text) is None


@pytest.mark.parametrize("text", UNSEEN)
def test_what_nobody_can_see_counts_as_empty(text: str) -> None:
    assert is_blank(text)
    assert slug(text) == ""
    assert title_from(text, Kind.VIDEO) == "Untitled film"
    assert description_from(text, Kind.VIDEO, "Dream") == "A film made with Dream."


@pytest.mark.parametrize("prompt", [*CONTROLS, *BREAKS, *TURNS, "\u202e\x00 a", "\u3164, a cat"])
def test_a_title_made_from_a_prompt_is_one_that_may_be_typed(prompt: str) -> None:
    title = title_from(prompt, Kind.IMAGE)
    assert wrong_in_line(title) is None
    assert title == title.strip()
    assert title.startswith("A")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *((Changes(title=text), "title") for text in [*CONTROLS, *BREAKS, *TURNS, *UNSEEN]),
        *((Changes(tags=["fine", text]), "tags") for text in [*CONTROLS, *TURNS]),
        *((Changes(description=text), "description") for text in CONTROLS),
        *((Changes(category=text), "category") for text in [*TURNS, *UNSEEN]),
    ],
)
def test_an_edit_with_words_that_cannot_stand_is_refused_at_the_field(changes: Changes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        _changed(cast.media(cast.generation(cast.alice())), changes)
    assert set(refused.value.extra["fields"]) == {field}


@pytest.mark.parametrize("text", FINE)
def test_an_edit_keeps_every_script_as_it_was_typed(text: str) -> None:
    edited = _changed(
        cast.media(cast.generation(cast.alice())), Changes(title=text, description=f"{text}\n\n\t{text}", tags=[text])
    )
    assert (edited.title, edited.description) == (text, f"{text}\n\n\t{text}")
    assert edited.tags


def test_a_description_that_nobody_can_see_is_none() -> None:
    assert _changed(cast.media(cast.generation(cast.alice())), Changes(description="\u200b\n")).description == ""
