"""What keeps a studio from being opened: one sentence that says what to do, exit code 3, no traceback."""

import json
import os
import signal
import socket
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from cli.command import Server, mutoscope
from disks import make_read_only, small_disk

KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}
WEAK = {"JWT_SECRET": "secret"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a studio that was opened before."""
    folder = tmp_path_factory.mktemp("closed") / "data"
    assert mutoscope(folder, "user", "create", "alice", "--role", "admin").code == 0
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio in a folder whose name is longer than a socket's may be."""
    folder = tmp_path_factory.mktemp("running") / ("a" * 60) / ("b" * 60)
    with Server(folder) as server:
        yield server


def stays_shut(data: Path, *, says: str, **environ: str) -> None:
    ran = mutoscope(data, "serve", environ=environ)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("mutoscope: ")
    assert says in ran.err


def test_half_a_key_pair_is_named(data: Path) -> None:
    stays_shut(data, says="AWS_SECRET_ACCESS_KEY is missing", **KEY)


def test_a_weak_secret_is_refused_and_not_repeated(data: Path) -> None:
    stays_shut(data, says="JWT_SECRET is shorter than 32 bytes", **WEAK)


@pytest.mark.parametrize("name", ["catalogue.toml", "categories.toml"])
def test_a_broken_file_of_the_operators_is_named(data: Path, name: str) -> None:
    (data / name).write_text("[[model]\n")
    try:
        stays_shut(data, says=str(data / name))
    finally:
        (data / name).unlink()


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mutoscope.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    stays_shut(tmp_path, says="was written by a newer release of Mutoscope")


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stays_shut(tmp_path / "file" / "data", says=f"The data folder {tmp_path / 'file' / 'data'} cannot be")


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        make_read_only(disk)
        stays_shut(disk, says="cannot be written by this account")


def test_a_port_that_is_taken_is_named(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        stays_shut(data, says=f"Cannot listen on 127.0.0.1 port {port}", MUTOSCOPE_PORT=port)


def test_a_second_studio_on_the_same_folder_names_the_process_that_has_it(running: Server) -> None:
    owner = f"belongs to the running process {running.process.pid}"
    stays_shut(running.data, says=owner)
    # Also where both would take the same port, which is what happens with two plain `mutoscope serve`.
    stays_shut(running.data, says=owner, MUTOSCOPE_PORT=running.base_url.rpartition(":")[2])


def test_commands_go_through_the_socket_of_the_running_studio_also_at_the_end_of_a_long_path(running: Server) -> None:
    assert len(os.fsencode(running.data / "operator.sock")) > 107
    assert stat.S_IMODE((running.data / "operator.sock").stat().st_mode) == 0o600
    made = mutoscope(running.data, "user", "create", "alice", "--role", "admin", "--json").json
    credentials = {"name": "alice", "password": made["password"]}
    signed_in = httpx2.post(f"{running.base_url}/api/auth/token", json=credentials)
    assert signed_in.is_success, signed_in.text


def test_a_socket_that_others_may_open_is_not_used(data: Path) -> None:
    path = data / "operator.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        path.chmod(0o666)
        try:
            ran = mutoscope(data, "doctor", "--ledger", "--json")
        finally:
            path.unlink()
    assert ran.code == 3
    assert "others could listen" in ran.out


def test_a_socket_left_by_a_kill_is_in_nobodys_way(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        server.stop(signal.SIGKILL)
        assert (data / "operator.sock").is_socket()
        assert mutoscope(data, "doctor", "--ledger", "--json").json[0]["good"]
    with Server(data) as server:
        assert server.get("/healthz").is_success


@pytest.mark.parametrize(("environ", "broken"), [(KEY, "settings"), (WEAK, "studio")])
def test_the_doctor_says_what_it_can_of_a_studio_that_cannot_be_opened(
    data: Path, environ: dict[str, str], broken: str
) -> None:
    ran = mutoscope(data, "doctor", "--json", environ=environ)
    assert ran.code == 3
    findings = json.loads(ran.out)
    assert findings[0]["part"] == "settings"
    assert [finding["part"] for finding in findings if not finding["good"]] == [broken]
    assert all(finding["remedy"] for finding in findings if not finding["good"])
