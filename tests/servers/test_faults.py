"""The bad network does what it says, and nothing else."""

import random
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers.faults import DOWN, UP, Faults
from servers.mongod import ReplicaSet

MB = 1_000_000


class Echo:
    """A server that says back what it hears; ``heard``: how many bytes each of its connections brought."""

    def __init__(self) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self.heard: list[int] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._sock.accept()
                self.heard.append(0)
                threading.Thread(target=self._say_back, args=(connection, len(self.heard) - 1), daemon=True).start()

    def _say_back(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            while said := connection.recv(65_536):
                self.heard[number] += len(said)
                connection.sendall(said)

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def way(echo: Echo) -> Iterator[Faults]:
    with Faults("127.0.0.1", echo.port) as way:
        yield way


def connect(way: Faults, timeout_s: float = 5.0) -> socket.socket:
    return socket.create_connection((way.host, way.port), timeout_s)


def ask(connection: socket.socket, data: bytes) -> bytes:
    """Say it all, and hear as much."""

    def tell() -> None:
        with suppress(OSError):  # whoever listens says why
            connection.sendall(data)

    telling, heard = threading.Thread(target=tell), bytearray()
    telling.start()
    try:
        while len(heard) < len(data) and (more := connection.recv(65_536)):
            heard += more
    finally:
        telling.join()
    return bytes(heard)


def pour(connection: socket.socket) -> None:
    """Say more than is let through, and listen."""
    connection.sendall(bytes(10 * MB))
    connection.recv(1)


@contextmanager
def lasting(least_s: float, most_s: float) -> Generator[None]:
    begun = time.monotonic()
    yield
    assert least_s <= time.monotonic() - begun < most_s


def test_bytes_and_ends_pass_as_they_are(way: Faults, rng: random.Random) -> None:
    data = rng.randbytes(3 * MB)
    with connect(way) as client:
        assert ask(client, data) == data
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert way.connections == 1
    assert way.carried == {UP: len(data), DOWN: len(data)}


def test_latency_delays_both_ways_and_does_not_narrow_the_line(way: Faults) -> None:
    way.slow(latency_ms=100)
    with connect(way) as client:
        with lasting(0.2, 0.5):
            ask(client, b"?")
        with lasting(0.2, 2):
            ask(client, bytes(4 * MB))


def test_all_connections_share_a_slow_line(way: Faults) -> None:
    way.slow(bytes_per_s=MB)
    with connect(way) as one, connect(way) as two, lasting(0.55, 2):
        other = threading.Thread(target=ask, args=(one, bytes(300_000)))
        other.start()
        ask(two, bytes(300_000))
        other.join()


def test_a_cut_ends_what_is_open_by_a_reset_and_spares_what_comes(way: Faults) -> None:
    with connect(way) as client:
        ask(client, b"?")
        assert way.cut() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(way) as client:
        assert ask(client, b"?") == b"?"
    assert way.resets == 1


def test_a_cut_after_so_many_bytes_hits_as_many_connections_as_it_was_told(way: Faults, echo: Echo) -> None:
    way.cut_after(200_000, UP, times=2)
    for _ in range(2):
        with connect(way) as client, pytest.raises((ConnectionResetError, BrokenPipeError)):
            pour(client)
    with connect(way) as client:
        assert len(ask(client, bytes(MB))) == MB
    assert max(echo.heard[:2]) <= 200_000
    assert way.resets == 2


def test_an_answer_can_be_cut_in_its_middle(way: Faults) -> None:
    way.cut_after(5, DOWN)
    with connect(way) as client:
        client.sendall(b"0123456789")
        assert client.recv(5, socket.MSG_WAITALL) == b"01234"
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_half_open_is_silence_on_old_connections_and_new_and_old_ones_never_come_back(way: Faults) -> None:
    with connect(way) as old:
        ask(old, b"?")
        way.freeze()
        with connect(way) as new:
            for client in (old, new):
                client.settimeout(0.2)
                client.sendall(b"?")
                with pytest.raises(TimeoutError):
                    client.recv(1)
            way.heal()
            for client in (old, new):
                with pytest.raises(TimeoutError):
                    client.recv(1)
    with connect(way) as fresh:
        assert ask(fresh, b"?") == b"?"
    assert way.resets == 0


def test_who_is_refused_gets_in_again_at_the_same_port(way: Faults) -> None:
    with connect(way) as client:
        ask(client, b"?")
        way.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(way)
    way.heal()
    with connect(way) as client:
        assert ask(client, b"?") == b"?"


def test_a_database_behind_it_is_as_far_away_as_it_says(mongod: ReplicaSet) -> None:
    patience: dict[str, Any] = {"socketTimeoutMS": 500, "serverSelectionTimeoutMS": 2_000, "connectTimeoutMS": 500}
    with (
        Faults("127.0.0.1", mongod.members[0].port) as way,
        MongoClient[dict[str, Any]](f"{way.host}:{way.port}", directConnection=True, **patience) as client,
    ):
        assert client.admin.command("ping")["ok"] == 1
        way.slow(latency_ms=100)
        with lasting(0.2, 2):
            client.admin.command("ping")
        way.freeze()
        with pytest.raises(PyMongoError):
            client.admin.command("ping")
        way.heal()
        assert client.admin.command("ping")["ok"] == 1
