"""`mutoscope serve` from its first line to its last."""

import signal
import socket
import subprocess
from pathlib import Path

import httpx2
import psutil
import pytest

from cli.command import Server, command, environment, eventually, mutoscope

FILM = ("generate", "Rain", "--model", "local/dream", "--set", "duration_s=10", "--no-wait", "--json")


def answers(server: Server) -> bool:
    host, _, port = server.base_url.removeprefix("http://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_order_with_streams_open_and_films_being_made(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        mutoscope(data, "user", "create", "alice", "--role", "admin")
        mutoscope(data, "tokens", "grant", "alice", "100")
        job = mutoscope(data, *FILM).json
        eventually(lambda: any("render" in " ".join(child.cmdline()) for child in server.family()), "a film is made")
        family = server.family()
        with httpx2.stream("GET", f"{server.base_url}/api/events", timeout=30) as events:
            lines = events.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: hello"
            assert server.stop(number) == code
            assert not [line for line in lines if line.startswith("event: error")]
        assert not (data / "operator.sock").exists()
        assert not psutil.wait_procs(family, timeout=10)[1], "a child outlived the studio"
        assert "error" not in server.log.read_text()
    stands = mutoscope(data, "doctor", "--ledger", "--json").json
    assert stands[0]["good"]
    again = mutoscope(data, *FILM[:-2], "--json", "--key", "x", "--no-wait").json
    assert again["id"] != job["id"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        host, _, port = server.base_url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            slow.sendall(
                b"POST /api/auth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            eventually(lambda: len(psutil.Process(server.process.pid).net_connections("tcp")) > 1, "it has the request")
            server.process.send_signal(signal.SIGINT)
            eventually(lambda: not answers(server), "it takes nobody in any more")
            assert server.stop(signal.SIGINT) == 130
        # Not the orderly way, which takes its socket with it, and which would have waited for the request.
        assert (data / "operator.sock").exists()
    with Server(data) as server:
        assert server.get("/healthz").is_success


def test_the_set_up_link_is_printed_until_there_is_an_administrator(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        assert server.set_up is not None
        assert server.set_up.startswith(f"{server.base_url}/set-up?secret=")
        mutoscope(data, "user", "create", "alice", "--role", "admin")
    with Server(data) as server:
        assert server.set_up is None


def test_the_log_has_what_was_refused_and_not_what_went_well(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        assert server.get("/healthz").is_success
        assert server.get("/media/nothing/master", params={"s": "a-signature"}).status_code == 404
        eventually(lambda: "/media/nothing" in server.log.read_text(), "the refusal is in the log")
        assert "/healthz" not in server.log.read_text()
        assert "a-signature" not in server.log.read_text()


def test_whoever_stops_waiting_leaves_the_job_to_the_studio(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        mutoscope(data, "user", "create", "alice", "--role", "admin")
        mutoscope(data, "tokens", "grant", "alice", "100")
        waiting = subprocess.Popen(
            command(data, "generate", "Rain", "--model", "local/dream", "--set", "size=640x360", "--key", "rain"),
            env=environment(None),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: any("render" in " ".join(child.cmdline()) for child in server.family()), "a film is made")
        waiting.send_signal(signal.SIGINT)
        assert (waiting.communicate(timeout=60), waiting.returncode) == (("", ""), 130)
        order = ("generate", "Rain", "--model", "local/dream", "--set", "size=640x360", "--key", "rain", "--json")
        assert mutoscope(data, *order).json["status"] == "succeeded"
        assert len(mutoscope(data, "media", "list", "kind:video", "--json").json["items"]) == 1
