"""The warm process that forks a child for each file. It has one thread, no network, no secret and never reads a file.

`python -m mutoscope.darkroom.zygote N` serves on the socket with descriptor N until its other end closes.
"""

import contextlib
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
from types import FrameType

import av
import msgspec

from mutoscope.darkroom import jail, wire, work
from mutoscope.darkroom.still import close_other_decoders
from mutoscope.domain.media import Variant


def _wake(number: int, frame: FrameType | None) -> None:
    """The descriptor for wake-ups does the work; a signal that is ignored would not ring it."""


class Zygote:
    """Takes jobs, forks, reaps, kills."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._numbers: dict[int, int] = {}
        """Job by process."""
        self._wake, self._bell = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def serve(self) -> None:
        """Work until the server closes its end, then end all children."""
        signal.signal(signal.SIGCHLD, _wake)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        with contextlib.suppress(OSError):
            while True:
                ready = select.select([self._control, self._wake], [], [])[0]
                if self._wake in ready:
                    os.read(self._wake, 4096)
                    self._reap(os.WNOHANG)
                if self._control in ready and not self._take():
                    break
        for pid in self._numbers:
            os.kill(pid, signal.SIGKILL)

    def _take(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, wire.MESSAGE_BYTES, wire.DESCRIPTORS)
        if not message:
            return False
        order = msgspec.json.decode(message, type=wire.Job | wire.Kill)
        if isinstance(order, wire.Kill):
            for pid in [pid for pid, number in self._numbers.items() if number == order.number]:
                os.kill(pid, signal.SIGKILL)
            return True
        self._fork(order, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _fork(self, job: wire.Job, descriptors: list[int]) -> None:
        if len(os.listdir("/proc/self/task")) != 1:
            raise SystemExit("the zygote has more than one thread: forking would not be safe")
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _child(job, descriptors, parent)
        self._numbers[pid] = job.number
        self._say(wire.Started(number=job.number, pid=pid))

    def _reap(self, flags: int) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, flags)
            if pid == 0:
                return
            number = self._numbers.pop(pid)
            self._say(wire.Ended(number=number, signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0))

    def _say(self, message: wire.Started | wire.Ended) -> None:
        self._control.send(msgspec.json.encode(message))


def _child(job: wire.Job, descriptors: list[int], parent: int) -> None:
    """Decode one file behind walls. Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        close_all_but(descriptors)
        jail.enter(job.bounds, parent)
        source, answer, *made = descriptors
        outputs: dict[Variant, int] = dict(zip(job.outputs, made, strict=True))
        os.pwrite(answer, msgspec.json.encode(work.perform(job, source, outputs)), 0)
    finally:
        os._exit(0)


def close_all_but(keep: list[int]) -> None:
    """Close every descriptor except these and the three standard ones, which lead nowhere."""
    edge = 3
    for descriptor in sorted(keep):
        os.closerange(edge, descriptor)
        edge = descriptor + 1
    os.closerange(edge, os.sysconf("SC_OPEN_MAX"))


def warm() -> None:
    """Import what a child would import late, when it can open no file any more."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    close_other_decoders()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    warm()
    jail.isolate()
    Zygote(control).serve()


if __name__ == "__main__":
    main()
