"""Models as data: what one takes, what it makes, what it costs. Read from TOML by `providers.catalogue`."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any, Literal

import msgspec

from mutoscope.domain.errors import Invalid
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Kind
from mutoscope.domain.source import SourceRule

PROMPT_CHARS = 10_000
SEED_MAX = 4_294_967_294
"""The largest seed that every provider takes (Stability's limit, the narrowest)."""

Need = Literal["no", "optional", "required"]
Status = Literal["usable", "not_set_up", "retired"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a model's form: drives the page and the validation."""

    label: str
    type: Literal["integer", "number", "choice", "boolean"]
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    help: str = ""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Whole tokens for one result: ``base + per_second * duration_s``, times the percentage of the chosen size."""

    base: int = 0
    per_second: int = 0
    size_percent: dict[str, int] = {}


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    id: str
    provider: str
    upstream: str
    name: str
    description: str
    kind: Kind
    prompt: Need = "required"
    image: Need = "no"
    source: SourceRule | None = None
    """What the picture is made into before it goes to the provider; None: it goes as it is."""
    negative_prompt: bool = False
    parameters: dict[str, Parameter] = {}
    results_max: int = 1
    price: Price = Price()
    cancel_fee_percent: int = 0
    """Of the price, taken when a job is canceled after the provider began."""
    cost_micro_usd: int = 0
    """What one result costs the operator, in millionths of a US dollar."""
    typical_ms: int = 10_000
    typical_ms_per_second: int = 0
    retires_on: date | None = None
    """The day from which its provider does not make it any more."""
    lives_elsewhere: bool = False
    """Whether that day holds at the provider's own server alone: another that the operator names goes on."""
    instead: str = ""
    """The model to use in its place."""
    enabled: bool = True


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """That a provider said of a model, while it was ``upstream`` there, that it is gone. ``why`` is in the provider's words."""

    model: str
    upstream: str
    why: str
    at: Millis


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model can be ordered, and the sentence that says why not and what to do."""

    status: Status = "usable"
    why: str = ""


def standing(
    model: Model,
    today: date,
    said: Retired | None = None,
    instead: Model | None = None,
    elsewhere: bool = False,
    switch: str = "",
) -> Standing:
    """How a model stands today. ``said``: what its provider said, which counts for the same ``upstream`` alone.

    ``instead`` is the model of that id, where there is one; ``elsewhere``: its provider is another server than its own;
    ``switch`` is the setting that would turn the provider on, empty where it is on.
    """
    end = None if elsewhere and model.lives_elsewhere else model.retires_on
    if end is not None and end <= today:
        more = " A compatible server that the operator names still makes it." if model.lives_elsewhere else ""
        return Standing(status="retired", why=f"{model.name} was retired on {end}.{more}{_use(model, instead)}")
    if said is not None and said.upstream == model.upstream:
        why = f"{model.name} is retired: its provider said on {_day(said.at)} that it is gone.{_use(model, instead)}"
        return Standing(status="retired", why=why)
    if not model.enabled:
        how = f"not set up here; the operator turns it on with {switch}." if switch else "turned off here."
        return Standing(status="not_set_up", why=f"{model.name} is {how}")
    return Standing()


def _use(model: Model, instead: Model | None) -> str:
    name = f"{instead.name} ({instead.id})" if instead is not None else model.instead
    return f" Use {name} instead." if name else " Choose another model."


def _day(at: Millis) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


def validate(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a job, with defaults filled in. Raises Invalid, naming every field that is wrong."""
    wrong = {name: f"{model.name} has no such parameter" for name in given if name not in model.parameters}
    values: dict[str, Any] = {}
    for name, parameter in model.parameters.items():
        value = given.get(name)
        if value is None:
            values[name] = parameter.default
            continue
        complaint = _complaint(parameter, value)
        if complaint:
            wrong[name] = complaint
        else:
            values[name] = int(value) if parameter.type == "integer" else value
    if wrong:
        raise Invalid("Some parameters do not fit the model: " + ", ".join(sorted(wrong)) + ".", wrong)
    return values


def _complaint(parameter: Parameter, value: Any) -> str | None:
    if parameter.type == "choice":
        return None if value in parameter.choices else "choose one of: " + ", ".join(parameter.choices)
    if parameter.type == "boolean":
        return None if isinstance(value, bool) else "must be true or false"
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        return "must be a number"
    if parameter.type == "integer" and int(value) != value:
        return "must be a whole number"
    low, high, step = parameter.minimum, parameter.maximum, parameter.step
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        return f"must be from {low:g} to {high:g}" if low is not None and high is not None else "is out of range"
    if step and (Fraction(str(value)) - Fraction(str(low or 0))) % Fraction(str(step)):
        return f"must go in steps of {step:g}"
    return None


def _is_finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def price_each(model: Model, parameters: Mapping[str, Any]) -> int:
    """Whole tokens for one result, rounded up once, at the end; a part of a second is paid as that part."""
    duration_s = Fraction(str(parameters.get("duration_s") or 0))  # the decimal that was typed, not its nearest float
    percent = model.price.size_percent.get(str(parameters.get("size") or parameters.get("aspect_ratio") or ""), 100)
    return math.ceil((model.price.base + model.price.per_second * duration_s) * percent / 100)


def cancel_fee(model: Model, price: int) -> int:
    """Whole tokens that a late cancel costs, rounded up."""
    return -(-price * model.cancel_fee_percent // 100)


def typical_ms(model: Model, parameters: Mapping[str, Any]) -> int:
    """How long the model usually needs for one job, in milliseconds."""
    return model.typical_ms + model.typical_ms_per_second * int(parameters.get("duration_s") or 0)
