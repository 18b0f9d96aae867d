"""Ordering pictures and films: price, accept, look, cancel, retry."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mutoscope.blobs.port import Blobs
from mutoscope.darkroom.port import Darkroom, Unreadable
from mutoscope.domain import catalogue as rules
from mutoscope.domain.catalogue import PROMPT_CHARS, SEED_MAX, Model
from mutoscope.domain.errors import BadMedia, Invalid, NotEnoughTokens, NotFound, WrongState
from mutoscope.domain.generation import Generation, Pinned, Source, State
from mutoscope.domain.ids import Clock, Ids, is_id
from mutoscope.domain.media import Kind, Variant, Visibility, source_key
from mutoscope.domain.people import Person
from mutoscope.domain.rights import Viewer, authorize
from mutoscope.domain.source import SourceFit, fit
from mutoscope.domain.text import is_blank, wrong_in_text
from mutoscope.services.categories import Group
from mutoscope.services.models import Listed, Listing, Models
from mutoscope.services.policy import Policy
from mutoscope.store.port import GenerationFilter, Page, Store

KEY_CHARS = 200


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for."""

    model: str
    prompt: str = ""
    negative_prompt: str = ""
    parameters: dict[str, Any] = {}
    category_selections: dict[str, list[str]] = {}
    seed: int | None = None
    results: int = 1
    visibility: Visibility | None = None
    source_media: str | None = None


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that came with the wish, whole in the spool; who put it there clears it away."""

    path: Path
    sha256: str


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a wish would cost: whole tokens in all, for each result, and when canceled late; usual time."""

    tokens: int
    tokens_each: int
    cancel_fee: int
    typical_ms: int


class Categories(Protocol):
    """The groups of options that an administrator edits."""

    @property
    def groups(self) -> Sequence[Group]:
        """The groups, in the order in which they are shown."""
        ...

    def check(self, selections: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """The selections, in the order of the groups. Raises Invalid."""
        ...

    def context(self, selections: Mapping[str, list[str]]) -> str:
        """What the selections add to the prompt."""
        ...


class Generate:
    """The verbs."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        darkroom: Darkroom,
        models: Models,
        categories: Categories,
        ids: Ids,
        clock: Clock,
        policy: Policy,
        wake: Callable[[], None],
        random_seed: Callable[[], int],
    ) -> None:
        self._store, self._blobs, self._darkroom = store, blobs, darkroom
        self._models, self._categories = Listing(models, store, clock), categories
        self._ids, self._clock, self._policy = ids, clock, policy
        self._wake, self._random_seed = wake, random_seed

    async def models(self) -> list[Listed]:
        """The catalogue as it stands now: models that can be ordered first, the others with the reason."""
        return await self._models.all()

    async def restore_model(self, id: str) -> Listed:
        """The operator knows better than the provider, who said that the model is gone. Raises UnknownModel."""
        return await self._models.restore(id)

    async def quote(self, wish: Wish) -> Quote:
        """The price of a wish. Raises Invalid, UnknownModel, ModelRetired."""
        model, parameters = await self._usable(wish)
        price = rules.price_each(model, parameters)
        return Quote(
            tokens=price * wish.results,
            tokens_each=price,
            cancel_fee=rules.cancel_fee(model, price * wish.results),
            typical_ms=await self._typical_ms(model, parameters),
        )

    async def accept(
        self,
        person: Person,
        wish: Wish,
        upload: Upload | None = None,
        key: str | None = None,
        retry_of: str | None = None,
    ) -> tuple[Generation, bool]:
        """Take an order: its price is held in the same commit. Returns the job, and whether it stood there before.

        Raises Invalid, UnknownModel, ModelRetired, BadMedia, NotFound (source), NotEnoughTokens, IdempotencyMismatch;
        then nothing is charged and nothing stored.
        """
        check_key(key)
        id, body_hash = self._ids.new("gen"), _hash(wish, upload)
        # First of all: what was accepted once is answered so again, also when its model is gone by now.
        if key is not None and (earlier := await self._earlier(person, key, body_hash)):
            return earlier, True
        model, parameters = await self._usable(wish)
        _check_source(model, wish, upload)
        price = rules.price_each(model, parameters)
        await self._check_balance(person, price * wish.results)
        source = await self._source(person, id, wish, upload, model)
        generation = await self._generation(id, person, wish, model, parameters, price, source, retry_of)
        return await self._commit(generation, source, upload, key, body_hash)

    async def get(self, person: Person, id: str) -> Generation:
        """A job of the person's own, or any for an administrator. Raises NotFound."""
        generation = await self._store.generations.get(id) if is_id(id, "gen") else None
        if generation is None or not (person.is_admin or generation.owner_id == person.id):
            raise NotFound("There is no such job, or it is not yours.")
        return generation

    async def list(
        self, person: Person, states: frozenset[State] | None, cursor: str | None, limit: int
    ) -> Page[Generation]:
        """The person's jobs, newest first."""
        return await self._store.generations.list(GenerationFilter(owner_id=person.id, states=states), cursor, limit)

    async def cancel(self, person: Person, id: str) -> Generation:
        """Ask for a job to be stopped. Raises NotFound, WrongState when the provider had finished or the job ended."""
        generation = await self.get(person, id)
        canceled = await self._store.generations.cancel(generation.id, self._clock.now())
        self._wake()
        return canceled

    async def retry(self, person: Person, id: str, key: str | None = None) -> tuple[Generation, bool]:
        """Order the same again, as a new job at today's price. Raises WrongState unless it failed or was canceled,
        ModelRetired when it would fail again.
        """
        old = await self.get(person, id)
        if old.state not in {State.FAILED, State.CANCELED}:
            raise WrongState("Only a job that failed or was canceled can be tried again.")
        wish = Wish(
            model=old.pinned.model,
            prompt=old.prompt,
            negative_prompt=old.negative_prompt,
            parameters=old.parameters,
            category_selections=old.category_selections,
            seed=old.seed,
            results=len(old.media_ids),
            visibility=old.visibility,
            source_media=old.source.media_id if old.source else None,
        )
        check_key(key)
        body_hash = _hash(wish, None, old.id)
        if key is not None and (earlier := await self._earlier(person, key, body_hash)):
            return earlier, True
        model, parameters = await self._usable(wish)
        price = rules.price_each(model, parameters)
        source = await self._source_from_gallery(person, wish.source_media) if wish.source_media else old.source
        generation = await self._generation(
            self._ids.new("gen"), person, wish, model, parameters, price, source, retry_of=old.id
        )
        return await self._commit(generation, None, None, key, body_hash)

    async def _usable(self, wish: Wish) -> tuple[Model, dict[str, Any]]:
        model = await self._models.usable(wish.model)
        self._categories.check(wish.category_selections)
        wrong: dict[str, str] = {}
        for name, text in (("prompt", wish.prompt), ("negative_prompt", wish.negative_prompt)):
            if len(text) > PROMPT_CHARS:
                wrong[name] = f"at most {PROMPT_CHARS} characters"
            elif complaint := wrong_in_text(text):
                wrong[name] = complaint
        if model.prompt == "required" and is_blank(wish.prompt):
            wrong["prompt"] = f"{model.name} needs a prompt"
        if wish.negative_prompt and not model.negative_prompt:
            wrong["negative_prompt"] = f"{model.name} takes none"
        if not 1 <= wish.results <= model.results_max:
            wrong["results"] = f"from 1 to {model.results_max}"
        if wish.seed is not None and not 0 <= wish.seed <= SEED_MAX:
            wrong["seed"] = f"from 0 to {SEED_MAX}"
        if wrong:
            raise Invalid("The order cannot be taken like this.", wrong)
        return model, rules.validate(model, wish.parameters)

    async def _earlier(self, person: Person, key: str, body_hash: str) -> Generation | None:
        return await self._store.generations.of_key(person.id, key, body_hash, self._clock.now())

    async def _check_balance(self, person: Person, tokens: int) -> None:
        # Only to refuse before a picture is looked at and stored; the commit checks again, and decides.
        available = (await self._store.ledger.balance(person.id)).available
        if available < tokens:
            raise NotEnoughTokens(tokens, available)

    async def _source(self, person: Person, id: str, wish: Wish, upload: Upload | None, model: Model) -> Source | None:
        if wish.source_media is not None:
            return await self._source_from_gallery(person, wish.source_media)
        if upload is None:
            return None
        try:
            facts = await self._darkroom.inspect(upload.path, self._policy.upload_limits)
        except Unreadable as e:
            raise BadMedia(str(e), {"image": str(e)}) from e
        if facts.kind is not Kind.IMAGE:
            raise BadMedia("The source has to be a picture.", {"image": "this is a film"})
        # Refused, where it will not fit, before it is stored.
        _fit(model, facts.width, facts.height)
        key = source_key(id, facts.mime_type)
        await self._blobs.put(key, upload.path, facts.mime_type)
        return Source(
            key=key,
            mime_type=facts.mime_type,
            width=facts.width,
            height=facts.height,
            size_bytes=facts.size_bytes,
            sha256=facts.sha256,
        )

    async def _source_from_gallery(self, person: Person, media_id: str) -> Source:
        item = await self._store.media.get(media_id) if is_id(media_id, "med") else None
        if item is None or Variant.MASTER not in item.files:
            raise NotFound("There is no such picture, or it is not open to you.")
        bought = await self._store.unlocks.bought(person.id, [item.id])
        authorize(Viewer(person_id=person.id, is_admin=person.is_admin, unlocked=bought), item, Variant.MASTER)
        if item.facts.kind is not Kind.IMAGE:
            raise BadMedia("The source has to be a picture.", {"source_media": "this is a film"})
        return Source(
            key=item.files[Variant.MASTER].key,
            mime_type=item.facts.mime_type,
            width=item.facts.width,
            height=item.facts.height,
            size_bytes=item.facts.size_bytes,
            sha256=item.facts.sha256,
            media_id=item.id,
        )

    async def _generation(
        self,
        id: str,
        person: Person,
        wish: Wish,
        model: Model,
        parameters: dict[str, Any],
        price: int,
        source: Source | None,
        retry_of: str | None,
    ) -> Generation:
        now = self._clock.now()
        selections = self._categories.check(wish.category_selections)
        pinned = Pinned(
            model=model.id,
            provider=model.provider,
            upstream=model.upstream,
            kind=model.kind,
            price_each=price,
            cancel_fee=rules.cancel_fee(model, price * wish.results),
            typical_ms=await self._typical_ms(model, parameters),
            source=_fit(model, source.width, source.height) if source else None,
        )
        return Generation(
            id=id,
            owner_id=person.id,
            state=State.QUEUED,
            pinned=pinned,
            prompt=wish.prompt,
            context=self._categories.context(selections),
            negative_prompt=wish.negative_prompt,
            category_selections=selections,
            parameters=parameters,
            seed=self._random_seed() if wish.seed is None else wish.seed,
            source=source,
            visibility=wish.visibility or self._policy.default_visibility,
            media_ids=tuple(self._ids.new("med") for _ in range(wish.results)),
            created_at=now,
            updated_at=now,
            retry_of=retry_of,
            due_at=now,
            stage_since=now,
        )

    async def _commit(
        self, generation: Generation, source: Source | None, upload: Upload | None, key: str | None, body_hash: str
    ) -> tuple[Generation, bool]:
        kept = False
        try:
            accepted, replayed = await self._store.generations.accept(generation, key, body_hash)
            kept = not replayed
        finally:
            if not kept and source is not None and upload is not None:
                await self._blobs.delete(source.key)
        self._wake()
        return accepted, replayed

    async def _typical_ms(self, model: Model, parameters: Mapping[str, Any]) -> int:
        return await self._store.stats.typical_ms(model.id) or rules.typical_ms(model, parameters)


def check_key(key: str | None) -> None:
    """Raises Invalid for an Idempotency-Key that is none."""
    if key is not None and not (0 < len(key) <= KEY_CHARS and key.isprintable()):
        raise Invalid(
            f"An Idempotency-Key has 1 to {KEY_CHARS} printable characters.", {"Idempotency-Key": "not usable"}
        )


def _fit(model: Model, width: int, height: int) -> SourceFit | None:
    return fit(model.source, width, height) if model.source else None


def _check_source(model: Model, wish: Wish, upload: Upload | None) -> None:
    given = upload is not None or wish.source_media is not None
    if upload is not None and wish.source_media is not None:
        raise Invalid("Give one source picture.", {"source_media": "not together with an upload"})
    if model.image == "required" and not given:
        raise Invalid(f"{model.name} starts from a picture.", {"image": "upload one, or name one in `source_media`"})
    if model.image == "no" and given:
        raise Invalid(f"{model.name} takes no picture.", {"image": "leave it out, or choose a model that takes one"})


def _hash(wish: Wish, upload: Upload | None, retry_of: str = "") -> str:
    body = [msgspec.to_builtins(wish), upload.sha256 if upload else "", retry_of]
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()
