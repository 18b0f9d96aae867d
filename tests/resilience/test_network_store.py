"""The database alone over a bad network: what is done once although its answer was lost, and what silence costs."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import cast
from mutoscope.domain.errors import Conflict
from mutoscope.domain.events import to_person
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.ledger import Balance
from mutoscope.domain.people import Person
from mutoscope.store.mongo import engine, open_mongo
from mutoscope.store.mongo.opening import OPTIONS
from mutoscope.store.port import Store, StoreUnavailable
from mutoscope.store.sqlite.portable import SqliteCopies
from mutoscope.worker.context import Numbers
from resilience.far import STUDIO, FarSet
from servers.faults import DOWN

GRANTED = 1_000
IMPATIENT = {"heartbeatFrequencyMS": 1_000, "connectTimeoutMS": 1_000}
"""What is 5 s each unless the address says otherwise: what is tried is that they are waited for, and nothing else."""
CLIENTS, EVENTS = 60, 15


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSet]:
    mongo = FarSet(tmp_path_factory.mktemp("mongo"), **IMPATIENT)
    mongo.start()
    yield mongo
    mongo.stop()


@pytest.fixture
def address(mongo: FarSet, tmp_path: Path) -> str:
    """An empty database by the bad way."""
    return mongo.uri(tmp_path.name[-30:].replace("-", "_"))


@pytest.fixture
async def store(mongo: FarSet, address: str) -> AsyncIterator[Store]:
    """When the test is over its ledger adds up, and it leaves no task behind."""
    before = others()
    store = await open_mongo(address, SystemClock(), SqliteCopies())
    yield store
    mongo.way.heal()
    assert await settled(store.ledger.proof) == []
    await store.close()
    await asyncio.sleep(0.1)
    assert others() - before == set(), "tasks that nobody waits for"


def others() -> set[Any]:
    """The tasks beside this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.fixture
async def alice(store: Store) -> Person:
    """With tokens."""
    alice = cast.alice()
    return await store.people.add(alice, cast.grant(alice, GRANTED))


async def settled(ask: Any) -> Any:
    """What it answers as soon as the store does."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def outcome(of: Awaitable[Any]) -> Any:
    """What it gives, or what kind of thing it raises."""
    try:
        return await of
    except Exception as e:
        return type(e)


async def test_a_commit_whose_answer_is_lost_is_asked_for_again_and_happens_once(
    mongo: FarSet, store: Store, alice: Person
) -> None:
    for number in range(3):
        with mongo.losing_a_commit() as cut:
            posting = asyncio.create_task(store.ledger.post(cast.grant(alice, 1, f"present {number}")))
            await asyncio.to_thread(cut)
        assert await posting is True
    assert await store.ledger.balance(alice.id) == Balance(available=GRANTED + 3, held=0)


async def test_a_transaction_whose_end_was_lost_is_no_obstacle_to_its_next_try(
    mongo: FarSet, store: Store, alice: Person
) -> None:
    """The server would keep it for a minute, and what it changed from everybody."""
    began = time.monotonic()
    # The last command before the commit, and then the word to undo it, as often as it is said in time.
    failing = {"failCommands": ["findAndModify", "abortTransaction"], "closeConnection": True, **STUDIO}
    with mongo.failing({"times": 6}, **failing):
        assert await store.ledger.post(cast.grant(alice, 1)) is True
    assert time.monotonic() - began < engine.PATIENCE_S
    assert (await store.ledger.balance(alice.id)).available == GRANTED + 1


async def test_a_transaction_of_a_process_that_was_killed_is_ended_before_patience_is(
    mongo: FarSet, store: Store, alice: Person, address: str
) -> None:
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS, address, alice.id, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline()
    victim.kill()
    await victim.wait()
    assert await store.ledger.post(cast.grant(alice, 1)) is True
    assert (await store.ledger.balance(alice.id)).available == GRANTED + 1


HOLDS = """
import sys, time, pymongo
client = pymongo.MongoClient(sys.argv[1], appname="mutoscope")
with client.start_session() as session, session.start_transaction():
    balances = client.get_default_database()["mutoscope_balances"]
    balances.update_one({"_id": sys.argv[2]}, {"$inc": {"available": 1}}, session=session)
    print("holds", flush=True)
    time.sleep(60)
"""


async def test_patience_ends_with_nothing_changed(
    mongo: FarSet, store: Store, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE_S", 0.5)
    conflict = {"errorCode": engine.CONFLICT, "errorLabels": ["TransientTransactionError"], **STUDIO}
    with (
        mongo.failing("alwaysOn", failCommands=["commitTransaction"], **conflict),
        pytest.raises(StoreUnavailable, match=r"kept coming in between.*Nothing was changed"),
    ):
        await asyncio.wait_for(store.ledger.post(cast.grant(alice, 1)), 5)
    assert (await store.ledger.balance(alice.id)).available == GRANTED


async def test_a_commit_that_stays_in_doubt_is_not_called_undone(
    mongo: FarSet, store: Store, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE_S", 0.5)
    present = cast.grant(alice, 1)
    doubt = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}, **STUDIO}
    with (
        mongo.failing("alwaysOn", failCommands=["commitTransaction"], **doubt),
        pytest.raises(StoreUnavailable, match="Look whether it was done"),
    ):
        await asyncio.wait_for(store.ledger.post(present), 5)
    assert await store.ledger.post(present) is False
    assert (await store.ledger.balance(alice.id)).available == GRANTED + 1


async def test_lines_that_are_dead_without_a_word_cost_one_missing_heartbeat_and_nothing_else(
    mongo: FarSet, store: Store, alice: Person
) -> None:
    cursor = await store.events.head()
    mongo.way.freeze()
    mongo.way.heal()
    began = time.monotonic()
    posted, balance, _ = await asyncio.gather(
        store.ledger.post(cast.grant(alice, 1)), store.ledger.balance(alice.id), store.ping()
    )
    assert posted is True
    assert balance.available in (GRANTED, GRANTED + 1)
    assert time.monotonic() - began < noticed_s(IMPATIENT) + 2
    events, _ = await settled(lambda: store.events.after(cursor, [to_person(alice.id)], 10))
    assert [event.kind for event in events] == ["tokens"]


def noticed_s(options: Mapping[str, Any]) -> float:
    """When silence is noticed: the next word of the server was due, and did not come."""
    return (options["heartbeatFrequencyMS"] + options["connectTimeoutMS"]) / 1000


def test_silence_is_noticed_while_there_is_patience_to_try_again_and_before_a_lease_ends() -> None:
    assert noticed_s(OPTIONS) < engine.PATIENCE_S
    assert noticed_s(OPTIONS) + OPTIONS["serverSelectionTimeoutMS"] / 1000 < Numbers().lease_ms / 1000


async def test_a_network_that_stays_silent_is_given_up_in_bounded_time(
    mongo: FarSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE_S", 2)
    store = await open_mongo(mongo.uri("silent", serverSelectionTimeoutMS=500), SystemClock(), SqliteCopies())
    present = cast.grant(cast.alice(), 1)
    mongo.way.freeze()
    try:
        told = await asyncio.wait_for(
            asyncio.gather(outcome(store.ledger.post(present)), outcome(store.check()), outcome(store.ping())), 8
        )
        assert set(told) == {StoreUnavailable}
    finally:
        await asyncio.wait_for(store.close(), 8)
        mongo.way.heal()


async def test_events_over_lines_that_break_come_once_and_in_order(mongo: FarSet, store: Store, alice: Person) -> None:
    cursor, heard = await store.events.head(), list[int]()
    for number in range(EVENTS):
        await settled(lambda number=number: store.ledger.post(cast.grant(alice, 1, f"present {number}")))
        if number % 3 == 0:
            mongo.way.cut_after(number * 7, DOWN, times=3)
        if number % 7 == 0:
            mongo.way.cut()
        events, cursor = await settled(lambda cursor=cursor: store.events.after(cursor, [to_person(alice.id)], 100))
        heard += [event.version for event in events]
    mongo.way.heal()
    events, _ = await settled(lambda: store.events.after(cursor, [to_person(alice.id)], 100))
    heard += [event.version for event in events]
    assert heard == list(range(heard[0], heard[0] + EVENTS))


async def test_many_clients_of_one_balance_all_come_through(
    mongo: FarSet, store: Store, alice: Person, address: str
) -> None:
    """Those that met another stand in line: when all tried again at once, most had given up after 15 s."""
    others = [await open_mongo(address, SystemClock(), SqliteCopies()) for _ in range(2)]
    everywhere = [store, *others]
    aborted = mongo.aborted()
    posted = await asyncio.gather(
        *(everywhere[n % 3].ledger.post(cast.grant(alice, 1, f"present {n}")) for n in range(CLIENTS))
    )
    assert mongo.aborted() - aborted > CLIENTS
    assert posted == [True] * CLIENTS
    assert (await store.ledger.balance(alice.id)).available == GRANTED + CLIENTS
    for other in others:
        await other.close()


async def test_of_many_who_want_one_name_at_once_one_gets_it_and_the_others_hear_that_it_is_taken(
    store: Store, alice: Person
) -> None:
    told = await asyncio.gather(*(outcome(store.people.add(cast.person("dora"), None)) for _ in range(12)))
    assert Counter(one if isinstance(one, type) else Person for one in told) == {Person: 1, Conflict: 11}


async def test_an_order_sent_again_and_again_over_lines_that_break_is_one_order(
    mongo: FarSet, store: Store, alice: Person
) -> None:
    job = cast.generation(alice)
    cut = {"failCommands": ["commitTransaction", "delete"], "closeConnection": True, **STUDIO}
    with mongo.failing({"activationProbability": 0.3}, **cut):
        jobs = [await settled(lambda: accept_with_key(store, job)) for _ in range(5)]
    assert {id for id, _ in jobs} == {job.id}
    assert await store.ledger.balance(alice.id) == Balance(available=GRANTED - job.hold, held=job.hold)


async def accept_with_key(store: Store, job: Any) -> tuple[str, bool]:
    accepted, again = await store.generations.accept(job, "key", "hash")
    return accepted.id, again
