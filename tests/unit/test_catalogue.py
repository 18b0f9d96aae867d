"""Reading the models: the package's, the operator's on top, and errors that say where and what to do."""

from datetime import date
from pathlib import Path

import pytest

from mutoscope.domain.catalogue import Price, validate
from mutoscope.domain.errors import Invalid, UnknownModel
from mutoscope.domain.source import SourceRule
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.local.plan import MOTIONS

MINE = """
[[model]]
id = "mine/film"
provider = "mine"
upstream = "v1"
name = "Mine"
description = "A model of my own."
kind = "video"
price = { per_second = 3 }

[model.parameters]
duration_s = { label = "Duration", type = "integer", default = 5, minimum = 1, maximum = 8 }
"""


def override(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "catalogue.toml"
    path.write_text(text)
    return path


def test_the_package_offers_the_local_models_and_their_defaults_are_allowed():
    models = [model for model in load_catalogue(None, ["local"]).models() if model.provider == "local"]
    assert [model.id for model in models] == ["local/still", "local/drift", "local/dream"]
    for model in models:
        assert model.enabled
        assert "not an AI model" in model.description
        assert validate(model, {}).keys() == model.parameters.keys()


def test_the_form_offers_the_moves_that_the_renderer_knows():
    assert load_catalogue(None, ["local"]).get("local/drift").parameters["motion"].choices == MOTIONS


def test_models_of_a_provider_that_is_off_are_listed_last_and_not_enabled(tmp_path: Path):
    catalogue = load_catalogue(override(tmp_path, MINE), ["mine"])
    assert catalogue.models()[0].id == "mine/film"
    assert [model.enabled for model in catalogue.models()].count(True) == 1
    assert not catalogue.get("local/still").enabled


def test_an_entry_with_the_id_of_a_model_changes_the_keys_that_it_gives(tmp_path: Path):
    text = '[[model]]\nid = "local/still"\nprice = { base = 7 }\n\n[[model]]\nid = "local/dream"\nenabled = false\n'
    catalogue = load_catalogue(override(tmp_path, text), ["local"])
    before = load_catalogue(None, ["local"])
    assert catalogue.get("local/still").price == Price(base=7)
    assert catalogue.get("local/still").parameters == before.get("local/still").parameters
    assert not catalogue.get("local/dream").enabled
    assert catalogue.get("local/drift") == before.get("local/drift")


@pytest.mark.parametrize("day", ['"2025-07-24"', "2025-07-24"])
def test_the_day_of_retirement_may_be_a_text_or_a_date(tmp_path: Path, day: str):
    path = override(tmp_path, MINE.replace("price =", f"retires_on = {day}\nlives_elsewhere = true\nprice =", 1))
    found = load_catalogue(path, ["mine"]).get("mine/film")
    assert found.retires_on == date(2025, 7, 24)
    assert found.lives_elsewhere


def test_an_override_that_is_not_there_is_no_error(tmp_path: Path):
    catalogue = load_catalogue(tmp_path / "catalogue.toml", ["local"])
    assert catalogue.models() == load_catalogue(None, ["local"]).models()


def test_an_unknown_model_is_refused_with_those_that_there_are():
    with pytest.raises(UnknownModel, match="local/still, local/drift, local/dream"):
        load_catalogue(None, ["local"]).get("sora")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('per_second = 3', 'per_second = "3"'), r"mine/film: `price.per_second`: Expected `int`, got `str`"),
        (('per_second = 3', 'per_second = 2.5'), r"mine/film: `price.per_second`: Expected `int`, got `float`"),
        (('per_second = 3', 'per_second = -3'), r"mine/film: `price.per_second` is -3; it must be 0 or more"),
        (('per_second = 3', 'per_secnod = 3'), r"no key `price.per_secnod`; remove it, or use one of: base, per_second"),
        (('name = "Mine"', ''), r"mine/film: .*missing required field `name`; add it"),
        (('kind = "video"', 'kind = "film"'), r"mine/film: `kind`: .*film"),
        (('kind = "video"', 'kind = "video"\nfoo = 1'), r"mine/film: there is no key `foo`"),
        (('default = 5', 'default = 9'), r"`parameters.duration_s.default` does not fit: must be from 1 to 8"),
        (('minimum = 1', 'minimun = 1'), r"there is no key `parameters.duration_s.minimun`"),
        (('id = "mine/film"', ''), r"model 1: give it an `id`"),
        (('[[model]]', '[model]'), r"begins with \[\[model\]\]"),
        (('[[model]]', '[[models]]'), r"no key 'models'"),
        (('kind = "video"', 'kind = '), r"is not TOML .*line"),
        (('price =', 'retires_on = "2025-7-24"\nprice ='), r"mine/film: `retires_on`: .*date"),
        (('price =', 'retires_on = "soon"\nprice ='), r"mine/film: `retires_on`: .*date"),
        (('price =', 'cancel_fee_percent = 101\nprice ='), r"`cancel_fee_percent` is 101; it must be from 0 to 100"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_entry_and_key(tmp_path: Path, change: tuple[str, str], complaint: str):
    path = override(tmp_path, MINE.replace(*change, 1))
    with pytest.raises(Invalid, match=complaint) as caught:
        load_catalogue(path, ["local"])
    assert str(path) in caught.value.detail


TAKES = MINE.replace('kind = "video"', 'kind = "video"\nimage = "required"')
SOURCE = '\n[model.source]\nsizes = ["1024x576", "768x768"]\nformat = "png"\n'


def test_a_model_says_which_pictures_it_takes(tmp_path: Path):
    model = load_catalogue(override(tmp_path, TAKES + SOURCE), ["mine"]).get("mine/film")
    assert model.source == SourceRule(sizes=("1024x576", "768x768"), side_px=2048, side_min_px=64, format="png")
    assert load_catalogue(override(tmp_path, TAKES), ["mine"]).get("mine/film").source is None
    assert load_catalogue(None, ["local"]).get("local/drift").source is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('sizes =', 'size ='), r"no key `source.size`; remove it, or use one of: sizes, side_px, side_min_px, format"),
        (('"768x768"', '768'), r"`source.sizes\[1\]`: Expected `str`, got `int`"),
        (('"768x768"', '"768 x 768"'), r"`source.sizes` has '768 x 768'; write width and height such as \"1024x576\""),
        (('"768x768"', '"0x768"'), r"`source.sizes` has '0x768'"),
        (('"768x768"', '"63x768"'), r"`source.sizes` has '63x768'; .* each side from 64 to 4096"),
        (('"768x768"', '"768x4097"'), r"`source.sizes` has '768x4097'"),
        (('"768x768"', '"٧٦٨x768"'), r"`source.sizes` has"),
        (('format = "png"', 'format = "webp"'), r"`source.format`: .*webp"),
        (('format = "png"', 'side_px = 4097'), r"`source.side_px` is 4097; it must be from 1 to 4096"),
        (('format = "png"', 'side_min_px = 0'), r"`source.side_min_px` is 0; it must be from 1 to 2048"),
        (('format = "png"', 'side_px = 32'), r"`source.side_min_px` is 64; it must be from 1 to 32"),
        (('image = "required"', ''), r"`source` says how a picture is made to fit, and `image` says that it takes none"),
    ],
)  # fmt: skip
def test_a_mistake_in_what_a_model_takes_is_named(tmp_path: Path, change: tuple[str, str], complaint: str):
    path = override(tmp_path, (TAKES + SOURCE).replace(*change, 1))
    with pytest.raises(Invalid, match=complaint):
        load_catalogue(path, ["local"])


def test_an_id_that_stands_twice_is_refused(tmp_path: Path):
    with pytest.raises(Invalid, match="mine/film: the id is there twice"):
        load_catalogue(override(tmp_path, MINE + MINE), ["local"])


def test_what_to_use_instead_has_to_be_there(tmp_path: Path) -> None:
    path = override(tmp_path, MINE.replace('kind = "video"', 'kind = "video"\ninstead = "mine/nothing"'))
    with pytest.raises(Invalid, match=r"`instead` is mine/nothing, and there is no such model"):
        load_catalogue(path, ["mine"])
