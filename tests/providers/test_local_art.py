"""The drawing: every family at every shape, films that come round, and words that steer it."""

import numpy as np
import pytest

from mutoscope.providers.local.art.canvas import Canvas
from mutoscope.providers.local.art.families import FAMILIES, FILMED
from mutoscope.providers.local.art.field import grid, smooth
from mutoscope.providers.local.art.pixels import Finish
from mutoscope.providers.local.art.theme import FORMS, dice_for, family_for, theme_for
from mutoscope.services.categories import load_categories

SHAPES = [(96, 54), (54, 96), (64, 64)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("width", "height"), SHAPES)
@pytest.mark.parametrize("prompt", ["morning", "midnight"])
def test_a_family_fills_a_picture_of_any_shape_with_light(family: str, width: int, height: int, prompt: str):
    dice = dice_for(prompt, 1, "still")
    light = FAMILIES[family](Canvas(width, height, 0, 0.5), theme_for(prompt, dice), dice)(0.0)
    assert light.shape == (3, height, width)
    assert light.dtype == np.float32, "doubles would make it five times as slow"
    assert np.isfinite(light).all()
    frame = Finish(dice, width, height, 1.0, 0.5)(light, 0)
    assert frame.shape == (height, width, 3)
    assert frame.std() > 3, "it shows something"


@pytest.mark.parametrize("family", FILMED)
def test_a_film_moves_and_its_end_meets_its_beginning(family: str):
    dice = dice_for("", 5, "dream")
    scene = FAMILIES[family](Canvas(96, 54, 4, 0.5), theme_for("", dice), dice)
    begins, middle, ends = scene(0.0), scene(0.4), scene(1.0)
    assert np.abs(middle - begins).mean() > 1e-4
    # A point of a veil may fall into the next pixel by rounding; a jump would change all of them.
    assert np.abs(ends - begins).mean() < 2e-3 < np.abs(begins).mean()


def test_the_same_words_throw_the_same_dice_however_they_are_written():
    first, second = dice_for("Blue  Ocean!", 3, "still"), dice_for("blue ocean", 3, "still")
    assert first.random(4).tolist() == second.random(4).tolist()
    assert dice_for("blue ocean", 4, "still").random() != dice_for("blue ocean", 3, "still").random()


@pytest.mark.parametrize(
    ("word", "hue"), [("blue", 255), ("green", 150), ("red", 25), ("yellow", 105), ("gold", 80), ("pink", 350)]
)
def test_a_colour_that_is_named_is_there(word: str, hue: float):
    for seed in range(5):
        theme = theme_for(f"something {word}", dice_for(word, seed, "still"))
        assert min(abs((mine - hue + 180) % 360 - 180) for mine in (theme.hue, theme.accent)) < 20


def test_night_is_dark_and_noir_has_hardly_any_colour():
    dice = dice_for("", 1, "still")
    assert theme_for("a street at night", dice).dark
    assert not theme_for("a street at noon", dice).dark
    assert theme_for("noir", dice).chroma < 0.3


@pytest.mark.parametrize(
    ("prompt", "family"),
    [
        ("a whale in the ocean", "ocean"),
        ("northern aurora", "aurora"),
        ("a dragon's fire", "ember"),
        ("marble", "silk"),
    ],
)
def test_a_thing_that_is_named_decides_the_form(prompt: str, family: str):
    assert {family_for(prompt, tuple(FAMILIES), dice_for(prompt, seed, "still")) for seed in range(8)} == {family}


def test_words_that_are_not_known_still_give_every_family_a_chance():
    families = {family_for("qwertz", tuple(FAMILIES), dice_for("qwertz", seed, "still")) for seed in range(200)}
    assert families == set(FAMILIES)


def test_every_form_of_the_vocabulary_exists_and_every_setting_is_understood():
    assert {family for families in FORMS.values() for family in families} == set(FAMILIES)
    settings = next(group for group in load_categories(None).groups if group.id == "setting")
    for option in settings.options:
        assert any(word in FORMS for word in option.phrase.replace(",", "").split()), option.id


def test_the_grid_is_centred_and_the_shorter_side_spans_from_minus_one_to_one():
    x, y = grid(200, 100)
    assert y[0, 0] == pytest.approx(-0.99)
    assert y[-1, 0] == pytest.approx(0.99)
    assert x[0, 0] == pytest.approx(-x[0, -1])


def test_a_soft_step_may_also_fall():
    values = np.array([[0.0, 0.5, 1.0]], dtype=np.float32)
    assert smooth(0, 1, values).tolist() == [[0, 0.5, 1]]
    assert smooth(1, 0, values).tolist() == [[1, 0.5, 0]]
