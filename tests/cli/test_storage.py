"""A library moves to a bucket and back by the real command, also when that is killed in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import mutoscope
from servers.s3 import KEYS, S3Server, place_in


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of a bucket on an emulator."""
    server = S3Server("ministack", tmp_path_factory.mktemp("ministack"))
    place_in("ministack", server.endpoint, "library")
    key, secret = KEYS["ministack"]
    yield {
        "AWS_S3_BUCKET": "library", "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
    }  # fmt: skip
    server.stop()


def files(data: Path) -> set[str]:
    return {path.name for path in (data / "media").rglob("*.*") if path.is_file()}


def test_a_library_moves_to_the_bucket_and_back(tmp_path: Path, bucket: dict[str, str]) -> None:
    data = tmp_path / "data"
    assert mutoscope(data, "user", "create", "alice", "--role", "admin").code == 0
    assert mutoscope(data, "tokens", "grant", "alice", "100").code == 0
    made = mutoscope(data, "generate", "A lamp", "--model", "local/still", "--json").json
    before = files(data)
    assert before
    command = [sys.executable, "-c", "from mutoscope.cli import main; main()", "--data", str(data)]
    with subprocess.Popen([*command, "storage", "move", "folder", "bucket"], env=os.environ | bucket) as killed:
        killed.send_signal(signal.SIGKILL)
    moved = mutoscope(data, "storage", "move", "folder", "bucket", "--delete-source", "--json", environ=bucket).json
    assert (moved["missing"], moved["wrong"], moved["deleted"]) == (0, 0, len(before))
    assert files(data) == set()
    assert made["media"][0]["id"] in mutoscope(data, "media", "list", "lamp", environ=bucket).out
    back = mutoscope(data, "storage", "move", "bucket", "folder", "--delete-source", "--json", environ=bucket).json
    assert (back["copied"], back["deleted"]) == (len(before), len(before))
    assert files(data) == before


def test_a_move_without_a_bucket_says_what_is_missing(tmp_path: Path) -> None:
    refused = mutoscope(tmp_path / "data", "storage", "move", "folder", "bucket", "--json")
    assert (refused.code, "AWS_S3_BUCKET is missing" in refused.error["detail"]) == (3, True)
