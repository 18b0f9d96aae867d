"""The order form: from what stands in its fields to a wish, and from an item to fields (remix).

Every model's own fields are in the form at once, named ``model:field``, and only those of the chosen model count; so
the form works without scripts.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mutoscope.domain.catalogue import SEED_MAX, Model, Parameter
from mutoscope.domain.errors import Invalid
from mutoscope.domain.media import Visibility
from mutoscope.services.categories import Group
from mutoscope.services.generate import Quote, Wish
from mutoscope.services.studio import Studio
from mutoscope.services.views import ItemView
from mutoscope.web.pages.forms import whole
from mutoscope.web.pages.template import Blanks

Fields = Mapping[str, str]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model as a card of the composer."""

    model: Model
    quote: Quote


class Composer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the form shows."""

    offers: Sequence[Offer]
    chosen: str
    groups: Sequence[Group]
    typed: Blanks
    tokens: int
    key: str
    wrong: Blanks
    said: str
    source: ItemView | None
    visibility: Visibility


def usable(studio: Studio) -> list[Model]:
    """The models that can be ordered here."""
    return [model for model in studio.generate.models() if model.enabled]


def chosen_model(studio: Studio, fields: Fields) -> Model:
    """The model that is chosen in the form; the first where none is. Raises Invalid when there is none at all."""
    models = usable(studio)
    if not models:
        raise Invalid("No model can be used here yet. The operator can turn one on in the settings.")
    return next((model for model in models if model.id == fields.get("model")), models[0])


def wish_from(model: Model, fields: Fields, groups: Sequence[Group], has_upload: bool) -> Wish:
    """The order that the fields make. What the chosen model does not take is left out. Raises Invalid."""
    results, typed_seed = whole(fields.get(f"{model.id}:results") or "1"), fields.get("seed", "").strip()
    seed, visibility = whole(typed_seed), fields.get("visibility", "")
    wrong: dict[str, str] = {}
    if results is None or results < 1:
        wrong["results"] = "must be a whole number, 1 or more"
    if typed_seed and seed is None:
        wrong["seed"] = f"must be a whole number from 0 to {SEED_MAX}"
    if visibility and visibility not in {v.value for v in Visibility}:
        wrong["visibility"] = "choose one of the three"
    if model.image == "required" and not (has_upload or fields.get("source_media")):
        wrong["image"] = f"{model.name} starts from a picture: choose one"
    if wrong or results is None:
        raise Invalid("The order cannot be taken like this.", wrong)
    takes_source = model.image != "no" and not has_upload
    return Wish(
        model=model.id,
        prompt="" if model.prompt == "no" else fields.get("prompt", "").replace("\r\n", "\n").strip(),
        negative_prompt=fields.get("negative_prompt", "").replace("\r\n", "\n").strip()
        if model.negative_prompt
        else "",
        parameters=_parameters(model, fields),
        category_selections=_selections(groups, fields),
        seed=seed,
        results=results,
        visibility=Visibility(visibility) if visibility else None,
        source_media=(fields.get("source_media") or None) if takes_source else None,
    )


def _parameters(model: Model, fields: Fields) -> dict[str, Any]:
    return {
        name: _value(parameter, fields.get(f"{model.id}:{name}", ""))
        for name, parameter in model.parameters.items()
        if parameter.type == "boolean" or fields.get(f"{model.id}:{name}", "")
    }


def _value(parameter: Parameter, text: str) -> Any:
    """What a field says, in the parameter's type; what is no number stays text, for the catalogue to refuse."""
    if parameter.type == "boolean":
        return text == "on"
    if parameter.type == "choice":
        return text
    if parameter.type == "integer":
        number = whole(text)
        return text if number is None else number
    try:
        return float(text)
    except ValueError:
        return text


def _selections(groups: Sequence[Group], fields: Fields) -> dict[str, list[str]]:
    picked = {g.id: [o.id for o in g.options if fields.get(f"category:{g.id}:{o.id}") == "on"] for g in groups}
    return {group: options for group, options in picked.items() if options}


async def compose(
    studio: Studio,
    fields: Fields,
    wrong: Mapping[str, str] | None = None,
    said: str = "",
    source: ItemView | None = None,
) -> Composer:
    """The form with these fields filled in, and the price of what they ask for."""
    groups, model = studio.categories.groups, chosen_model(studio, fields)
    offers = [Offer(model=m, quote=await studio.generate.quote(Wish(model=m.id, prompt="?"))) for m in usable(studio)]
    try:
        tokens = (await studio.generate.quote(wish_from(model, fields, groups, has_upload=True))).tokens
    except Invalid:
        # A prompt that is still missing says nothing about the price; neither does a field that is marked as wrong.
        tokens = next(offer.quote.tokens for offer in offers if offer.model.id == model.id)
    return Composer(
        offers=offers,
        chosen=model.id,
        groups=groups,
        typed=Blanks(fields),
        tokens=tokens,
        key=secrets.token_urlsafe(16),
        wrong=Blanks(wrong or {}),
        said=said,
        source=source,
        visibility=next((v for v in Visibility if v == fields.get("visibility")), studio.policy.default_visibility),
    )


def fields_from(item: ItemView) -> dict[str, str]:
    """The fields that would order an item's like again; of a locked one none."""
    if item.locked or item.model is None:
        return {}
    own = {f"{item.model}:{name}": _text(value) for name, value in (item.parameters or {}).items()}
    picked = {f"category:{g}:{o}": "on" for g, options in (item.category_selections or {}).items() for o in options}
    return (
        own
        | picked
        | {
            "model": item.model,
            "prompt": item.prompt or "",
            "negative_prompt": item.negative_prompt or "",
            "seed": "" if item.seed is None else str(item.seed),
        }
    )


def _text(value: Any) -> str:
    return ("on" if value else "") if isinstance(value, bool) else str(value)
