"""What a program asked of the kernel, in which order: SIGKILL does not test fsync, the order of calls does.

calls = trace([sys.executable, "child.py"], tmp_path / "trace")
written = after(calls, WRITES, "x.part")
synced = after(calls, SYNCS, "x.part", written)
...
after(calls, SYNCS, "mutoscope.db-wal", synced)      # COMMIT came after
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile", "ftruncate"})
SYNCS = frozenset({"fsync", "fdatasync"})
BEGUN_SYNCS = frozenset({"sync_file_range"})
RENAMES = frozenset({"rename", "renameat", "renameat2"})
NAMES = RENAMES | {"link", "linkat"}
_TRACED = ",".join(sorted(WRITES | SYNCS | BEGUN_SYNCS | NAMES))

_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_UNFINISHED = re.compile(r"(?P<begun>\w+\(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?).*")


class Call(NamedTuple):
    """One call. ``arguments`` is strace's text: descriptors carry their paths, such as ``5</data/media/.incoming>``."""

    name: str
    arguments: str
    result: int


def trace(command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> list[Call]:
    """Run a command to its good end under strace; its successful writes, syncs and renames, in the order they ended."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace: asserts the order of writes, syncs and renames")
    strace = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={_TRACED}", "-o", str(log)]
    done = subprocess.run(
        [*strace, *command], capture_output=True, text=True, timeout=90, env={**os.environ, **(environ or {})}
    )
    if "Operation not permitted" in done.stderr and "ptrace" in done.stderr.casefold():
        pytest.skip("needs the right to ptrace: asserts the order of writes, syncs and renames")
    assert done.returncode == 0, done.stderr
    return parse(log.read_text())


def parse(text: str) -> list[Call]:
    """strace's log as calls; one that another thread interrupted counts where it ended. Failed calls are left out."""
    begun: dict[str, str] = {}
    calls: list[Call] = []
    for line in text.splitlines():
        said = _LINE.fullmatch(line)
        if said is None:
            continue
        pid, rest = said["pid"], said["rest"]
        if unfinished := _UNFINISHED.fullmatch(rest):
            begun[pid] = unfinished["begun"]
            continue
        if resumed := _RESUMED.fullmatch(rest):
            rest = begun.pop(pid, "") + resumed["rest"]
        call = _CALL.fullmatch(rest)
        if call is not None and call["result"] != "?" and int(call["result"]) >= 0:
            calls.append(Call(call["name"], call["arguments"], int(call["result"])))
    return calls


def after(calls: Sequence[Call], names: frozenset[str], mentions: str, earlier: int = -1) -> int:
    """Where the first call of these names after ``earlier`` is whose arguments have a match of ``mentions``; or fails."""
    for index in range(earlier + 1, len(calls)):
        if calls[index].name in names and re.search(mentions, calls[index].arguments):
            return index
    told = "\n".join(f"{i}: {call.name}({call.arguments}) = {call.result}" for i, call in enumerate(calls))
    raise AssertionError(f"no {'/'.join(sorted(names))} of {mentions!r} after call {earlier} in:\n{told}")


def last(calls: Sequence[Call], names: frozenset[str], mentions: str) -> int:
    """Where the last such call is; or fails."""
    found = after(calls, names, mentions)
    for index in range(found, len(calls)):
        if calls[index].name in names and re.search(mentions, calls[index].arguments):
            found = index
    return found
