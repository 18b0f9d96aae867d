"""How things are said."""

import pytest

from mutoscope.domain.errors import Invalid
from mutoscope.domain.generation import State
from mutoscope.domain.ids import DAY, HOUR, MINUTE, SECOND
from mutoscope.domain.ledger import EntryKind
from mutoscope.domain.media import Visibility
from mutoscope.domain.source import SourceRule
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.services.categories import load_categories
from mutoscope.web.pages import words
from mutoscope.web.pages.assets import FILES, address
from mutoscope.web.pages.composer import wish_from
from mutoscope.web.pages.forms import safe_path

MODELS = load_catalogue(None, ["local"])
GROUPS = load_categories(None).groups


def test_every_state_entry_and_visibility_has_its_words() -> None:
    assert set(words.STAGES) == {state.value for state in State}
    assert set(words.ENTRIES) == set(EntryKind)
    assert set(words.VISIBILITIES) == set(words.COLLECTION_VISIBILITIES) == set(Visibility)


def test_figures_are_said_as_people_say_them() -> None:
    assert [words.tokens(n) for n in (0, 1, 1200)] == ["0 tokens", "1 token", "1,200 tokens"]
    assert [words.clock(s) for s in (0.2, 4.6, 75)] == ["0:01", "0:05", "1:15"]
    assert [words.size(n) for n in (999, 1_400, 602_000, 2_500_000_000)] == ["999 bytes", "1.4 kB", "602 kB", "2.5 GB"]
    assert [words.usual(ms) for ms in (400, 8_000, 180_000)] == ["about 1 s", "about 8 s", "about 3 min"]
    passed = (SECOND, MINUTE, 3 * HOUR, DAY, 9 * DAY)
    assert [words.ago(0, ms) for ms in passed] == ["just now", "1 min ago", "3 hours ago", "1 day ago", "9 days ago"]


def test_what_becomes_of_a_picture_is_said_before_it_is_chosen() -> None:
    three = SourceRule(sizes=("1024x576", "576x1024", "768x768"))
    assert (
        words.takes(three) == "cropped around its centre to the nearest of 1024 × 576, 576 × 1024 and 768 × 768 pixels"
    )
    assert words.takes(SourceRule(sizes=("512x512",))) == "cropped around its centre to 512 × 512 pixels"
    assert words.takes(SourceRule(side_px=2048)) == "made smaller where a side is longer than 2,048 pixels"


@pytest.mark.parametrize(
    ("width", "height", "classes"),
    [
        (1280, 720, "u1 t7 h8"),
        (720, 1280, "u0 t5 h6"),
        (1, 1, "u1 t0 h0"),
        (10_000, 1, "u5 t0 h0"),
        (1, 99, "u0 t2 h0"),
    ],
)
def test_a_shape_is_the_ratio_to_a_hundredth_within_bounds(width: int, height: int, classes: str) -> None:
    assert words.shape(width, height) == classes
    style = FILES["studio.css"].decode()
    assert all(f".{name} {{" in style for name in classes.split())


def test_style_and_scripts_stay_under_60_kb_and_load_nothing_from_elsewhere() -> None:
    loaded = {name: text.decode() for name, text in FILES.items() if name.endswith((".css", ".js"))}
    assert sum(len(text.encode()) for text in loaded.values()) < 60_000
    for name, text in loaded.items():
        links = [part.split('"')[0] for part in text.split('from "')[1:]]
        assert all(link.startswith("./") and link[2:] in FILES for link in links), name
        assert "url(" not in text, name
        assert "@import" not in text, name


def test_an_asset_that_is_not_there_is_noticed_when_a_page_is_made() -> None:
    with pytest.raises(LookupError):
        address("nothing.js")


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/\nx", "\\\\evil"],
)
def test_after_signing_in_nobody_is_sent_to_another_site(path: str) -> None:
    assert safe_path(path) == "/"
    assert safe_path("/create?from=med_1#x") == "/create?from=med_1#x"


def test_only_the_chosen_models_fields_make_the_order() -> None:
    fields = {
        "model": "local/dream",
        "prompt": " Rain\r\nat night ",
        "negative_prompt": "people",
        "source_media": "med_1",
        "local/dream:duration_s": "3",
        "local/dream:size": "640x360",
        "local/drift:duration_s": "9",
        "local/still:results": "4",
        "category:style:film-noir": "on",
        "category:style:no-such": "on",
        "seed": "7",
        "visibility": "private",
    }
    wish = wish_from(MODELS.get("local/dream"), fields, GROUPS, has_upload=False)
    assert wish.parameters == {"duration_s": 3, "size": "640x360"}
    assert (wish.prompt, wish.negative_prompt, wish.source_media) == ("Rain\nat night", "", None)
    assert (wish.seed, wish.results, wish.visibility) == (7, 1, Visibility.PRIVATE)
    assert wish.category_selections == {"style": ["film-noir"]}


def test_fields_that_make_no_sense_are_all_named() -> None:
    fields = {"seed": "x", "visibility": "everyone", "local/drift:results": "-1"}
    with pytest.raises(Invalid) as refused:
        wish_from(MODELS.get("local/drift"), fields, GROUPS, has_upload=False)
    assert set(refused.value.extra["fields"]) == {"seed", "visibility", "results", "image"}


def test_a_number_that_is_none_is_left_for_the_catalogue_to_refuse() -> None:
    wish = wish_from(MODELS.get("local/dream"), {"local/dream:duration_s": "long"}, GROUPS, has_upload=False)
    assert wish.parameters == {"duration_s": "long"}
