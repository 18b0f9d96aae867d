"""From the provider's bytes to the gallery, on the disk: each step is durable before the next one counts on it."""

import re
import sys
from pathlib import Path

import strace
from cli.command import environment, mutoscope, warm

LOG_OF_THE_DATABASE = r"mutoscope\.db-wal>"


def test_a_master_is_on_the_disk_with_its_name_before_the_commit_that_publishes_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with warm():
        assert mutoscope(data, "user", "create", "alice", "--role", "admin").code == 0
        assert mutoscope(data, "tokens", "grant", "alice", "10").code == 0
    order = ["generate", "A lamp", "--model", "local/still", "--set", "size=1280x720", "--json"]
    command = [sys.executable, "-m", "mutoscope", "--data", str(data), *order]
    calls = strace.trace(command, tmp_path / "trace", environment(None))
    told = strace.last(calls, strace.WRITES, r"^1<")

    spooled = strace.after(calls, strace.RENAMES, r"/spool/gen_\w+")
    part = re.search(r'"[^"]*?(\d+\.\d+)\.part"', calls[spooled].arguments)
    assert part is not None
    in_spool = rf"/spool/gen_\w+/{re.escape(part[1])}\.part>"
    flushed = strace.after(calls, strace.SYNCS, in_spool, strace.last(calls, strace.WRITES, in_spool))
    assert flushed < spooled
    kept = strace.after(calls, strace.SYNCS, r"/spool/gen_\w+>", spooled)

    placed = strace.after(calls, strace.RENAMES, r'/media/images/med_\w+>.*"master\.png"', kept)
    incoming = re.search(r'"(\w+\.part)"', calls[placed].arguments)
    assert incoming is not None
    flushed = strace.after(calls, strace.SYNCS, incoming[1], strace.last(calls, strace.WRITES, incoming[1]))
    assert kept < flushed < placed
    named = strace.after(calls, strace.SYNCS, r"/media/images/med_\w+>", placed)
    every_file = strace.last(calls, strace.SYNCS, r"/media/images>")
    assert named < every_file
    published = strace.after(calls, strace.SYNCS, LOG_OF_THE_DATABASE, every_file)
    assert published < told, "the person is told after the commit"
