"""What becomes of a picture that a job starts from."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.domain.errors import Invalid
from mutoscope.domain.source import SourceFit, SourceRule, fit, sides

EXACT = SourceRule(sizes=("1024x576", "576x1024", "768x768"))
LONG = SourceRule(side_px=2048)
SIDE = st.integers(64, 16_384)
SIZES = st.lists(st.tuples(st.integers(64, 4096), st.integers(64, 4096)), min_size=1, max_size=6)


def made(width: int, height: int, crop: bool = False, format: str = "jpeg") -> SourceFit:
    return SourceFit(width=width, height=height, crop=crop, format=format)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((1920, 1080), made(1024, 576)), ((1024, 576), made(1024, 576)), ((64, 64), made(768, 768)),
        ((1590, 1200), made(768, 768, crop=True)), ((1610, 1200), made(1024, 576, crop=True)),
        ((1200, 1590), made(768, 768, crop=True)), ((1200, 1610), made(576, 1024, crop=True)),
        ((16_384, 64), made(1024, 576, crop=True)), ((64, 16_384), made(576, 1024, crop=True)),
    ],
)  # fmt: skip
def test_a_picture_becomes_the_size_of_the_nearest_ratio(given: tuple[int, int], expected: SourceFit) -> None:
    assert fit(EXACT, *given) == expected


def test_of_two_ratios_that_are_as_near_the_larger_size_is_taken() -> None:
    assert fit(SourceRule(sizes=("512x512", "1024x1024")), 300, 300) == made(1024, 1024)
    assert fit(SourceRule(sizes=("576x1024", "1280x720")), 999, 999) == made(1280, 720, crop=True)
    assert fit(SourceRule(sizes=("720x1280", "1024x576")), 999, 999) == made(720, 1280, crop=True)


def test_a_photograph_of_four_to_three_lies_midway_between_wide_and_square_and_takes_what_stands_first() -> None:
    assert fit(EXACT, 4032, 3024) == made(1024, 576, crop=True)
    assert fit(SourceRule(sizes=("768x768", "1024x576")), 4032, 3024) == made(768, 768, crop=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((2048, 2048), (2048, 2048)), ((100, 70), (100, 70)), ((4096, 2304), (2048, 1152)), ((2304, 4096), (1152, 2048)),
        ((4096, 2305), (2048, 1153)), ((6000, 4001), (2048, 1366)),
    ],
)  # fmt: skip
def test_without_sizes_a_picture_is_shrunk_to_the_longer_side_and_never_enlarged(
    given: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fit(LONG, *given) == made(*expected)


@pytest.mark.parametrize("rule", [EXACT, LONG])
@pytest.mark.parametrize("given", [(63, 500), (500, 63), (1, 1)])
def test_a_picture_that_is_too_small_is_refused_at_its_field(rule: SourceRule, given: tuple[int, int]) -> None:
    with pytest.raises(Invalid, match="too small") as refused:
        fit(rule, *given)
    assert f"{given[0]} × {given[1]}" in refused.value.extra["fields"]["image"]
    assert fit(rule, 64, 64).width


def test_a_picture_that_would_be_too_narrow_once_it_fits_is_refused_at_its_field() -> None:
    with pytest.raises(Invalid, match="too narrow") as refused:
        fit(LONG, 4096, 100)
    assert "as 2048 × 50 pixels" in refused.value.extra["fields"]["image"]
    assert fit(LONG, 4096, 128) == made(2048, 64)


def test_the_format_is_the_models() -> None:
    fitted = fit(SourceRule(format="png"), 100, 100)
    assert (fitted.format, fitted.mime_type) == ("png", "image/png")
    assert fit(LONG, 100, 100).mime_type == "image/jpeg"


@given(sizes=SIZES, width=SIDE, height=SIDE)
def test_no_other_size_has_a_nearer_ratio(sizes: list[tuple[int, int]], width: int, height: int) -> None:
    fitted = fit(SourceRule(sizes=tuple(f"{w}x{h}" for w, h in sizes)), width, height)
    assert (fitted.width, fitted.height) in sizes

    def distance(size: tuple[int, int]) -> float:
        return abs(math.log(size[0] / size[1]) - math.log(width / height))

    nearest = min(map(distance, sizes))
    assert math.isclose(distance((fitted.width, fitted.height)), nearest, abs_tol=1e-9)


@given(side=st.integers(64, 4096), width=SIDE, height=SIDE)
def test_what_is_shrunk_keeps_its_ratio_to_the_pixel(side: int, width: int, height: int) -> None:
    rule = SourceRule(side_px=side, side_min_px=1)
    fitted = fit(rule, width, height)
    scale = min(1.0, side / max(width, height))
    assert max(fitted.width, fitted.height) <= side or scale == 1.0
    assert abs(fitted.width - width * scale) <= 1
    assert abs(fitted.height - height * scale) <= 1
    assert not fitted.crop


@given(sizes=SIZES, width=SIDE, height=SIDE)
def test_what_fits_is_left_as_it_is(sizes: list[tuple[int, int]], width: int, height: int) -> None:
    rules = [SourceRule(sizes=tuple(f"{w}x{h}" for w, h in sizes)), SourceRule(side_min_px=1)]
    for rule in rules:
        once = fit(rule, width, height)
        again = fit(rule, once.width, once.height)
        assert (again.width, again.height, again.crop) == (once.width, once.height, False)


def test_a_size_is_read_as_width_and_height() -> None:
    assert sides("1024x576") == (1024, 576)
