"""The order form: from what stands in its fields to a wish, and from an item to fields (remix).

Every model's own fields are in the form at once, named ``model:field``, and only those of the chosen model count; so
the form works without scripts.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mutoscope.domain.catalogue import SEED_MAX, Model, Parameter
from mutoscope.domain.errors import Invalid, ModelRetired
from mutoscope.domain.media import Visibility
from mutoscope.services.categories import Group
from mutoscope.services.generate import Quote, Wish
from mutoscope.services.models import Listed
from mutoscope.services.studio import Studio
from mutoscope.services.views import ItemView
from mutoscope.web.pages.forms import whole
from mutoscope.web.pages.template import Blanks

Fields = Mapping[str, str]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model as a card of the composer; without a quote it cannot be ordered, and ``why`` says why not."""

    model: Model
    quote: Quote | None
    why: str


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


NO_MODEL = "No model can be used here at the moment. The operator can turn one on in the settings."


def chosen_model(models: Sequence[Listed], fields: Fields) -> Model:
    """The model that is chosen in the form; the first where none is. Raises Invalid with the reason when it cannot be used,
    or there is none at all.
    """
    usable = [listed.model for listed in models if listed.usable]
    if not usable:
        raise Invalid(NO_MODEL)
    wanted = next((listed for listed in models if listed.model.id == fields.get("model")), None)
    if wanted is not None and not wanted.usable:
        raise Invalid("This model cannot be used.", {"model": wanted.why})
    return wanted.model if wanted else usable[0]


def _shown_model(models: Sequence[Listed], fields: Fields) -> Model | None:
    """The model to choose beforehand: the one that was chosen, what to use instead of it, or the first."""
    usable = {listed.model.id: listed.model for listed in models if listed.usable}
    wanted = next((listed.model for listed in models if listed.model.id == fields.get("model")), None)
    for id in (wanted.id, wanted.instead) if wanted else ():
        if id in usable:
            return usable[id]
    return next(iter(usable.values()), None)


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
    groups, models = studio.categories.groups, await studio.generate.models()
    offers, model = [await _offer(studio, listed) for listed in models], _shown_model(models, fields)
    gone = next((offer.why for offer in offers if offer.model.id == fields.get("model")), "")
    return Composer(
        offers=offers,
        chosen=model.id if model else "",
        groups=groups,
        typed=Blanks(fields),
        tokens=await _price(studio, fields, groups, offers, model),
        key=secrets.token_urlsafe(16),
        wrong=Blanks({"model": gone, **(wrong or {})}),
        said=said or ("" if model else NO_MODEL),
        source=source,
        visibility=next((v for v in Visibility if v == fields.get("visibility")), studio.policy.default_visibility),
    )


async def _offer(studio: Studio, listed: Listed) -> Offer:
    if not listed.usable:
        return Offer(model=listed.model, quote=None, why=listed.why)
    try:
        quote = await studio.generate.quote(Wish(model=listed.model.id, prompt="?"))
    except ModelRetired as e:  # a moment ago
        return Offer(model=listed.model, quote=None, why=e.detail)
    return Offer(model=listed.model, quote=quote, why="")


async def _price(
    studio: Studio, fields: Fields, groups: Sequence[Group], offers: Sequence[Offer], model: Model | None
) -> int:
    if model is None:
        return 0
    try:
        return (await studio.generate.quote(wish_from(model, fields, groups, has_upload=True))).tokens
    except Invalid:
        # A prompt that is still missing says nothing about the price; neither does a field that is marked as wrong.
        return next((offer.quote.tokens for offer in offers if offer.quote and offer.model.id == model.id), 0)


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
