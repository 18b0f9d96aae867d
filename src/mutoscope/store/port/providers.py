"""What providers said."""

from collections.abc import Sequence
from typing import Protocol

from mutoscope.domain.catalogue import Retired
from mutoscope.domain.generation import ProviderJob
from mutoscope.domain.ids import Millis


class ModelsStore(Protocol):
    """Models of which their provider said that they are gone."""

    async def retire(self, model: str, upstream: str, why: str, now: Millis) -> bool:
        """Keep it, and tell everyone. False when the same model with the same ``upstream`` was kept before: the first stays."""
        ...

    async def retired(self) -> Sequence[Retired]:
        """All of them, by model and upstream."""
        ...

    async def restore(self, model: str, now: Millis) -> bool:
        """Forget what was said of a model, and tell everyone. False when nothing was."""
        ...


class HooksStore(Protocol):
    """Calls of providers that were verified."""

    async def record(
        self, provider: str, delivery: str, reference: str, now: Millis, job: ProviderJob | None = None
    ) -> bool:
        """Keep a delivery, with the job that it named. False when it was kept before; then that stays as it was."""
        ...

    async def job(self, provider: str, reference: str) -> ProviderJob | None:
        """The job that the provider's last such delivery about our reference named."""
        ...

    async def prune(self, before: Millis) -> None:
        """Forget deliveries older than that."""
        ...
