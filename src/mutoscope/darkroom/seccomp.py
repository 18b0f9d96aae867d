"""The system calls that the jail leaves: what reads, writes and computes on descriptors that are already open.

Everything else (open, socket, exec, fork, kill, ptrace ...) answers EPERM. Numbers are from the kernel's own tables
(arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h); on another machine the filter is absent.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Mapping

_X86_64: Mapping[str, int] = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
    "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "pwrite64": 18,
    "readv": 19, "writev": 20, "sched_yield": 24, "mremap": 25, "madvise": 28, "dup": 32, "nanosleep": 35,
    "getpid": 39, "clone": 56, "exit": 60, "fcntl": 72, "ftruncate": 77, "gettimeofday": 96, "getrusage": 98,
    "sysinfo": 99, "sigaltstack": 131, "gettid": 186, "futex": 202, "sched_getaffinity": 204,
    "set_tid_address": 218, "restart_syscall": 219, "fadvise64": 221, "clock_gettime": 228, "clock_getres": 229,
    "clock_nanosleep": 230, "exit_group": 231, "newfstatat": 262, "ppoll": 271, "set_robust_list": 273,
    "eventfd2": 290, "prlimit64": 302, "getrandom": 318, "membarrier": 324, "rseq": 334, "clone3": 435,
}  # fmt: skip
_AARCH64: Mapping[str, int] = {
    "eventfd2": 19, "dup": 23, "fcntl": 25, "ftruncate": 46, "close": 57, "lseek": 62, "read": 63, "write": 64,
    "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68, "ppoll": 73, "newfstatat": 79, "fstat": 80, "exit": 93,
    "exit_group": 94, "set_tid_address": 96, "futex": 98, "set_robust_list": 99, "nanosleep": 101,
    "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
    "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
    "getrusage": 165, "gettimeofday": 169, "getpid": 172, "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215,
    "mremap": 216, "clone": 220, "mmap": 222, "fadvise64": 223, "mprotect": 226, "madvise": 233, "prlimit64": 261,
    "getrandom": 278, "membarrier": 283, "rseq": 293, "clone3": 435,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
"""AUDIT_ARCH of linux/audit.h, and the table."""

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_CLONE_THREAD, _AT_EMPTY_PATH = 0x00010000, 0x1000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _argument(index: int) -> int:
    return _ARGUMENTS_AT + 8 * index


def _only_if(number: int, argument: int, test: _Instruction) -> list[_Instruction]:
    """Allow a call when the low half of an argument passes the test, which has its jumps set; refuse it otherwise."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _argument(argument)),
        test,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]


def _instructions(arch: int, calls: Mapping[str, int]) -> list[_Instruction]:
    special = {"clone", "clone3", "newfstatat", "prlimit64"}
    program = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    # Threads yes, processes no. The flags of clone3 are out of the filter's sight: glibc falls back to clone.
    program += [(_EQUAL, 0, 1, calls["clone3"]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for name, number in calls.items():
        if name not in special:
            program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    program += _only_if(calls["clone"], 0, (_ANY_BIT, 0, 1, _CLONE_THREAD))
    program += _only_if(calls["newfstatat"], 3, (_ANY_BIT, 0, 1, _AT_EMPTY_PATH))
    program += _only_if(calls["prlimit64"], 0, (_EQUAL, 0, 1, 0))
    return [*program, (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


def apply(libc: ctypes.CDLL) -> bool:
    """Put the filter on this process, for good. Needs PR_SET_NO_NEW_PRIVS. Says whether it holds."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    program = _instructions(*machine)
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    argument = ctypes.byref(_Program(len(program), code))
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, argument, 0, 0) == 0
