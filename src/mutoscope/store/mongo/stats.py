"""Figures for the operator, and how long a model usually takes."""

from statistics import median

from mutoscope.domain.generation import State
from mutoscope.domain.ids import Millis
from mutoscope.store.mongo.engine import Connection, Engine
from mutoscope.store.port import Totals

LAST = 20
ENOUGH = 3


class MongoStats:
    """The stats group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def totals(self) -> Totals:
        return await self._engine.look(_totals)

    async def typical_ms(self, model: str) -> Millis | None:
        return await self._engine.read(lambda c: _typical_ms(c, model))


async def _totals(c: Connection) -> Totals:
    states = await c["generations"].aggregate({"$group": {"_id": "$state", "n": {"$sum": 1}}})
    counts = {row["_id"]: int(row["n"]) for row in states}
    items = await c["media"].aggregate(
        {"$group": {"_id": None, "n": {"$sum": 1}, "stored_bytes": {"$sum": "$stored_bytes"}}}
    )
    people = await c["people"].aggregate({"$count": "n"})
    return Totals(
        generations={state: counts.get(state.value, 0) for state in State},
        items=int(items[0]["n"]) if items else 0,
        stored_bytes=int(items[0]["stored_bytes"]) if items else 0,
        people=int(people[0]["n"]) if people else 0,
    )


async def _typical_ms(c: Connection, model: str) -> Millis | None:
    wanted = {"state": State.SUCCEEDED, "pinned.model": model, "submitted_at": {"$gt": 0}}
    found = await c["generations"].all(wanted, [("finished_at", -1)], LAST, ["finished_at", "submitted_at"])
    times = [row["finished_at"] - row["submitted_at"] for row in found]
    return round(median(times)) if len(times) >= ENOUGH else None
