"""`mutoscope doctor`: every part tried, and then what a person would do, with nothing left of it."""

import json
import os
import re
import secrets
import signal
import sqlite3
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.command import PATIENCE_S, Ran, Server, command, environment, mutoscope
from disks import make_read_only, make_writable, small_disk
from mutoscope.blobs.s3 import open_s3
from mutoscope.domain.ids import SystemClock
from servers.mongod import ReplicaSet
from servers.s3 import KEYS, S3Server, free_port, place_in

ITEM = re.compile(r"med_[0-9a-z]{26}")
STEPS = ["person", "tokens", "picture", "film", "bytes", "bytes", "gallery", "ledger", "clean-up"]
ALL = ("doctor", "--end-to-end")
SLOW_FILM = """
[[model]]
id = "local/drift"
enabled = false

[[model]]
id = "local/dream"
parameters.size = { label = "Size", type = "choice", default = "1280x720", choices = ["1280x720"] }
parameters.duration_s = { label = "Duration", type = "integer", default = 10, minimum = 10, maximum = 10 }
parameters.motion_strength = { label = "Strength", type = "integer", default = 50, minimum = 1, maximum = 100 }
"""
NO_FILM = """
[[model]]
id = "local/drift"
upstream = "no such thing"

[[model]]
id = "local/dream"
enabled = false
"""
PAID = """
[[model]]
id = "local/still"
cost_micro_usd = 40_000
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An emulator of S3."""
    server = S3Server("ministack", tmp_path_factory.mktemp("ministack"))
    yield server
    server.stop()


def settings_of(server: S3Server, bucket: str) -> dict[str, str]:
    key, secret = KEYS["ministack"]
    return {
        "AWS_S3_BUCKET": bucket, "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
    }  # fmt: skip


def bucket(server: S3Server, name: str) -> dict[str, str]:
    """The settings of a bucket that is there."""
    place_in("ministack", server.endpoint, name)
    return settings_of(server, name)


async def objects(server: S3Server, name: str) -> list[str]:
    return [info.key async for info in open_s3(place_in("ministack", server.endpoint, name), SystemClock()).list("")]


def files(data: Path) -> list[str]:
    """Everything of media that is on the disk: kept, on its way, or being drawn."""
    return [path.name for part in ("media", "spool", "local") for path in (data / part).rglob("*") if path.is_file()]


def steps(ran: Ran) -> list[dict[str, Any]]:
    """What came after the parts, whose last is the clock."""
    findings = json.loads(ran.out)
    return findings[[finding["part"] for finding in findings].index("clock") + 1 :]


def went_well(ran: Ran) -> str:
    """All that the steps said."""
    found = steps(ran)
    assert [step["part"] for step in found] == STEPS, found
    assert all(step["good"] for step in found), found
    return " ".join(step["says"] for step in found)


def is_clean(data: Path, environ: dict[str, str] | None = None) -> None:
    """Nobody finds anything, nothing is kept of it, and every balance is the sum of its entries."""
    assert files(data) == []
    assert mutoscope(data, "media", "list", "--json", environ=environ).json["items"] == []
    assert mutoscope(data, "doctor", "--ledger", "--json", environ=environ).json[0]["good"]


@pytest.fixture(scope="module", params=["running", "closed"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a studio that carol administers."""
    folder = tmp_path_factory.mktemp(request.param) / "data"
    if request.param == "closed":
        assert mutoscope(folder, "user", "create", "carol", "--role", "admin").code == 0
        yield folder
        return
    with Server(folder):
        assert mutoscope(folder, "user", "create", "carol", "--role", "admin").code == 0
        yield folder


def test_it_does_what_a_person_would_as_often_as_it_is_asked_and_leaves_nothing_to_see(
    data: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        said = went_well(mutoscope(data, *ALL, "--json"))
        assert "registered, signed in" in said
        assert "local/still" in said
        assert "local/drift from the picture" in said
        is_clean(data)
    saved = mutoscope(data, "backup", str(tmp_path / "copy"), "--verify", "--json").json
    assert saved["verified"]["wrong"] == []


def test_what_stays_of_it_is_shut_and_empty_and_in_nobodys_way(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        password = mutoscope(data, "user", "create", "carol", "--role", "admin", "--json").json["password"]
        said = went_well(mutoscope(data, *ALL, "--json"))
        name, picture = said.split()[0], ITEM.findall(said)[0]
        answer = httpx2.post(f"{server.base_url}/api/auth/token", json={"name": "carol", "password": password})
        as_carol = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        item = server.get(f"/api/media/{picture}", headers=as_carol).json()
        assert (item["uploader"], item["visibility"], item["urls"]) == (name, "private", {})
        assert item["trashed_at"] is not None
        assert server.get(f"/m/{picture}", headers=as_carol | {"Accept": "text/html"}).status_code == 200
        source = {"model": "local/drift", "source_media": picture}
        assert httpx2.post(f"{server.base_url}/api/generations", json=source, headers=as_carol).status_code == 404
        assert server.get(f"/api/media/{picture}").status_code == 404
        with_their_tokens = mutoscope(data, "generate", "x", "--as", name, "--json")
        assert (with_their_tokens.code, with_their_tokens.error["code"]) == (1, "sign_in_needed")


def test_people_see_each_step_as_it_comes_and_programs_all_of_them(data: Path) -> None:
    ran = mutoscope(data, *ALL)
    lines = [line for line in ran.out.splitlines() if not line.startswith("      ")]
    assert all(line.startswith(("ok    ", "FAIL  ")) for line in lines)
    assert [line[6:].partition(":")[0] for line in lines][-len(STEPS) :] == STEPS


def test_where_people_cannot_register_the_operator_makes_the_account(tmp_path: Path) -> None:
    said = went_well(mutoscope(tmp_path / "data", *ALL, "--json", environ={"MUTOSCOPE_REGISTRATION": "closed"}))
    assert "made by the operator" in said


def test_only_the_tokens_that_are_needed_are_granted_and_all_are_taken_back(tmp_path: Path) -> None:
    said = went_well(mutoscope(tmp_path / "data", *ALL, "--json", environ={"MUTOSCOPE_SIGN_UP_GRANT": "0"}))
    assert "2 needed, 2 there" in said
    assert "0 tokens taken back" in said


@pytest.mark.parametrize("delivery", ["bucket", "studio"])
async def test_with_a_bucket_the_bytes_come_back_from_it_and_nothing_stays_in_it(
    tmp_path: Path, server: S3Server, delivery: str
) -> None:
    environ = bucket(server, f"trial-{delivery}") | {"MUTOSCOPE_DELIVERY": delivery}
    data = tmp_path / "data"
    with Server(data, environ=environ):
        mutoscope(data, "user", "create", "carol", "--role", "admin", environ=environ)
        ran = mutoscope(data, *ALL, "--json", environ=environ)
        went_well(ran)
        by_part = {finding["part"]: finding for finding in json.loads(ran.out)[: -len(STEPS)]}
        assert "put, got, opened by a signed address and deleted" in by_part["media"]["says"]
        assert "the bucket's is 0 s" in by_part["clock"]["says"] or "the bucket's is 1 s" in by_part["clock"]["says"]
        assert f"trial-{delivery} (AWS_S3_BUCKET)" in by_part["settings"]["says"]
        is_clean(data, environ)
    assert await objects(server, f"trial-{delivery}") == []


def test_on_mongodb_it_is_the_same(tmp_path: Path, mongod: ReplicaSet) -> None:
    environ = {"MONGODB_URI": mongod.uri("doctor"), "JWT_SECRET": secrets.token_hex(32)}
    data = tmp_path / "data"
    assert mutoscope(data, "user", "create", "carol", "--role", "admin", environ=environ).code == 0
    ran = mutoscope(data, *ALL, "--json", environ=environ)
    went_well(ran)
    by_part = {finding["part"]: finding["says"] for finding in json.loads(ran.out)[: -len(STEPS)]}
    assert by_part["database"].startswith("MongoDB 6.")
    assert "the database's is " in by_part["clock"]
    assert "records in MongoDB (MONGODB_URI)" in by_part["settings"]
    assert environ["MONGODB_URI"] not in ran.out
    is_clean(data, environ)


def test_without_a_bucket_that_works_nothing_is_made(tmp_path: Path, server: S3Server) -> None:
    environ, data = settings_of(server, "not-there"), tmp_path / "data"
    ran = mutoscope(data, *ALL, "--json", environ=environ)
    assert ran.code == 1
    bad = [finding for finding in json.loads(ran.out) if not finding["good"] and finding["part"] != "jail"]
    assert [(finding["part"], "There is no bucket of that name" in finding["says"]) for finding in bad] == [
        ("media", True)
    ]
    assert steps(ran) == []
    database = next(finding for finding in json.loads(ran.out) if finding["part"] == "database")
    assert ": written and read back; 0 people, 0 jobs, 0 items" in database["says"]


def test_a_key_that_is_wrong_for_the_bucket_is_named_and_not_repeated(tmp_path: Path, server: S3Server) -> None:
    environ = bucket(server, "guarded") | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    environ |= {
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-is-not-said",
        "JWT_SECRET": "0f1e2d3c4b5a69788796a5b4c3d2e1f0af",
    }
    ran = mutoscope(tmp_path / "data", "doctor", "--json", environ=environ)
    assert ran.code == 1
    media = next(finding for finding in json.loads(ran.out) if finding["part"] == "media")
    assert "does not answer" in media["says"]
    assert "tokens signed by JWT_SECRET" in json.loads(ran.out)[0]["says"]
    for secret in ("a-secret", "0f1e2d"):
        assert secret not in ran.out + ran.err


def test_a_step_that_fails_is_named_and_what_came_before_it_is_cleaned_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert mutoscope(data, "user", "create", "carol", "--role", "admin").code == 0
    (data / "catalogue.toml").write_text(NO_FILM)
    ran = mutoscope(data, *ALL, "--json")
    assert ran.code == 1
    assert [(step["part"], step["good"]) for step in steps(ran)] == [
        ("person", True), ("tokens", True), ("picture", True), ("film", False), ("clean-up", True),
    ]  # fmt: skip
    assert steps(ran)[3]["says"].startswith("local/drift: ")
    assert steps(ran)[3]["remedy"]
    is_clean(data)


@pytest.mark.parametrize(
    ("stdin", "arguments", "done"), [("", (), False), ("n\n", (), False), ("y\n", (), True), ("", ("--yes",), True)]
)
def test_what_costs_money_is_asked_about_first(
    tmp_path: Path, stdin: str, arguments: tuple[str, ...], done: bool
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalogue.toml").write_text(PAID)
    ran = mutoscope(tmp_path / "data", *ALL, *arguments, "--json", stdin=stdin)
    assert ("local/still costs about 0.040 US dollars" in ran.err) is (not arguments)
    if done:
        went_well(ran)
        return
    assert (ran.code, [(step["part"], step["good"]) for step in steps(ran)]) == (1, [("end to end", False)])
    assert "local/still costs about 0.040 US dollars" in steps(ran)[0]["says"]
    assert "0 people" in mutoscope(tmp_path / "data", "doctor").out


@contextmanager
def rehearsing(data: Path) -> Generator["subprocess.Popen[str]"]:
    """The command in a terminal of its own, whose Ctrl-C reaches all that it has started; the picture is made."""
    with subprocess.Popen(
        command(data, *ALL),
        env=environment(None) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line[6:].startswith("picture:"):
                assert line.startswith("ok "), line
                break
        yield process


def interrupted(process: "subprocess.Popen[str]") -> str:
    """Ctrl-C; the rest of what it says."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    return out


@contextmanager
def nothing_is_written(data: Path) -> Generator[None]:
    """Hold the lock for which whoever changes the database waits."""
    with closing(sqlite3.connect(data / "mutoscope.db", timeout=PATIENCE_S, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("runs", [True, False], ids=["running", "closed"])
def test_interrupted_it_stops_what_it_ordered_and_cleans_up(tmp_path: Path, runs: bool) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "catalogue.toml").write_text(SLOW_FILM)
    assert mutoscope(data, "user", "create", "carol", "--role", "admin").code == 0
    with Server(data) if runs else nullcontext():
        with rehearsing(data) as process:
            time.sleep(1)  # into the film
            out = interrupted(process)
        assert out.startswith("ok    clean-up: doctor-"), out
        assert "1 items emptied, 5 objects removed" in out
        is_clean(data)


def test_interrupted_twice_it_leaves_the_rest_to_the_command_that_it_names(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "catalogue.toml").write_text(SLOW_FILM)
    assert mutoscope(data, "user", "create", "carol", "--role", "admin").code == 0
    with rehearsing(data) as process:
        time.sleep(1)  # into the film
        with nothing_is_written(data):  # or it may be clean before it is interrupted again
            os.killpg(process.pid, signal.SIGINT)
            assert process.stderr is not None
            said = process.stderr.readline()
            assert interrupted(process) == ""
    again = re.search(r"`mutoscope (doctor) (--clean-up) (doctor-[0-9a-f]{16})` does it later", said)
    assert again is not None, said
    assert mutoscope(data, *again.groups()).code == 0
    is_clean(data)


def test_an_address_at_which_nobody_reaches_the_studio_is_found(tmp_path: Path) -> None:
    data, environ = tmp_path / "data", {"MUTOSCOPE_BASE_URL": f"http://127.0.0.1:{free_port()}"}
    with Server(data, environ=environ):
        assert mutoscope(data, "user", "create", "carol", "--role", "admin").code == 0
        ran = mutoscope(data, *ALL, "--json")
        assert ran.code == 1
        *_, read, cleaned = steps(ran)
        assert (read["part"], read["says"]) == ("bytes", "127.0.0.1 does not answer from this machine.")
        assert "MUTOSCOPE_BASE_URL" in read["remedy"]
        assert (cleaned["part"], cleaned["good"]) == ("clean-up", True)
        is_clean(data)


def test_what_could_not_be_cleaned_up_is_named_and_goes_by_a_command_of_its_own(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "catalogue.toml").write_text(SLOW_FILM)
    with small_disk(data / "media", "64m") as disk, Server(data):
        assert mutoscope(data, "user", "create", "carol", "--role", "admin").code == 0
        with rehearsing(data) as process:
            make_read_only(disk)
            out = interrupted(process)
        assert out.startswith("FAIL  clean-up: "), out
        again = re.search(r"`mutoscope (doctor) (--clean-up) (doctor-[0-9a-f]{16})`", out)
        assert again is not None, out
        assert files(data)
        make_writable(disk)
        ran = mutoscope(data, *again.groups())
        assert (ran.code, ran.out.startswith("ok    clean-up: ")) == (0, True), ran
        is_clean(data)
        # Once more is harmless.
        assert "0 objects removed" in mutoscope(data, *again.groups()).out


def test_nobody_elses_things_are_cleaned_up(data: Path) -> None:
    def refused(name: str) -> str:
        ran = mutoscope(data, "doctor", "--clean-up", name, "--json")
        assert (ran.code, ran.out) == (1, "")
        return ran.error["code"]

    assert refused("carol") == "invalid"
    assert refused("doctor-who") == "invalid"
    assert refused("doctor-0123456789abcdef") == "not_found"
    assert mutoscope(data, "tokens", "grant", "carol", "1").code == 0


def test_each_way_to_ask_is_for_itself(tmp_path: Path) -> None:
    ran = mutoscope(tmp_path / "data", "doctor", "--ledger", "--end-to-end")
    assert (ran.code, "each for themselves" in ran.err) == (2, True)
    assert not (tmp_path / "data").exists()
