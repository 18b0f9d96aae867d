"""What `mutoscope doctor --end-to-end` needs beside what every person may do: what to order, and taking it all away.

A throw-away person cannot be unmade: the ledger is append-only and names them, their jobs and nothing else of theirs.
So what can go goes (every object, and every record's way to it), and what has to stay is shut and out of sight: the
account suspended with nothing in it, the items private and in its trash.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import structs

from mutoscope.domain.catalogue import Model, Parameter, price_each, typical_ms, validate
from mutoscope.domain.errors import Conflict, Invalid, NotEnoughTokens, NotFound, WrongState
from mutoscope.domain.generation import TERMINAL, Generation
from mutoscope.domain.ledger import adjust
from mutoscope.domain.media import Kind, Media, Previews, Variant, Visibility, key_for
from mutoscope.domain.people import Person
from mutoscope.providers.port import Provider, ProviderError
from mutoscope.services.studio import Studio
from mutoscope.store.port import GenerationFilter

NAME = re.compile(r"doctor-[0-9a-f]{16}")
"""The name of a throw-away person, and of nobody else whose things are taken away."""
PROMPT, WORD = "A brass lamp on a table by a window", "lamp"
"""What is ordered, and the word of it that has to find it."""
TRIES = 5
PAGE = 100


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """An order to try: the cheapest there is of its kind. ``tokens``: its price.

    ``cost_usd`` is what the catalogue says that the operator pays for it.
    """

    kind: Kind
    model: str
    prompt: str
    parameters: dict[str, Any]
    from_picture: bool
    """Whether it starts from the picture that was made before it."""
    tokens: int
    costs_money: bool
    cost_usd: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to order, in this order: a picture and a film, as far as there are models for them."""

    trials: list[Trial]


class CleanedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken away now, in numbers; ``left`` has a sentence for each thing that could not be yet."""

    name: str
    items: int
    objects: int
    tokens: int
    left: list[str]


async def plan(studio: Studio) -> Plan:
    """The cheapest picture and the cheapest film that can be ordered now."""
    models = [listed.model for listed in await studio.generate.models() if listed.usable]
    pictures = [model for model in models if model.kind is Kind.IMAGE and model.image != "required"]
    films = [model for model in models if model.kind is Kind.VIDEO and (pictures or model.image != "required")]
    return Plan(trials=[_cheapest(found, studio.providers) for found in (pictures, films) if found])


def _cheapest(models: list[Model], providers: Mapping[str, Provider]) -> Trial:
    def cost(model: Model) -> tuple[bool, int, int, int]:
        chosen = _parameters(model)
        tokens = price_each(model, chosen)
        return _costs_money(model, providers), model.cost_micro_usd, tokens, typical_ms(model, chosen)

    model = min(models, key=cost)
    return Trial(
        kind=model.kind,
        model=model.id,
        prompt="" if model.prompt == "no" else PROMPT,
        parameters=_parameters(model),
        from_picture=model.image == "required",
        tokens=price_each(model, _parameters(model)),
        costs_money=_costs_money(model, providers),
        cost_usd=model.cost_micro_usd / 1e6,
    )


def _costs_money(model: Model, providers: Mapping[str, Provider]) -> bool:
    """Also where the catalogue does not say how much: only a provider that repeats for nothing surely costs nothing."""
    provider = providers.get(model.provider)
    return model.cost_micro_usd > 0 or provider is None or not provider.repeats_free


def _parameters(model: Model) -> dict[str, Any]:
    """The shortest and smallest that the model makes; everything else as it is by default."""
    chosen: dict[str, Any] = {}
    for name, parameter in model.parameters.items():
        if name == "duration_s":
            chosen[name] = _shortest(parameter)
        elif name in ("size", "aspect_ratio") and parameter.choices:
            percent = model.price.size_percent
            chosen[name] = min(parameter.choices, key=lambda size: (percent.get(size, 100), _pixels(size)))
    return validate(model, chosen)


def _shortest(parameter: Parameter) -> Any:
    if parameter.choices:
        return min(parameter.choices, key=float)
    return parameter.default if parameter.minimum is None else parameter.minimum


def _pixels(size: str) -> int:
    width, _, height = size.partition("x")
    return int(width) * int(height) if width.isdecimal() and height.isdecimal() else 0


async def clean_up(studio: Studio, name: str) -> CleanedUp:
    """Take away what can go of a throw-away person, and shut the account. Again, it goes on with what was left.

    Raises Invalid for a name that is not a throw-away person's, NotFound, StoreUnavailable, BlobsUnavailable.
    """
    person = await _shut(studio, name)
    left, items, objects = list[str](), 0, 0
    for job in await _jobs(studio, person):
        if job.state not in TERMINAL:
            with suppress(WrongState):  # it is on its way to its end
                await studio.generate.cancel(person, job.id)
            left.append(f"the job {job.id} is still {job.state}")
        else:
            await _forget(studio, job)
        for item in await studio.store.media.of_generation(job.id):
            if item.previews is Previews.PENDING:
                left.append(f"the previews of {item.id} are still being made")
                continue
            items += await _strip(studio, item.id)
            objects += await _delete_objects(studio, item)
    tokens = 0 if left else await _take_back(studio, person)
    return CleanedUp(name=name, items=items, objects=objects, tokens=tokens, left=left)


async def _shut(studio: Studio, name: str) -> Person:
    """Suspend the person first of all: nothing more is made."""
    if not NAME.fullmatch(name):
        raise Invalid("Only what a throw-away person of the doctor made is taken away.", {"name": "doctor-..."})
    person = await studio.store.people.by_name(name)
    if person is None:
        raise NotFound(f"There is nobody of the name {name}.")
    if person.suspended_at is None:
        shut = structs.replace(person, suspended_at=studio.clock.now(), token_version=person.token_version + 1)
        await studio.store.people.change(shut, person.token_version)
    return person


async def _jobs(studio: Studio, person: Person) -> list[Generation]:
    found, cursor = list[Generation](), None
    while True:
        page = await studio.store.generations.list(GenerationFilter(owner_id=person.id), cursor, PAGE)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


async def _forget(studio: Studio, job: Generation) -> None:
    """What is on its way here goes, and the provider's copy may go too; as everywhere, that is a wish."""
    await asyncio.to_thread(studio.spool.clear, job.id)
    provider = studio.providers.get(job.pinned.provider)
    if provider is not None and job.job is not None:
        with suppress(ProviderError, OSError):
            await provider.forget(job.job)


async def _strip(studio: Studio, id: str) -> bool:
    """Out of sight, and without a file to its name: no record may name an object that is not there. False: it was."""
    for _ in range(TRIES):
        item, now = await studio.store.media.get(id), studio.clock.now()
        if item is None or not item.files:
            return False
        bare = structs.replace(item, files={}, visibility=Visibility.PRIVATE, trashed_at=item.trashed_at or now)
        try:
            await studio.store.media.change(bare, item.version, now)
        except Conflict:
            continue
        return True
    raise Conflict(f"The item {id} is being changed by others. Run it again.")


async def _delete_objects(studio: Studio, item: Media) -> int:
    folder = key_for(item.facts.kind, item.id, Variant.MASTER, item.facts.mime_type).rpartition("/")[0]
    keys = [info.key async for info in studio.blobs.list(f"{folder}/")]
    for key in keys:
        await studio.blobs.delete(key)
    return len(keys)


async def _take_back(studio: Studio, person: Person) -> int:
    """Everything that is left of the tokens, by an entry as an administrator's correction would be."""
    available, now = (await studio.store.ledger.balance(person.id)).available, studio.clock.now()
    if available == 0:
        return 0
    entry = adjust(person.id, -available, f"clean-up:{person.name}:{now}", "Taken back by the doctor", now)
    try:
        await studio.store.ledger.post(entry)
    except NotEnoughTokens:  # somebody else cleans up beside us
        return 0
    return available
