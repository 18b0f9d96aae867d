"""The moves that make files survive a power cut."""

import errno
import os
import sys
from pathlib import Path

import pytest

import disks
import strace
from mutoscope.disk import make_folder, reason, write_file


def test_a_small_file_is_whole_or_not_there(tmp_path: Path) -> None:
    with disks.small_disk(tmp_path / "disk", "64k") as disk:
        path = disk / "manifest.json"
        write_file(path, b"old", replace=False)
        with pytest.raises(OSError, match="No space left"):
            write_file(path, b"x" * 100_000, replace=True)
        assert path.read_bytes() == b"old"
        assert os.listdir(disk) == ["manifest.json"]


def test_a_file_that_must_be_new_never_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_file(path, b"first", replace=False)
    with pytest.raises(FileExistsError):
        write_file(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["key"]
    write_file(path, b"third", replace=True)
    assert path.read_bytes() == b"third"
    assert path.stat().st_mode & 0o777 == 0o600


def test_folders_are_made_for_this_account_alone_and_those_that_stand_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c")] == [
        0o755, 0o700, 0o700,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permissions"),
        (errno.ELOOP, "link"),
        (errno.EFBIG, "File too large"),
    ],
)
def test_a_reason_says_what_is_wrong_and_names_no_path(number: int, word: str) -> None:
    said = reason(OSError(number, os.strerror(number), "/srv/private/path"))
    assert word in said
    assert "/srv" not in said


@pytest.mark.parametrize("replace", [True, False])
def test_a_small_file_gets_its_name_when_it_is_on_the_disk(tmp_path: Path, replace: bool) -> None:
    script = f"from pathlib import Path; from mutoscope.disk import write_file; write_file(Path({str(tmp_path / 'key')!r}), b'x', replace={replace})"
    calls = strace.trace([sys.executable, "-c", script], tmp_path / "trace")
    part = r"/\.key\.[0-9a-f]+\.part"
    synced = strace.after(calls, strace.SYNCS, part, strace.last(calls, strace.WRITES, part))
    placed = strace.after(calls, strace.NAMES, part, synced)
    strace.after(calls, strace.SYNCS, rf"<{tmp_path}>", placed)
