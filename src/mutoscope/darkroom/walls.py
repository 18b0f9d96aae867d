"""Which walls of the jail hold here: each is really tried, in a child of its own that is shut in like one that decodes.

`python -m mutoscope.darkroom.walls` writes the answer as JSON: what was tried, and whether it was refused.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping

from mutoscope.darkroom import jail, seccomp

_HELD = 42
_BOUNDS = jail.Bounds(cpu_s=1)


def _read_a_file() -> None:
    os.close(os.open("/etc/passwd", os.O_RDONLY))


def _write_a_file() -> None:
    os.close(os.open("/tmp", os.O_WRONLY | os.O_TMPFILE))  # noqa: S108  # to be refused


def _make_a_socket() -> None:
    socket.socket().close()


def _reach_the_network() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", 9))


def _run_a_program() -> None:
    os.execv(sys.executable, [sys.executable, "-c", ""])  # noqa: S606  # to be refused


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _signal_the_server() -> None:
    os.kill(os.getppid(), 0)


def _take_memory() -> None:
    bytearray(2 * _BOUNDS.memory_bytes)


def _take_time() -> None:
    while True:
        pass


def _write_much() -> None:
    # Made before the jail is closed: a child has its descriptors from outside.
    os.pwrite(_SHEET, b"x", _BOUNDS.output_bytes)


def _read_the_environment() -> None:
    if not os.environ:
        raise PermissionError


def _gain_privileges() -> None:
    get_no_new_privileges = 39
    if os.geteuid() != 0 and jail.libc.prctl(get_no_new_privileges, 0, 0, 0, 0) == 1:
        raise PermissionError


_SHEET = os.memfd_create("walls")

_WHOLE: Mapping[str, Callable[[], None]] = {
    "reading files": _read_a_file,
    "writing files": _write_a_file,
    "sockets": _make_a_socket,
    "running programs": _run_a_program,
    "new processes": _fork,
    "signals": _signal_the_server,
    "memory": _take_memory,
    "processor time": _take_time,
    "output": _write_much,
    "environment": _read_the_environment,
}
"""Tried behind all walls: what a file that takes over its decoder would do."""


def _shut_in() -> None:
    jail.enter(_BOUNDS, _PARENT)


def _nothing() -> None:
    """Only what the zygote has done for all of its children."""


def _landlock_alone() -> None:
    jail.landlock()


def _seccomp_alone() -> None:
    seccomp.apply(jail.libc)


_PARENT = os.getpid()

_SINGLE: Mapping[str, tuple[Callable[[], None], Callable[[], None]]] = {
    "network namespace": (_nothing, _reach_the_network),
    "no privileges": (_nothing, _gain_privileges),
    "landlock": (_landlock_alone, _read_a_file),
    "seccomp": (_seccomp_alone, _make_a_socket),
}
"""Tried one by one: the means, each of which another may hide."""


def held(shut: Callable[[], None], attempt: Callable[[], None]) -> bool:
    """Whether the attempt is refused in a child that has been shut in so."""
    pid = os.fork()
    if pid == 0:
        _try(shut, attempt)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGXCPU
    return os.WEXITSTATUS(status) == _HELD


def _try(shut: Callable[[], None], attempt: Callable[[], None]) -> None:
    try:
        shut()
        attempt()
    except (OSError, MemoryError):
        os._exit(_HELD)
    finally:
        os._exit(0)


def tried() -> Mapping[str, bool]:
    """Every wall by name, and whether it holds."""
    whole = {name: held(_shut_in, attempt) for name, attempt in _WHOLE.items()}
    return whole | {name: held(*pair) for name, pair in _SINGLE.items()}


def main() -> None:
    """Try, and say."""
    jail.isolate()
    print(json.dumps(tried()))


if __name__ == "__main__":
    main()
