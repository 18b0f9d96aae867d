"""What can be ordered: models with their prices and parameters, categories, and the price of an order."""

import msgspec
from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from mutoscope.domain.catalogue import Need, Parameter, Price, Status
from mutoscope.domain.media import Kind
from mutoscope.domain.source import SourceRule
from mutoscope.services.categories import Group
from mutoscope.services.generate import Wish
from mutoscope.services.models import Listed
from mutoscope.web.security import Asked, studio_of


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model: what it takes, what it makes, what it costs in whole tokens.

    ``usable`` says whether it can be ordered now; when it cannot, ``why`` says so in a sentence, and ``instead`` may name
    the model to use in its place. ``source`` says what a picture is made into for the model: cropped around its centre and
    scaled to the size with the nearest ratio of sides, or shrunk to ``side_px`` on the longer side.
    """

    id: str
    name: str
    description: str
    provider: str
    kind: Kind
    prompt: Need
    image: Need
    source: SourceRule | None
    negative_prompt: bool
    parameters: dict[str, Parameter]
    results_max: int
    price: Price
    cancel_fee_percent: int
    typical_s: float
    retires_on: str | None
    usable: bool
    status: Status
    why: str
    instead: str | None


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The catalogue."""

    items: list[ModelView]


class GroupList(msgspec.Struct, frozen=True, kw_only=True):
    """The groups of options, in the order in which they are shown."""

    items: list[Group]


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """The price of an order in whole tokens: in all, for each result, and when canceled late; the usual time in seconds."""

    tokens: int
    tokens_each: int
    cancel_fee: int
    typical_s: float


def model_view(listed: Listed) -> ModelView:
    """A model, without what it costs the operator."""
    model = listed.model
    return ModelView(
        id=model.id,
        name=model.name,
        description=model.description,
        provider=model.provider,
        kind=model.kind,
        prompt=model.prompt,
        image=model.image,
        source=model.source,
        negative_prompt=model.negative_prompt,
        parameters=model.parameters,
        results_max=model.results_max,
        price=model.price,
        cancel_fee_percent=model.cancel_fee_percent,
        typical_s=model.typical_ms / 1000,
        retires_on=str(model.retires_on) if model.retires_on else None,
        usable=listed.usable,
        status=listed.status,
        why=listed.why,
        instead=model.instead or None,
    )


@get("/models")
async def list_models(request: Asked) -> ModelList:
    """All models, those that can be used first."""
    return ModelList(items=[model_view(listed) for listed in await studio_of(request).generate.models()])


@get("/categories")
async def list_categories(request: Asked) -> GroupList:
    """What can be selected beside the prompt."""
    return GroupList(items=list(studio_of(request).categories.groups))


@post("/quotes", status_code=200)
async def quote_generation(request: Asked, data: JSONBody[Wish]) -> QuoteView:
    """What an order would cost; nothing is held."""
    found = await studio_of(request).generate.quote(data)
    return QuoteView(
        tokens=found.tokens,
        tokens_each=found.tokens_each,
        cancel_fee=found.cancel_fee,
        typical_s=found.typical_ms / 1000,
    )


routes: list[BaseRouteHandler] = [list_models, list_categories, quote_generation]
