"""Publishing: items, settlement, event and state in one commit."""

import msgspec

from mutoscope.darkroom.port import Developed
from mutoscope.domain.errors import UnknownModel
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import (
    AI_CATEGORY,
    Facts,
    Kind,
    Media,
    Previews,
    StoredFile,
    Variant,
    Visibility,
    description_from,
    tags_from,
    title_from,
)
from mutoscope.worker import moves
from mutoscope.worker.context import Worker
from mutoscope.worker.moves import log


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One result whose files are in the blob store."""

    media_id: str
    developed: Developed
    files: dict[Variant, StoredFile]


async def publish(worker: Worker, job: Generation, items: list[Stored]) -> Generation:
    """The items into the gallery. Each result delivered is charged, the share of the others goes back. Raises StaleFence."""
    now = worker.clock.now()
    media = [media_of(worker, job, item, now) for item in items]
    captured = 0 if job.settled else job.pinned.price_each * len(media)
    published = await worker.store.generations.publish(job.id, job.fence, now, media, captured)
    log.info("published", generation=job.id, stage=job.state, attempt=job.attempts, items=len(media))
    await moves.clear(worker, job.id)
    await _forget(worker, job)
    return published


def media_of(worker: Worker, job: Generation, item: Stored, now: Millis) -> Media:
    """The item of one result. What comes after the tokens went back is the owner's alone."""
    facts = item.developed.facts
    return Media(
        id=item.media_id,
        owner_id=job.owner_id,
        generation_id=job.id,
        facts=facts,
        files=item.files,
        placeholder=item.developed.placeholder,
        title=title_from(job.prompt, facts.kind),
        description=description_from(job.prompt, facts.kind, _model_name(worker, job.pinned.model)),
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        category=AI_CATEGORY,
        tags=tags_from(facts.kind, job.category_selections),
        category_selections=job.category_selections,
        prompt_words=frozenset({"title", "description", "tags"}),
        model=job.pinned.model,
        provider=job.pinned.provider,
        seed=job.seed,
        parameters=job.parameters,
        visibility=Visibility.PRIVATE if job.settled else job.visibility,
        created_at=now,
        updated_at=now,
        previews=_previews(facts),
    )


def _model_name(worker: Worker, model: str) -> str:
    try:
        return worker.model_name(model)
    except UnknownModel:
        return model  # no longer in the catalogue: that changes nothing for what was ordered before


def _previews(facts: Facts) -> Previews:
    return Previews.PENDING if facts.kind is Kind.VIDEO and facts.frames != 1 else Previews.NONE


async def _forget(worker: Worker, job: Generation) -> None:
    provider = worker.providers.get(job.pinned.provider)
    if provider is None or job.job is None:
        return
    try:
        await provider.forget(job.job)
    except Exception as e:  # best effort: the result is ours already
        log.info("not forgotten", generation=job.id, stage=job.state, attempt=job.attempts, why=type(e).__name__)
