"""The reader of strace's log, as the order of calls is only as true as it."""

import pytest

import strace

LOG = """\
101 write(4</data/a.part>, ""..., 10) = 10
102 fsync(5</data/b.part> <unfinished ...>
101 fsync(4</data/a.part>)           = 0
102 <... fsync resumed>)              = 0
101 renameat(3</data>, "a.part", 6</data/videos>, "a") = -1 ENOENT (No such file or directory)
101 renameat(3</data>, "a.part", 6</data/videos>, "a") = 0
102 +++ exited with 0 +++
"""


def test_calls_count_where_they_ended_and_failed_ones_do_not_count() -> None:
    calls = strace.parse(LOG)
    assert [call.name for call in calls] == ["write", "fsync", "fsync", "renameat"]
    assert strace.after(calls, strace.SYNCS, "a.part") == 1
    assert strace.after(calls, strace.SYNCS, "b.part") == 2
    assert strace.after(calls, strace.RENAMES, "videos", 2) == 3
    assert strace.last(calls, strace.SYNCS, "part>") == 2


def test_a_call_that_came_too_early_is_not_found() -> None:
    calls = strace.parse(LOG)
    with pytest.raises(AssertionError, match="no fdatasync/fsync of"):
        strace.after(calls, strace.SYNCS, "a.part", 2)
