"""What a model takes, and what it costs."""

from datetime import date
from typing import Any

import pytest
from msgspec import structs

from mutoscope.domain.catalogue import (
    Model,
    Parameter,
    Price,
    Retired,
    Standing,
    cancel_fee,
    price_each,
    standing,
    typical_ms,
    validate,
)
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Kind

SIZE = Parameter(label="Size", type="choice", default="640x360", choices=("640x360", "1920x1080"))
DURATION = Parameter(label="Duration", type="integer", default=5, minimum=1, maximum=10, step=1)
STRENGTH = Parameter(label="Strength", type="number", default=0.5, minimum=0, maximum=1, step=0.05)
LOOP = Parameter(label="Loop", type="boolean", default=False)
WIDTH = Parameter(label="Width", type="integer", default=64, minimum=64, step=32)
FREE = Parameter(label="Guidance", type="number", default=1.0)
ALL = {"size": SIZE, "duration_s": DURATION, "strength": STRENGTH, "loop": LOOP, "width": WIDTH, "guidance": FREE}
DEFAULTS = {"size": "640x360", "duration_s": 5, "strength": 0.5, "loop": False, "width": 64, "guidance": 1.0}


def model(**fields: Any) -> Model:
    defaults: dict[str, Any] = {"parameters": ALL, "description": "", "kind": Kind.VIDEO}
    return Model(id="local/dream", provider="local", upstream="dream", name="Dream", **(defaults | fields))


def test_what_is_not_given_is_as_the_catalogue_says() -> None:
    assert validate(model(), {}) == DEFAULTS
    assert validate(model(), dict.fromkeys(ALL)) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("size", "1920x1080", "1920x1080"), ("duration_s", 1, 1), ("duration_s", 10, 10), ("duration_s", 7.0, 7),
        ("strength", 0, 0), ("strength", 1.0, 1.0), ("strength", 0.35, 0.35), ("loop", True, True), ("width", 96, 96),
        ("width", 64 + 32 * 10**20, 64 + 32 * 10**20), ("guidance", -7.25, -7.25),
    ],
)  # fmt: skip
def test_what_fits_is_kept(name: str, value: Any, kept: Any) -> None:
    found = validate(model(), {name: value})[name]
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("size", "640x361", "choose one of: 640x360, 1920x1080"), ("size", 3, "choose one of"), ("size", ["640x360"], "choose"),
        ("duration_s", 0, "must be from 1 to 10"), ("duration_s", 11, "must be from 1 to 10"),
        ("duration_s", 2.5, "must be a whole number"), ("duration_s", "5", "must be a number"),
        ("duration_s", True, "must be a number"), ("duration_s", float("nan"), "must be a number"),
        ("duration_s", float("inf"), "must be a number"), ("duration_s", 10**400, "must be from"),
        ("strength", float("nan"), "must be a number"), ("strength", -0.01, "must be from 0 to 1"),
        ("strength", 0.33, "must go in steps of 0.05"), ("guidance", float("nan"), "must be a number"),
        ("guidance", float("-inf"), "must be a number"), ("loop", 1, "must be true or false"), ("loop", "yes", "must be"),
        ("width", 63, "is out of range"), ("width", 65, "must go in steps of 32"), ("witdh", 64, "Dream has no such parameter"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_the_field_is_named(name: str, value: Any, complaint: str) -> None:
    with pytest.raises(Invalid) as refused:
        validate(model(), {name: value})
    assert refused.value.extra["fields"].keys() == {name}
    assert complaint in refused.value.extra["fields"][name]


def test_all_fields_that_are_wrong_are_named_at_once() -> None:
    with pytest.raises(Invalid, match=r"duration_s, nope, size\.") as refused:
        validate(model(), {"size": "", "duration_s": 0, "nope": 1, "strength": 0.5})
    assert refused.value.extra["fields"].keys() == {"size", "duration_s", "nope"}


@pytest.mark.parametrize(
    ("price", "parameters", "tokens"),
    [
        (Price(), {}, 0),
        (Price(base=7), {"duration_s": 5}, 7),
        (Price(per_second=2), {"duration_s": 5}, 10),
        (Price(base=1, per_second=2), {"duration_s": 5}, 11),
        (Price(per_second=2), {}, 0),
        (Price(per_second=2), {"duration_s": None}, 0),
        (Price(per_second=2), {"duration_s": 5.5}, 11),
        (Price(per_second=2), {"duration_s": 5.1}, 11),
        (Price(per_second=10), {"duration_s": 5.1}, 51),
        (Price(per_second=100), {"duration_s": 0.29}, 29),
        (Price(base=3, size_percent={"1920x1080": 150}), {"size": "1920x1080"}, 5),
        (Price(base=3, size_percent={"1920x1080": 150}), {"size": "640x360"}, 3),
        (Price(base=3, size_percent={"16:9": 34}), {"aspect_ratio": "16:9"}, 2),
        (Price(base=100, size_percent={"1920x1080": 29}), {"size": "1920x1080"}, 29),
        (Price(base=10**18, size_percent={"a": 101}), {"size": "a"}, 101 * 10**16),
        (Price(base=5, size_percent={"a": 0}), {"size": "a"}, 0),
    ],
)
def test_a_price_is_whole_tokens_rounded_up_once(price: Price, parameters: dict[str, Any], tokens: int) -> None:
    found = price_each(model(price=price), parameters)
    assert found == tokens
    assert type(found) is int


@pytest.mark.parametrize(
    ("percent", "price", "fee"), [(0, 10, 0), (100, 10, 10), (50, 10, 5), (50, 11, 6), (1, 1, 1), (33, 0, 0)]
)
def test_the_fee_of_a_late_cancel_is_a_part_of_the_price_rounded_up(percent: int, price: int, fee: int) -> None:
    assert cancel_fee(model(cancel_fee_percent=percent), price) == fee


def test_the_usual_time_grows_with_the_duration() -> None:
    dream = model(typical_ms=1_000, typical_ms_per_second=1_500)
    assert typical_ms(dream, {"duration_s": 4}) == 7_000
    assert typical_ms(dream, {}) == 1_000


TODAY, ENDED = date(2026, 11, 22), date(2025, 7, 24)
SAID = Retired(model="local/dream", upstream="dream", why="410", at=1_795_348_800_000)


def test_a_model_that_nothing_speaks_against_can_be_ordered() -> None:
    assert standing(model(), TODAY) == Standing(status="usable", why="")
    assert standing(model(retires_on=date(2026, 11, 23)), TODAY).status == "usable"


def test_a_model_is_retired_from_its_day_on() -> None:
    assert standing(model(retires_on=TODAY), TODAY).status == "retired"
    said = standing(model(retires_on=ENDED), TODAY).why
    assert said == "Dream was retired on 2025-07-24. Choose another model."


def test_a_model_that_lives_elsewhere_is_retired_at_its_providers_own_server_alone() -> None:
    lasting = model(retires_on=ENDED, lives_elsewhere=True)
    assert standing(lasting, TODAY, elsewhere=True).status == "usable"
    said = standing(lasting, TODAY)
    assert said.status == "retired"
    assert "A compatible server that the operator names still makes it." in said.why
    assert standing(model(retires_on=ENDED), TODAY, elsewhere=True).status == "retired"


def test_what_the_provider_said_counts_for_the_same_upstream_alone() -> None:
    found = standing(model(), TODAY, SAID)
    assert found.status == "retired"
    assert found.why == "Dream is retired: its provider said on 2026-11-22 that it is gone. Choose another model."
    revived = structs.replace(model(), upstream="dream-2")
    assert standing(revived, TODAY, SAID).status == "usable"


def test_what_to_use_instead_is_named_as_people_know_it() -> None:
    gone = model(retires_on=ENDED, instead="fal/wan")
    wan = Model(id="fal/wan", provider="fal", upstream="w", name="Wan", description="", kind=Kind.VIDEO)
    assert standing(gone, TODAY, instead=wan).why.endswith("Use Wan (fal/wan) instead.")
    assert standing(gone, TODAY).why.endswith("Use fal/wan instead.")


def test_a_model_of_a_provider_that_is_off_names_the_setting_and_one_that_is_off_itself_none() -> None:
    off = model(enabled=False)
    said = Standing(
        status="not_set_up", why="Dream is not set up here; the operator turns it on with STABILITY_API_KEY."
    )
    assert standing(off, TODAY, switch="STABILITY_API_KEY") == said
    assert standing(off, TODAY) == Standing(status="not_set_up", why="Dream is turned off here.")
    assert standing(model(enabled=False, retires_on=ENDED), TODAY, switch="X").status == "retired"
