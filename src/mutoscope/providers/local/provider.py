"""The adapter: orders become folders, folders become child processes that render.

The folder is the truth, the table of children only a memory of whom to reap. A job without a result, an error or a
living child gets a child again whenever it is looked at, so a crash or a restart needs no care of its own.
"""

import asyncio
import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from mutoscope.darkroom.port import Darkroom, DarkroomBroken, MediaLimits, Unreadable
from mutoscope.domain.generation import Failure, FailureKind, Output, ProviderJob
from mutoscope.domain.ids import DAY, Clock, SystemClock, is_id
from mutoscope.providers.local.folder import DISK_FULL, Folder
from mutoscope.providers.local.plan import SOURCE_PX, Plan, plan_for
from mutoscope.providers.port import Accepted, Canceled, Finished, Gone, Order, Pending, ProviderError, SourceFile

CHUNK_BYTES = 256 * 1024
RESTARTS = 3
"""How often a child that died is replaced before the job is given up."""
FREE_BYTES = 32 * 1024 * 1024
"""No child starts with less room than this on the disk."""
KEPT_MS = 7 * DAY
"""How long an ended job that nobody forgot is kept: longer than any stage that may still ask for its result."""
SOURCE_GONE = "The source picture is not there any more. Choose it again and try once more."
SOURCE_LIMITS = MediaLimits(size_bytes=1 << 30, pixels=1 << 28, duration_s=1)
"""Wider than any that the studio takes pictures under: it looked at the source before."""
_URL = re.compile(r"local:(gen_\w{26})/(\d\.(?:png|mp4))", re.ASCII)


class LocalProvider:
    """Renders on this machine, in a child process for each job. ``root`` holds a folder for each job."""

    name = "local"
    minimum_poll_ms = 250
    idempotent_by_reference = True
    repeats_free = True
    elsewhere = False

    def __init__(self, root: Path, darkroom: Darkroom, slots: int = 2, clock: Clock | None = None) -> None:
        self.root, self.slots = root, slots
        self._darkroom = darkroom
        self._clock = clock or SystemClock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._submitting = asyncio.Lock()
        self._closed = False

    async def submit(self, order: Order) -> Accepted:
        """Write the job down and start it when a slot is free. The same reference is the same job."""
        folder, plan = self._folder(order.reference), plan_for(order)
        source = None
        if order.source is not None and plan.moves and not folder.exists():
            source = await self._plain(order.source, order.spool)
        async with self._submitting:
            await asyncio.to_thread(self._sweep)
            if not folder.exists():
                await asyncio.to_thread(_create, folder, plan, source)
        self._tend(order.reference, folder)
        return Accepted(job=ProviderJob(id=order.reference, reference=order.reference))

    async def _plain(self, source: SourceFile, spool: Path) -> Path:
        """The source as plain pixels: the child that renders has no jail around it, and decodes nothing."""
        target = spool / "source.ppm"
        if not source.path.exists():
            raise ProviderError(FailureKind.INVALID, SOURCE_GONE)
        try:
            await self._darkroom.plain(source.path, target, SOURCE_PX, SOURCE_LIMITS)
        except Unreadable as e:
            raise ProviderError(FailureKind.INVALID, str(e)) from e
        except DarkroomBroken as e:
            raise ProviderError(FailureKind.UNAVAILABLE, "The picture cannot be prepared right now.", str(e)) from e
        return target

    async def poll(self, job: ProviderJob) -> Pending | Finished | Canceled:
        """How it stands; starts it again when its child is dead."""
        folder = self._folder(job.id)
        if not folder.exists():
            raise ProviderError(FailureKind.EXPIRED, "The result is not on this machine any more. Try it again.")
        return self._tend(job.id, folder)

    async def open(self, output: Output) -> AsyncIterator[bytes]:
        """The bytes of a result, in pieces of at most CHUNK_BYTES."""
        match = _URL.fullmatch(output.url or "")
        try:
            if match is None:
                raise FileNotFoundError
            with (self._folder(match[1]).path / match[2]).open("rb") as file:
                while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError:
            raise ProviderError(FailureKind.EXPIRED, "The result is not on this machine any more.") from None

    async def cancel(self, job: ProviderJob) -> Canceled | Finished | Pending:
        """Stop the child and remove what it made, unless all was done first."""
        folder = self._folder(job.id)
        if not folder.exists():
            return Canceled()
        plan = folder.plan()
        if not folder.finished(plan):
            await self._kill(job.id)
        with folder.locked() as free:
            if folder.finished(plan):
                return _results(job.id, plan)
            if not free:
                folder.ask_to_stop()
                return Pending(poll_after_ms=self.minimum_poll_ms)
            folder.cancel()
        return Canceled()

    async def find(self, reference: str) -> ProviderJob | Gone:
        """The job of that reference."""
        return ProviderJob(id=reference, reference=reference) if self._folder(reference).exists() else Gone()

    async def forget(self, job: ProviderJob) -> None:
        """Remove the job and its results."""
        folder = self._folder(job.id)
        await self._kill(job.id)
        await asyncio.to_thread(folder.remove)

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """There are none: whoever calls is not this provider."""
        raise ProviderError(FailureKind.UNAUTHORIZED, "The local provider sends no webhooks.")

    def job_of_webhook(self, reference: str, body: bytes) -> None:
        """No webhook names one."""

    async def check(self) -> str | None:
        """Whether there is room to render; there is no key. Raises ProviderError ``unavailable``."""
        there = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        if shutil.disk_usage(there).free < FREE_BYTES:
            raise ProviderError(FailureKind.UNAVAILABLE, DISK_FULL)
        return f"draws on this machine, {self.slots} jobs at once; needs no key"

    async def close(self) -> None:
        """End the children; what they were at begins again with the next poll after a start."""
        self._closed = True
        for reference in list(self._children):
            await self._kill(reference)

    def _folder(self, reference: str) -> Folder:
        if not is_id(reference, "gen"):
            raise ProviderError(FailureKind.INVALID, "That is not a job's id.")
        return Folder(self.root / reference)

    def _tend(self, reference: str, folder: Folder) -> Pending | Finished | Canceled:
        """How a job stands, seen to it that a child is at it."""
        self._reap()
        # First whether a child lives, then what there is: a child that ends in between has left a result.
        at_work = reference in self._children or folder.busy()
        plan = folder.plan()
        if folder.finished(plan):
            return _results(reference, plan)
        if folder.canceled():
            return Canceled()
        _raise_failure(folder)
        if not at_work and len(self._children) < self.slots and not self._closed:
            self._start(reference, folder)
        return Pending(progress=min(folder.frames_done() / plan.frames, 1.0))

    def _start(self, reference: str, folder: Folder) -> None:
        if shutil.disk_usage(folder.path).free < FREE_BYTES:
            raise ProviderError(FailureKind.UNAVAILABLE, DISK_FULL)
        try:
            self._children[reference] = _child(folder)
        except OSError as e:
            raise ProviderError(FailureKind.UNAVAILABLE, "The renderer could not be started.", str(e)) from e

    def _reap(self) -> None:
        """Take leave of children that ended, and note those that left nothing behind."""
        for reference, child in list(self._children.items()):
            status = child.poll()
            if status is None:
                continue
            del self._children[reference]
            folder = self._folder(reference)
            if status != 0 and folder.exists():
                folder.note_death()

    async def _kill(self, reference: str) -> None:
        child = self._children.pop(reference, None)
        if child is not None:
            child.kill()
            await asyncio.to_thread(child.wait)

    def _sweep(self) -> None:
        """Remove ended jobs that nobody forgot, and what cannot be read any more."""
        oldest_s = (self._clock.now() - KEPT_MS) / 1000
        for path in self.root.iterdir() if self.root.exists() else ():
            folder = Folder(path)
            if not is_id(path.name, "gen") or path.stat().st_mtime >= oldest_s:
                continue
            if not folder.exists() or folder.ended():
                folder.remove()


def _child(folder: Folder) -> subprocess.Popen[bytes]:
    """A child that renders. To be called by the event loop's thread: Linux ends the child when its *thread* ends."""
    module, path = "mutoscope.providers.local.render", str(folder.path.resolve())
    return subprocess.Popen(  # noqa: S603  # our own program; a path of ours
        [sys.executable, "-I", "-m", module, path, str(os.getpid())],
        cwd=path,
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _create(folder: Folder, plan: Plan, source: Path | None) -> None:
    try:
        folder.create(plan, source)
    except OSError as e:
        message = DISK_FULL if e.errno in {errno.ENOSPC, errno.EDQUOT} else "The studio cannot write to its disk."
        raise ProviderError(FailureKind.UNAVAILABLE, message, str(e)) from e


def _raise_failure(folder: Folder) -> None:
    failure = folder.failure()
    if failure is None and folder.deaths() > RESTARTS:
        failure = Failure(
            kind=FailureKind.UNUSABLE,
            message="It could not be rendered. Try it again, smaller or shorter.",
            detail=f"the render process ended {folder.deaths()} times without a result",
        )
    if failure is None:
        return
    if failure.kind is FailureKind.UNAVAILABLE:
        # It passes: whoever asks again gets another try.
        folder.forgive()
    raise ProviderError(failure.kind, failure.message, failure.detail)


def _results(reference: str, plan: Plan) -> Finished:
    return Finished(
        outputs=tuple(
            Output(url=f"local:{reference}/{place}.{plan.extension}", media_type=plan.media_type)
            for place in range(plan.results)
        )
    )
