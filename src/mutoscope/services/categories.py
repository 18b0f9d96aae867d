"""Category selections: groups of options that a person picks from; what is picked joins the prompt and becomes tags."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import slug


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One choice. ``id`` is a slug and becomes a tag; ``phrase`` is what joins the prompt."""

    id: str
    label: str
    phrase: str


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of which at most ``at_most`` may be picked together."""

    id: str
    label: str
    options: tuple[Option, ...]
    at_most: int = 1


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    group: tuple[Group, ...] = ()


class Categories:
    """The groups of this studio, in the order in which they are shown."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)

    def check(self, selections: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """The selections in the order of groups and options, each once. Raises Invalid, naming all that is wrong."""
        known = {group.id: group for group in self.groups}
        wrong = {
            f"category_selections.{name[:40]}": complaint
            for name, picked in selections.items()
            if (complaint := _complaint(known.get(name), picked, known))
        }
        if wrong:
            raise Invalid("Some categories cannot be used: " + "; ".join(wrong.values()) + ".", wrong)
        chosen = {g.id: [o.id for o in g.options if o.id in selections.get(g.id, ())] for g in self.groups}
        return {name: picked for name, picked in chosen.items() if picked}

    def context(self, selections: Mapping[str, list[str]]) -> str:
        """What joins the prompt, such as "Style: film noir. Camera: low angle." Options that are gone add nothing."""
        sentences: list[str] = []
        for group in self.groups:
            phrases = [option.phrase for option in group.options if option.id in selections.get(group.id, ())]
            if phrases:
                sentences.append(f"{group.label}: {', '.join(phrases)}.")
        return " ".join(sentences)


def _complaint(group: Group | None, picked: list[str], known: Mapping[str, Group]) -> str | None:
    if group is None:
        return "there is no such group; choose from " + ", ".join(known)
    options = [option.id for option in group.options]
    strange = [option for option in picked if option not in options]
    if strange:
        return f"{group.label} has no {strange[0][:40]!r}; choose from " + ", ".join(options)
    if len(set(picked)) > group.at_most:
        return f"{group.label} takes at most {group.at_most}"
    return None


def load_categories(override: Path | None) -> Categories:
    """The groups of the file ``override`` if it exists, otherwise those of the package.

    Raises Invalid for a file that is not right, naming the file and what is wrong.
    """
    own = override if override is not None and override.exists() else None
    name = str(own) if own else "categories.toml"
    source = own or resources.files("mutoscope.services").joinpath("categories.toml")
    try:
        groups = msgspec.convert(tomllib.loads(source.read_text("utf-8")), _File, strict=True).group
    except OSError as e:
        raise Invalid(f"{name} cannot be read ({e.strerror}): mend its permissions, or remove it.") from e
    except ValueError as e:  # TOML errors and msgspec's ValidationError, which ends in the path of the key
        raise Invalid(f"{name}: {e}. Mend that, or remove the file to have the groups that came with Mutoscope.") from e
    _check(name, groups)
    return Categories(groups)


def _check(name: str, groups: Sequence[Group]) -> None:
    """Ids are slugs and stand once; texts are not empty."""
    _check_ids(f"{name}, groups", [group.id for group in groups])
    for group in groups:
        where = f"{name}, group {group.id}"
        _check_ids(f"{where}, options", [option.id for option in group.options])
        if group.at_most < 1 or not group.options:
            raise Invalid(f"{where}: give it one option or more, and let `at_most` be 1 or more.")
        for option in group.options:
            if not option.label.strip() or not option.phrase.strip():
                raise Invalid(f"{where}, option {option.id}: `label` and `phrase` must say something.")


def _check_ids(where: str, ids: Sequence[str]) -> None:
    for place, id in enumerate(ids):
        if not id or slug(id) != id:
            raise Invalid(f"{where}: {id!r} cannot be an id; write {slug(id) or 'film-noir'!r}.")
        if id in ids[:place]:
            raise Invalid(f"{where}: {id!r} is there twice; remove one of the two.")
