"""Category selections: what is picked is checked, joins the prompt, and comes in the order of the groups."""

from pathlib import Path

import pytest

from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import slug
from mutoscope.services.categories import load_categories


def test_the_package_has_groups_whose_ids_are_tags():
    groups = load_categories(None).groups
    assert {"style", "mood", "camera", "lighting", "palette", "setting"} <= {group.id for group in groups}
    for group in groups:
        assert 6 <= len(group.options) <= 10
        assert all(slug(option.id) == option.id for option in group.options)


def test_selections_come_in_the_order_of_the_groups_each_once():
    given = {"camera": ["low-angle"], "mood": [], "style": ["watercolour", "film-noir", "watercolour"]}
    checked = load_categories(None).check(given)
    assert list(checked.items()) == [("style", ["film-noir", "watercolour"]), ("camera", ["low-angle"])]


def test_the_context_is_a_sentence_for_each_group():
    selections = {"camera": ["low-angle"], "style": ["film-noir", "watercolour"]}
    assert load_categories(None).context(selections) == "Style: film noir, watercolour. Camera: low angle."
    assert load_categories(None).context({}) == ""


def test_an_option_that_was_removed_since_adds_nothing():
    assert load_categories(None).context({"style": ["gone"], "gone": ["film-noir"]}) == ""


@pytest.mark.parametrize(
    ("selections", "field", "complaint"),
    [
        ({"sytle": ["film-noir"]}, "category_selections.sytle", "no such group; choose from style"),
        ({"style": ["film noir"]}, "category_selections.style", "Style has no 'film noir'; choose from film-noir"),
        ({"palette": ["warm", "cool"]}, "category_selections.palette", "Palette takes at most 1"),
    ],
)
def test_what_cannot_be_selected_is_named(selections: dict[str, list[str]], field: str, complaint: str):
    with pytest.raises(Invalid, match=complaint) as caught:
        load_categories(None).check(selections)
    assert complaint in caught.value.extra["fields"][field]


OWN = '[[group]]\nid = "era"\nlabel = "Era"\noptions = [{ id = "1920s", label = "Twenties", phrase = "the 1920s" }]\n'


def test_a_file_of_the_operator_takes_the_place_of_the_groups(tmp_path: Path):
    path = tmp_path / "categories.toml"
    assert load_categories(path).groups == load_categories(None).groups
    path.write_text(OWN)
    assert load_categories(path).context({"era": ["1920s"]}) == "Era: the 1920s."


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (OWN.replace("1920s\",", "The 20s\",", 1), "'The 20s' cannot be an id; write 'the-20s'"),
        (OWN + OWN, "'era' is there twice"),
        (OWN.replace('"the 1920s"', '" "'), "option 1920s: `label` and `phrase` must say something"),
        (OWN.replace("label = \"Era\"", "labl = \"Era\""), "labl"),
        (OWN.replace("id = \"era\"", "id = 3"), r"Expected `str`, got `int` - at `\$.group\[0\].id`"),
        ("[[group]\n", "Mend that"),
        ('[[group]]\nid = "era"\nlabel = "Era"\noptions = []\n', "one option or more"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_named_with_the_file(tmp_path: Path, text: str, complaint: str):
    path = tmp_path / "categories.toml"
    path.write_text(text)
    with pytest.raises(Invalid, match=complaint) as caught:
        load_categories(path)
    assert str(path) in caught.value.detail
