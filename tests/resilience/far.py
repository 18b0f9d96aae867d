"""A studio of many processes that reach their database over a bad network; and what must hold of it after each fault."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from crash.many import WEBS, ManyStudio
from crash.studio import PATIENCE_S, TOKENS, DiedEarly
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Previews
from mutoscope.store.mongo import open_mongo
from mutoscope.store.port import Store
from mutoscope.store.sqlite.portable import SqliteCopies
from servers.faults import Faults
from servers.mongod import SET, ReplicaSet

STUDIO = {"appName": "mutoscope"}
"""Whom a failure is meant for: not the test itself, which goes to the server under another name."""
TROUBLE = ("stumbled", "claiming failed", "sweeping failed", "let something through", "Traceback", "was destroyed")
"""Words of the log for what nobody has foreseen; a task that nobody awaits is among them."""


class FarSet(ReplicaSet):
    """A set of one that calls itself by the address of a proxy, so that all clients of the set go that way."""

    def __init__(self, folder: Path, **options: Any) -> None:
        """With ``options``, which every address of it carries."""
        super().__init__(folder)
        self.way = Faults("127.0.0.1", self.members[0].port)
        self._options = options

    def uri(self, database: str = "mutoscope", **options: Any) -> str:
        more = "".join(f"&{name}={value}" for name, value in (self._options | options).items())
        return f"mongodb://{self.way.host}:{self.way.port}/{database}?replicaSet={SET}{more}"

    def straight(self, database: str) -> str:
        """Past the proxy, under a name of its own."""
        return f"mongodb://{self.members[0].address}/{database}?directConnection=true&appName=straight"

    def start(self) -> None:
        """Start both, and make the set."""
        self.way.__enter__()
        self.members[0].start()
        member = {"_id": 0, "host": f"{self.way.host}:{self.way.port}"}
        self.command({"replSetInitiate": {"_id": SET, "members": [member]}})
        self.await_primary()

    def stop(self) -> None:
        super().stop()
        self.way.__exit__()

    def command(self, command: dict[str, Any]) -> dict[str, Any]:
        """Ask the server itself."""
        with self.members[0].client(appname="straight") as client:
            return client.admin.command(command)

    @contextmanager
    def failing(self, mode: Any, name: str = "failCommand", **data: Any) -> Iterator[int]:
        """The server fails as it is told (``configureFailPoint``); gives how often that point was passed before."""
        point = {"configureFailPoint": name}
        passed = self.command(point | {"mode": mode, "data": data})["count"]
        try:
            yield passed
        finally:
            self.command(point | {"mode": "off"})

    @contextmanager
    def losing_a_commit(self) -> Iterator[Callable[[], None]]:
        """Gives what cuts all connections when a commit that began meanwhile is done and not yet answered."""
        wait = "waitAfterCommandFinishesExecution"
        with self.failing("alwaysOn", wait, commands=["commitTransaction"]) as passed:

            def cut() -> None:
                self.command({"waitForFailPoint": wait, "timesEntered": passed + 1, "maxTimeMS": 20_000})
                self.way.cut()

            yield cut

    def aborted(self) -> int:
        """How many transactions were undone so far."""
        return self.command({"serverStatus": 1})["transactions"]["totalAborted"]


class Follower:
    """A page of alice's that follows events as a browser does: it comes back with the id of the last that it saw."""

    def __init__(self, studio: "FarStudio", name: str) -> None:
        self._url = f"{studio.processes[name].base_url}/api/events"
        self._headers, self._over = studio.signed_in(), threading.Event()
        self._last = ""
        self.heard: list[tuple[str, str, int]] = []
        self.kinds: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, with the next sign of life."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.is_set():
            headers = self._headers | ({"Last-Event-ID": self._last} if self._last else {})
            with (
                suppress(httpx2.TransportError),
                httpx2.stream("GET", self._url, headers=headers, timeout=20) as answer,
            ):
                self._read(answer)
            time.sleep(0.1)

    def _read(self, answer: httpx2.Response) -> None:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if self._over.is_set():
                return
            name, _, value = line.partition(": ")
            fields[name] = value
            if not line and "event" in fields:
                self._hear(fields)
            if not line:
                fields = {}

    def _hear(self, fields: dict[str, str]) -> None:
        self._last = fields["id"]
        self.kinds[fields["event"]] += 1
        told = json.loads(fields["data"])
        if told:
            self.heard.append((fields["event"], told["id"], told["version"]))


class FarStudio(ManyStudio):
    """The studio; the test itself goes to the database straight."""

    mongo: FarSet
    lease_ms = 6_000
    """Nobody is killed here, and each renewal has a long way."""

    async def open_store(self) -> Store:
        return await open_mongo(self.mongo.straight("studio"), SystemClock(), SqliteCopies())

    def move_in(self) -> None:
        """Start all, and make alice, who follows by either web process."""
        self.begin()
        with self.through("web-1"):
            self.people()
        self.followers = [Follower(self, name) for name in WEBS]
        self.until(lambda: all(follower.kinds["hello"] for follower in self.followers), "the pages do not follow")
        self._before = self._happened().total()

    def __exit__(self, *_: object) -> None:
        for follower in self.followers:
            follower.close()
        super().__exit__()

    def order_all(self, keys: list[str], wishes: list[dict[str, Any]], clients: int = 2) -> None:
        """Order by so many clients at once, each by either web process; who is refused for now asks again."""
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(self._insist, keys, [wishes[n % len(wishes)] for n in range(len(keys))]))

    def _insist(self, key: str, wish: dict[str, Any]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        web = self.processes[WEBS[sum(key.encode()) % 2]]
        headers = self.signed_in() | {"Idempotency-Key": key}
        while True:
            try:
                answer = httpx2.post(f"{web.base_url}/api/generations", json=wish, headers=headers, timeout=PATIENCE_S)
            except httpx2.TransportError as e:
                raise DiedEarly from e
            if answer.is_success:
                self.accepted[key] = answer.json()["id"]
                return
            assert answer.status_code == 503, answer.text
            assert time.monotonic() < deadline, "an order is never taken"
            time.sleep(0.2)

    def settle(self) -> None:
        """Wait until every job has ended and every film has its previews, with a network that is good again."""
        self.mongo.way.heal()
        for name in WEBS:
            self.until(lambda name=name: self._answers(name), f"{name} does not answer")
        self.until(lambda: not self.on_their_way(), "still on their way")

    def on_their_way(self) -> int:
        """How many jobs have not ended, and films have no previews."""
        with self.mongo.members[0].client() as client:
            items = client["studio"]["mutoscope_media"].count_documents({"previews": Previews.PENDING})
            return items + client["studio"]["mutoscope_generations"].count_documents({"live": True})

    def _answers(self, name: str) -> bool:
        return httpx2.get(f"{self.processes[name].base_url}/readyz", timeout=PATIENCE_S).is_success

    def until(self, condition: Any, otherwise: str, seconds: float = PATIENCE_S) -> None:
        """Wait for something."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.05)

    async def all_is_well(self) -> None:
        """Every job has succeeded and was paid once, tokens add up, pages have heard all, and nothing is left behind."""
        self.settle()
        assert await self.examine() == {State.SUCCEEDED: len(self.accepted)}
        await self._tokens_add_up()
        self._pages_have_heard_everything()
        self.until(self._nothing_is_open, "the server holds transactions or cursors that nobody waits for")
        for name in self.processes:
            log = (self.data.parent / f"{name}.log").read_text()
            assert not [line for line in log.splitlines() if any(word in line for word in TROUBLE)], name

    async def _tokens_add_up(self) -> None:
        store = await self.open_store()
        try:
            alice = await store.people.by_name("alice")
            assert alice is not None
            balance = await store.ledger.balance(alice.id)
            newest = (await store.ledger.statement(alice.id, None, 1)).items[0]
            jobs = [await store.generations.get(id) for id in self.accepted.values()]
        finally:
            await store.close()
        spent = sum(job.captured for job in jobs if job is not None)
        assert (balance.available, balance.held) == (TOKENS - spent, 0)
        assert newest[1] == balance.available

    def _pages_have_heard_everything(self) -> None:
        """Each event that alice may hear, once, and in the order of each thing's versions."""
        happened = self._happened()
        for follower in self.followers:
            self.until(lambda f=follower: len(f.heard) >= happened.total() - self._before, "events are lost", 15)
            assert not follower.kinds["resync"], "a page was told to read everything again"
            assert Counter(follower.heard) <= happened, "an event came twice"
            assert happened.total() - len(follower.heard) == self._before
            latest: dict[str, int] = {}
            for _, thing, version in follower.heard:
                assert version > latest.get(thing, 0), f"{thing} went back"
                latest[thing] = version

    def _happened(self) -> Counter[tuple[str, str, int]]:
        with self.mongo.members[0].client() as client:
            events = client["studio"]["mutoscope_events"].find({"kind": {"$ne": "mark"}})
            return Counter((event["kind"], event["thing"], int(event["version"])) for event in events)

    def _nothing_is_open(self) -> bool:
        status = self.mongo.command({"serverStatus": 1})
        # Each process waits for its change stream. Cursors of lines that were cut are the server's to drop, in ten minutes.
        waiting = status["metrics"]["cursor"]["open"]["pinned"]
        return status["transactions"]["currentOpen"] == 0 and waiting <= len(self.processes)
