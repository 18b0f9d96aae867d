"""Models of which their provider said that they are gone."""

import sqlite3
from collections.abc import Sequence

import mutoscope.store.sqlite.events as events
from mutoscope.domain.catalogue import Retired
from mutoscope.domain.ids import Millis
from mutoscope.store.sqlite.engine import Engine

READ = "SELECT model, upstream, why, at FROM retired_models ORDER BY model, upstream"


class SqliteModels:
    """The models group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def retire(self, model: str, upstream: str, why: str, now: Millis) -> bool:
        return await self._engine.write(lambda c: _retire(c, model, upstream, why, now))

    async def retired(self) -> Sequence[Retired]:
        return await self._engine.read(_retired)

    async def restore(self, model: str, now: Millis) -> bool:
        return await self._engine.write(lambda c: _restore(c, model, now))


def _retire(c: sqlite3.Connection, model: str, upstream: str, why: str, now: Millis) -> bool:
    new = c.execute(
        "INSERT INTO retired_models (model, upstream, why, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (model, upstream, why, now),
    ).rowcount
    return _tell(c, model, now) if new else False


def _retired(c: sqlite3.Connection) -> list[Retired]:
    return [Retired(model=model, upstream=upstream, why=why, at=at) for model, upstream, why, at in c.execute(READ)]


def _restore(c: sqlite3.Connection, model: str, now: Millis) -> bool:
    gone = c.execute("DELETE FROM retired_models WHERE model = ?", (model,)).rowcount
    return _tell(c, model, now) if gone else False


def _tell(c: sqlite3.Connection, model: str, now: Millis) -> bool:
    events.append(c, "model", model, now, "", now, public=True)
    return True
