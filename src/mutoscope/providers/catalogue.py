"""The models of this studio, read from TOML: those of the package, changed and added to by a file in the data folder.

An entry of the second file that has the id of a model of the first replaces the keys that it gives, each key as a whole.
"""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast

import msgspec

from mutoscope.domain.catalogue import Model, Parameter, Price, validate
from mutoscope.domain.errors import Invalid, UnknownModel
from mutoscope.domain.source import SIDE_MAX_PX, SourceRule, sides

Entry = dict[str, Any]
_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
NO_SWITCHES: Mapping[str, str] = {}


class Catalogue:
    """Models by id. What is not enabled is listed, so that a page can say why, and cannot be ordered.

    ``elsewhere`` names the providers that the operator pointed to another server than their own; ``switches`` says, by
    the name of a provider, which setting turns it on.
    """

    def __init__(
        self, models: Sequence[Model], elsewhere: Collection[str] = (), switches: Mapping[str, str] = NO_SWITCHES
    ) -> None:
        self._models = {model.id: model for model in sorted(models, key=lambda model: not model.enabled)}
        self.elsewhere, self.switches = frozenset(elsewhere), switches

    def models(self) -> list[Model]:
        """All models: enabled ones first, otherwise as they stand in the files."""
        return list(self._models.values())

    def get(self, id: str) -> Model:
        """One model. Raises UnknownModel, naming those that there are."""
        if id not in self._models:
            known = ", ".join(model.id for model in self._models.values() if model.enabled) or "none"
            raise UnknownModel(f"There is no model {id[:80]!r} here. Available: {known}.", {"model": "unknown"})
        return self._models[id]


def load_catalogue(
    override: Path | None,
    providers: Collection[str],
    elsewhere: Collection[str] = (),
    switches: Mapping[str, str] = NO_SWITCHES,
) -> Catalogue:
    """The catalogue of the package with the file ``override`` on top (it need not exist).

    Models of a provider that is not among ``providers`` are not enabled. For the rest see `Catalogue`. Raises Invalid for a file that is not right,
    naming the file, the entry and the key.
    """
    package = resources.files("mutoscope.providers").joinpath("catalogue.toml")
    built_in = _entries(package)
    models = {id: _model("catalogue.toml", entry) for id, entry in built_in.items()}
    if override is not None and override.exists():
        for id, entry in _entries(override).items():
            models[id] = _model(str(override), {**built_in.get(id, {}), **entry})
    for model in models.values():
        if model.instead and model.instead not in models:
            where = str(override if override is not None and model.id not in built_in else "catalogue.toml")
            raise Invalid(f"{where}, model {model.id}: `instead` is {model.instead}, and there is no such model.")
    return Catalogue([_switched(model, providers) for model in models.values()], elsewhere, switches)


def _switched(model: Model, providers: Collection[str]) -> Model:
    return msgspec.structs.replace(model, enabled=model.enabled and model.provider in providers)


def _entries(file: Any) -> dict[str, Entry]:
    """The raw entries of a file, by id."""
    name = getattr(file, "name", "") if not isinstance(file, Path) else str(file)
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as e:
        raise Invalid(f"{name} cannot be read ({e.strerror}): mend its permissions, or remove it.") from e
    except ValueError as e:
        raise Invalid(f"{name} is not TOML ({e}): mend that line.") from e
    unknown = sorted(set(content) - {"model"})
    if unknown:
        raise Invalid(f"{name}: there is no key {unknown[0]!r}; every model begins with [[model]].")
    entries: dict[str, Entry] = {}
    for place, entry in enumerate(_tables(name, content.get("model", [])), 1):
        id = entry.get("id")
        if not isinstance(id, str) or not id:
            raise Invalid(f'{name}, model {place}: give it an `id`, such as id = "fal/wan".')
        if id in entries:
            raise Invalid(f"{name}, model {id}: the id is there twice; remove one of the two.")
        entries[id] = entry
    return entries


def _tables(name: str, found: Any) -> list[Entry]:
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in cast(list[Any], found)):
        raise Invalid(f"{name}: every model begins with [[model]], in double brackets.")
    return cast(list[Entry], found)


def _model(name: str, entry: Entry) -> Model:
    where = f"{name}, model {entry['id']}"
    try:
        model = msgspec.convert(entry, Model, strict=True)
    except msgspec.ValidationError as e:
        raise Invalid(f"{where}: {_sentence(e)}") from e
    _check_keys(where, "", entry, Model)
    _check_keys(where, "price.", entry.get("price", {}), Price)
    _check_keys(where, "source.", entry.get("source", {}), SourceRule)
    for parameter, content in entry.get("parameters", {}).items():
        _check_keys(where, f"parameters.{parameter}.", content, Parameter)
    _check_values(where, model)
    if model.source is not None:
        _check_source(where, model, model.source)
    return model


def _check_keys(where: str, prefix: str, given: Mapping[str, Any], struct: type[msgspec.Struct]) -> None:
    for key in given:
        if key not in struct.__struct_fields__:
            known = ", ".join(struct.__struct_fields__)
            raise Invalid(f"{where}: there is no key `{prefix}{key}`; remove it, or use one of: {known}.")


def _check_values(where: str, model: Model) -> None:
    """What the types do not say: nothing costs less than nothing, and every default is allowed."""
    price = model.price
    for key, value, low, high in (
        ("price.base", price.base, 0, None),
        ("price.per_second", price.per_second, 0, None),
        *((f'price.size_percent."{size}"', percent, 0, None) for size, percent in price.size_percent.items()),
        ("cancel_fee_percent", model.cancel_fee_percent, 0, 100),
        ("cost_micro_usd", model.cost_micro_usd, 0, None),
        ("typical_ms", model.typical_ms, 0, None),
        ("typical_ms_per_second", model.typical_ms_per_second, 0, None),
        ("results_max", model.results_max, 1, 16),
    ):
        if value < low or (high is not None and value > high):
            bounds = f"from {low} to {high}" if high is not None else f"{low} or more"
            raise Invalid(f"{where}: `{key}` is {value}; it must be {bounds}.")
    try:
        validate(model, {key: parameter.default for key, parameter in model.parameters.items()})
    except Invalid as e:
        key, complaint = next(iter(e.extra["fields"].items()))
        raise Invalid(f"{where}: `parameters.{key}.default` does not fit: {complaint}.") from e


def _check_source(where: str, model: Model, rule: SourceRule) -> None:
    if model.image == "no":
        raise Invalid(f"{where}: `source` says how a picture is made to fit, and `image` says that it takes none.")
    for key, value, low, high in (
        ("source.side_px", rule.side_px, 1, SIDE_MAX_PX),
        ("source.side_min_px", rule.side_min_px, 1, rule.side_px),
    ):
        if not low <= value <= high:
            raise Invalid(f"{where}: `{key}` is {value}; it must be from {low} to {high}.")
    for size in rule.sizes:
        if not _SIZE.fullmatch(size) or not all(rule.side_min_px <= side <= SIDE_MAX_PX for side in sides(size)):
            most = f"each side from {rule.side_min_px} to {SIDE_MAX_PX}"
            raise Invalid(f'{where}: `source.sizes` has {size!r}; write width and height such as "1024x576", {most}.')


def _sentence(e: msgspec.ValidationError) -> str:
    """msgspec writes "Expected `int`, got `str` - at `$.price.base`" or "Object missing required field `name`"."""
    what, _, path = str(e).partition(" - at `$")
    key = path.strip("`").lstrip(".")
    return f"`{key}`: {what}; mend that value." if key else f"{what}; add it."
