"""The walls around a child that decodes one file. Each is put up where the kernel has it; `walls.py` tries them all."""

import ctypes
import os
import platform
import resource
import signal
import struct

import msgspec

from mutoscope.darkroom import seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
"""The same numbers on every architecture."""
_LANDLOCK_MACHINES = frozenset({"x86_64", "aarch64", "riscv64", "ppc64le", "s390x"})
_NOBODY = 65534

_LANDLOCK_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version of Landlock knows (linux/landlock.h); later ones know as many as version 5."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What one child may use; the wall time is kept by the server, which kills."""

    memory_bytes: int = 1 << 30
    """Of address space. 192 MB is too little for the stacks of the decoders' threads."""
    cpu_s: int = 300
    output_bytes: int = 64 << 20
    """Of each file that it writes."""
    descriptors: int = 64


libc = ctypes.CDLL(None, use_errno=True)


def isolate() -> bool:
    """Leave the network, and root, once for the zygote and all its children. Says whether the network is gone."""
    root = os.geteuid() == 0
    alone = libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    if root:
        _become_nobody()
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return alone


def _become_nobody() -> None:
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        # A container without the right to change ids; the other walls stand all the same.
        return


def enter(bounds: Bounds, parent: int) -> None:
    """Close the jail around this process, for good. Must come before any thread and any byte of the file."""
    _die_with(parent)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.environ.clear()
    limit(bounds)
    landlock()
    seccomp.apply(libc)


def _die_with(parent: int) -> None:
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit(bounds: Bounds) -> None:
    """Limits on address space, CPU time, the size of each file written, descriptors and core dumps."""
    for what, most, slack in (
        (resource.RLIMIT_AS, bounds.memory_bytes, 0),
        # SIGXCPU first, which says why; at the hard limit comes SIGKILL, which does not.
        (resource.RLIMIT_CPU, bounds.cpu_s, 2),
        (resource.RLIMIT_FSIZE, bounds.output_bytes, 0),
        (resource.RLIMIT_NOFILE, bounds.descriptors, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        hard = resource.getrlimit(what)[1]
        ceiling = most + slack if hard == resource.RLIM_INFINITY else min(most + slack, hard)
        resource.setrlimit(what, (min(most, ceiling), ceiling))


def landlock() -> bool:
    """Give up every right on files, TCP and other processes. Says whether the kernel took it."""
    if platform.machine() not in _LANDLOCK_MACHINES:
        return False
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = (1 << _LANDLOCK_FILES[min(version, 5)]) - 1
    network, scope = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    rules = struct.pack("QQQ", files, network, scope)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return False
    try:
        return libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)
