"""Any sequence of the store's operations is answered alike by SQLite and by MongoDB: values, refusals and events."""

import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import pytest
from collection_rules import CollectionRules
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, run_state_machine_as_test
from item_rules import ItemRules, looks
from job_rules import JobRules, orders
from key_rules import KeyRules
from model_rules import ModelRules
from people_rules import PeopleRules
from twins import people, walk

import cast
from mutoscope.domain import search
from mutoscope.domain.events import PUBLIC, to_person
from mutoscope.domain.search import Query
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import GenerationFilter, Store
from mutoscope.store.sqlite import open_sqlite
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.mongod import Databases

EXAMPLES = int(os.environ.get("MUTOSCOPE_TEST_EXAMPLES", "12"))
"""How many sequences are tried."""
STEPS = 80
THRESHOLDS = (
    ("mutoscope.store.sqlite.search.FEW", -1),
    ("mutoscope.store.sqlite.claims.NEAR", 0),
    ("mutoscope.store.mongo.search.FEW", 0),
)
"""Above them a store goes another way, as in large libraries; at these numbers it does so with a single match."""

Opener = Callable[[cast.HandClock], Coroutine[Any, Any, Sequence[Store]]]


class Studio(JobRules, ItemRules, PeopleRules, KeyRules, ModelRules, CollectionRules):
    """Everything that the port can do."""

    @initialize(target=people, large=st.booleans(), order=orders, looks=st.lists(looks, min_size=2, max_size=3))
    def move_in(self, large: bool, order: dict[str, Any], looks: list[dict[str, Any]]) -> Any:
        for name, lowest in THRESHOLDS if large else ():
            self.patches.enter_context(mock.patch(name, lowest))
        both = cast.alice(), cast.bob()
        for person in both:
            grant = cast.grant(person, 60)
            self.ask(lambda store, person=person, grant=grant: store.people.add(person, grant))
        self.ears = {audience: self.twins.heads() for audience in (PUBLIC, *(to_person(one.id) for one in both))}
        self.residents = [person.id for person in both]
        for id in self.residents:
            self.deliver(id, order, looks)
        return multiple(*self.residents)

    def compare(self) -> None:
        self.ask(lambda store: walk(lambda cursor: store.generations.list(GenerationFilter(), cursor, 50)))
        self.ask(lambda store: walk(lambda cursor: store.media.search(search.EVERYTHING, Query(), True, cursor, 50)))
        self.ask(lambda store: store.stats.totals())
        self.ask(lambda store: store.models.retired())
        for id in getattr(self, "residents", ()):
            self.ask(lambda store, id=id: store.ledger.balance(id))
            self.ask(lambda store, id=id: store.collections.of_person(id))
            self.ask(lambda store, id=id: walk(lambda cursor: store.ledger.statement(id, cursor, 50)))
        assert self.ask(lambda store: store.ledger.proof()) == []


@pytest.fixture
def opener(databases: Databases, tmp_path: Path) -> Iterator[Opener]:
    """Opens an empty store of each make."""
    name = databases.take()

    async def open_twins(clock: cast.HandClock) -> Sequence[Store]:
        databases.give_back(name)  # which empties it
        assert databases.take() == name
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        return [
            await open_sqlite(folder / "mutoscope.db", clock),
            await open_mongo(databases.uri(name), clock, SqliteCopies()),
        ]

    yield open_twins
    databases.give_back(name)


def test_any_sequence_of_operations_has_the_same_answers(opener: Opener, seed: int) -> None:
    profile = settings(
        settings.get_profile("mutoscope"), max_examples=EXAMPLES, stateful_step_count=STEPS, database=None
    )
    run_state_machine_as_test(hypothesis.seed(seed)(lambda: Studio(opener)), settings=profile)
