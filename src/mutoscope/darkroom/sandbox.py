"""The server's side of the jail: starts the zygote, hands it files by descriptor, keeps the time, cleans up."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from itertools import count

import msgspec

from mutoscope.darkroom import wire
from mutoscope.darkroom.jail import Bounds
from mutoscope.darkroom.port import DarkroomBroken, MediaLimits, Unreadable
from mutoscope.domain.media import Variant
from mutoscope.domain.source import SourceFit

ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # a second thread would make fork unsafe
    "VIPS_CONCURRENCY": "1",
    "MALLOC_ARENA_MAX": "2",  # each arena takes 64 MB of the address space
    "LC_ALL": "C.UTF-8",
}
"""All that the zygote is told; its children get none of it."""

_GRACE_S = 10.0
_TOO_LONG = "The file takes too long to decode. Make it shorter or smaller and send it again."
_CRASHED = "The file is damaged: the decoder crashed on it."


def command(module: str, *arguments: str) -> list[str]:
    """How to start a module of ours by itself, deaf to the environment and the working folder."""
    return [sys.executable, "-I", "-m", module, *arguments]


class _Zygote:
    """One zygote process, and the jobs that it has."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: dict[int, asyncio.Future[int]] = {}
        self.pids: dict[int, int] = {}
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command("mutoscope.darkroom.zygote", str(theirs.fileno())),
                env=ENVIRONMENT,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
        self.control.setblocking(False)
        self.alive = True
        loop.add_reader(self.control, self._hear)

    def begin(self, job: wire.Job, descriptors: Sequence[int]) -> asyncio.Future[int]:
        """Hand over a job; the future is the signal that ended its child, 0 when there was none."""
        socket.send_fds(self.control, [msgspec.json.encode(job)], list(descriptors))
        ended = self._jobs[job.number] = self._loop.create_future()
        return ended

    def kill(self, number: int) -> None:
        """Have a child ended, wherever it is."""
        if self.alive:
            with contextlib.suppress(OSError):
                self.control.send(msgspec.json.encode(wire.Kill(number=number)))

    def _hear(self) -> None:
        try:
            message = self.control.recv(wire.MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self.lose()
            return
        said = msgspec.json.decode(message, type=wire.Started | wire.Ended)
        if isinstance(said, wire.Started):
            self.pids[said.number] = said.pid
            return
        self.pids.pop(said.number, None)
        ended = self._jobs.pop(said.number, None)
        if ended is not None and not ended.done():
            ended.set_result(said.signal)

    def lose(self) -> None:
        """The zygote is gone or has to go; its children die with it."""
        if self.alive:
            self.alive = False
            self._loop.remove_reader(self.control)
            self.control.close()
        self.pids.clear()
        for ended in self._jobs.values():
            if not ended.done():
                ended.set_exception(DarkroomBroken("The process that decodes has ended; the next file gets a new one."))
        self._jobs.clear()

    async def end(self) -> None:
        """Let it end, or kill it, and reap it."""
        self.lose()
        try:
            await asyncio.to_thread(self.process.wait, _GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)


class Sandbox:
    """Runs jobs in children of a zygote that is started when it is needed and again when it died. One event loop."""

    def __init__(self, bounds: Bounds, wall_s: float, at_once: int) -> None:
        self._bounds, self._wall_s = bounds, wall_s
        self._slots = asyncio.Semaphore(at_once)
        self._numbers = count(1)
        self._zygote: _Zygote | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The children that work now."""
        return list(self._zygote.pids.values()) if self._zygote else []

    @property
    def zygote_pid(self) -> int | None:
        """The zygote, while there is one."""
        return self._zygote.process.pid if self._zygote else None

    async def run(
        self,
        task: wire.Task,
        limits: MediaLimits,
        source: int,
        outputs: Sequence[tuple[Variant, int]] = (),
        side_px: int = 0,
        fit: SourceFit | None = None,
        most_s: float | None = None,
    ) -> wire.Answer:
        """Have a child work on an open file, for ``most_s`` at most when that is given. Raises Unreadable, DarkroomBroken."""
        wall_s, bounds = self._wall_s, self._bounds
        if most_s is not None:
            # Half of it in processor time: what runs into that was slow to decode, not waiting for a busy machine.
            wall_s = min(wall_s, most_s)
            bounds = msgspec.structs.replace(bounds, cpu_s=min(bounds.cpu_s, max(1, int(most_s / 2))))
        async with self._slots:
            zygote = await self._ready()
            job = wire.Job(
                number=next(self._numbers),
                task=task,
                limits=limits,
                bounds=bounds,
                outputs=tuple(variant for variant, _ in outputs),
                side_px=side_px,
                fit=fit,
            )
            answer = os.memfd_create("answer", os.MFD_CLOEXEC)
            try:
                descriptors = [source, answer, *(descriptor for _, descriptor in outputs)]
                await self._watch(zygote, job, descriptors, wall_s)
                return _read(answer)
            finally:
                os.close(answer)

    async def _watch(self, zygote: _Zygote, job: wire.Job, descriptors: Sequence[int], wall_s: float) -> None:
        """Wait for the end of a child; kill it when its time is over or nobody waits any more."""
        try:
            ended = zygote.begin(job, descriptors)
        except OSError as e:
            zygote.lose()
            raise DarkroomBroken(f"The jail could not be asked: {e.strerror}.") from e
        try:
            async with asyncio.timeout(wall_s):
                killed_by = await asyncio.shield(ended)
        except TimeoutError:
            await self._stop(zygote, job.number, ended)
            raise DarkroomBroken(f"Decoding did not end within {wall_s:g} s.") from None
        except asyncio.CancelledError:
            zygote.kill(job.number)
            ended.add_done_callback(lambda future: future.cancelled() or future.exception())
            raise
        if killed_by:
            raise _verdict(killed_by)

    async def _stop(self, zygote: _Zygote, number: int, ended: asyncio.Future[int]) -> None:
        zygote.kill(number)
        try:
            async with asyncio.timeout(_GRACE_S):
                await asyncio.shield(ended)
        except TimeoutError:
            zygote.process.kill()
            zygote.lose()
        except DarkroomBroken:
            return

    async def _ready(self) -> _Zygote:
        async with self._starting:
            if self._closed:
                raise DarkroomBroken("The darkroom is closed.")
            if self._zygote is not None and not self._zygote.alive:
                await self._zygote.end()
                self._zygote = None
            if self._zygote is None:
                try:
                    self._zygote = _Zygote(asyncio.get_running_loop())
                except OSError as e:
                    raise DarkroomBroken(f"The jail could not be started: {e.strerror}.") from e
            return self._zygote

    async def close(self) -> None:
        """End zygote and children. Later jobs raise DarkroomBroken."""
        self._closed = True
        async with self._starting:
            if self._zygote is not None:
                await self._zygote.end()
                self._zygote = None


def _verdict(killed_by: int) -> Unreadable | DarkroomBroken:
    """SIGKILL comes from outside (an operator, the kernel without memory); everything else the file has brought on."""
    if killed_by == signal.SIGKILL:
        return DarkroomBroken("The process that decodes was killed.")
    return Unreadable(_TOO_LONG if killed_by == signal.SIGXCPU else _CRASHED)


def _read(descriptor: int) -> wire.Answer:
    """The child's words, which are not trusted."""
    try:
        answer = msgspec.json.decode(os.pread(descriptor, wire.ANSWER_BYTES, 0), type=wire.Answer)
    except msgspec.DecodeError as e:
        raise DarkroomBroken("The process that decodes ended without an answer.") from e
    if answer.unreadable:
        raise Unreadable(answer.unreadable)
    if answer.broken:
        raise DarkroomBroken(answer.broken)
    return answer
