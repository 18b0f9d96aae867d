"""The models of the catalogue as they stand now: which can be ordered, and why the others cannot."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Protocol

import msgspec

from mutoscope.domain.catalogue import Model, Retired, Status, standing
from mutoscope.domain.errors import ModelRetired, UnknownModel
from mutoscope.domain.ids import Clock
from mutoscope.store.port import Store


class Models(Protocol):
    """The catalogue, as the services need it."""

    @property
    def elsewhere(self) -> Collection[str]:
        """The providers that are another server than their own here."""
        ...

    @property
    def switches(self) -> Mapping[str, str]:
        """The setting that turns a provider on, by the provider's name."""
        ...

    def models(self) -> list[Model]:
        """All models, those that are enabled first."""
        ...

    def get(self, id: str) -> Model:
        """One model. Raises UnknownModel."""
        ...


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and how it stands; ``why`` says why it cannot be ordered, and what to do."""

    model: Model
    status: Status
    why: str

    @property
    def usable(self) -> bool:
        """Whether it can be ordered now."""
        return self.status == "usable"


class Listing:
    """The catalogue, and what providers have said of its models since."""

    def __init__(self, models: Models, store: Store, clock: Clock) -> None:
        self._models, self._store, self._clock = models, store, clock

    async def all(self) -> list[Listed]:
        """All models, those that can be ordered first."""
        said, models = await self._said(), self._models.models()
        return sorted((self._listed(model, said, models) for model in models), key=lambda listed: not listed.usable)

    async def one(self, id: str) -> Listed:
        """One model. Raises UnknownModel."""
        return self._listed(self._models.get(id), await self._said(), self._models.models())

    async def usable(self, id: str) -> Model:
        """A model that can be ordered. Raises UnknownModel, and ModelRetired with what to use instead."""
        listed = await self.one(id)
        if listed.status == "retired":
            raise ModelRetired(listed.why, {"model": listed.why})
        if not listed.usable:
            raise UnknownModel(listed.why, {"model": listed.why})
        return listed.model

    async def restore(self, id: str) -> Listed:
        """Forget that its provider said that it is gone. Raises UnknownModel."""
        await self._store.models.restore(self._models.get(id).id, self._clock.now())
        return await self.one(id)

    async def _said(self) -> dict[tuple[str, str], Retired]:
        return {(said.model, said.upstream): said for said in await self._store.models.retired()}

    def _listed(self, model: Model, said: Mapping[tuple[str, str], Retired], models: list[Model]) -> Listed:
        on = any(other.enabled and other.provider == model.provider for other in models)
        found = standing(
            model,
            self._today(),
            said.get((model.id, model.upstream)),
            instead=next((other for other in models if other.id == model.instead), None),
            elsewhere=model.provider in self._models.elsewhere,
            switch="" if on else self._models.switches.get(model.provider.partition("/")[0], ""),
        )
        return Listed(model=model, status=found.status, why=found.why)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now() / 1000, UTC).date()
