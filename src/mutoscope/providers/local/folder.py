"""A job's folder: all that is known of a job, so that nothing is lost with the process.

order.json   the plan; written last, so that a folder with it is a job
source       the picture to start from, as plain pixels (PPM)
lock         held (flock) by the child that renders, as long as it lives
progress     frames done, over all results
0.png ...    results; written as 0.png.part, renamed when whole and on the disk
error.json   why it failed
deaths       a byte for every child that ended without a result or an error
stop         a request to a child that another process started
canceled     that it was canceled
"""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from mutoscope.domain.generation import Failure
from mutoscope.providers.local.plan import Plan

DISK_FULL = "The studio's disk is full. The job goes on when there is room."


class Folder:
    """One job's folder. Every method may raise OSError, above all for a full disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def source(self) -> Path:
        """The picture to start from."""
        return self.path / "source"

    def exists(self) -> bool:
        """Whether there is such a job: an order that another version wrote, or that broke, is none."""
        try:
            self.plan()
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        return True

    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.finished(self.plan()) or self.failure() is not None or self.canceled()

    def create(self, plan: Plan, source: Path | None) -> None:
        """Write the job down, durably. Raises FileNotFoundError when the source is not there."""
        self.path.mkdir(parents=True, exist_ok=True)
        if source is not None:
            with source.open("rb") as original, self.whole(self.source) as part, part.open("wb") as copy:
                shutil.copyfileobj(original, copy)
        self._write("order.json", msgspec.json.encode(plan))
        _sync(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)

    def plan(self) -> Plan:
        """What is to be rendered."""
        return msgspec.json.decode((self.path / "order.json").read_bytes(), type=Plan)

    @contextmanager
    def whole(self, path: Path) -> Generator[Path]:
        """A name to write to; the file gets ``path`` when it is whole and on the disk, and is removed otherwise."""
        part = path.with_name(path.name + ".part")
        try:
            yield part
            _sync(part, os.O_RDWR)
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(self.path, os.O_RDONLY | os.O_DIRECTORY)

    def result(self, place: int, plan: Plan) -> Path:
        """Where a result is when it is whole."""
        return self.path / f"{place}.{plan.extension}"

    def finished(self, plan: Plan) -> bool:
        """Whether all results are there."""
        return all(self.result(place, plan).exists() for place in range(plan.results))

    def frames_done(self) -> int:
        """Frames rendered so far."""
        with suppress(FileNotFoundError, ValueError):
            return int((self.path / "progress").read_bytes())
        return 0

    def note_frames(self, frames: int) -> None:
        """Say how far it is. Not durable: after a crash the rendering begins again anyway."""
        # One write of one fixed width, so that a reader sees the old number or the new.
        descriptor = os.open(self.path / "progress", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, b"%8d" % frames, 0)
        finally:
            os.close(descriptor)

    def failure(self) -> Failure | None:
        """Why it failed."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode((self.path / "error.json").read_bytes(), type=Failure)
        return None

    def fail(self, failure: Failure) -> None:
        """Write down why it failed."""
        self._write("error.json", msgspec.json.encode(failure))

    def forgive(self) -> None:
        """Take the failure back: it is worth another try."""
        (self.path / "error.json").unlink(missing_ok=True)

    def deaths(self) -> int:
        """How many children ended without a result or an error."""
        with suppress(FileNotFoundError):
            return (self.path / "deaths").stat().st_size
        return 0

    def note_death(self) -> None:
        """Another one did."""
        with (self.path / "deaths").open("ab") as file:
            file.write(b"x")

    def ask_to_stop(self) -> None:
        """Tell a child that cannot be killed from here."""
        (self.path / "stop").touch()

    def asked_to_stop(self) -> bool:
        """Whether the child should end."""
        return (self.path / "stop").exists()

    def cancel(self) -> None:
        """Write down that it was canceled, and remove what had been made. Only with the lock."""
        self._write("canceled", b"")
        for path in self.path.iterdir():
            if path.name == "source" or path.suffix in {".png", ".mp4", ".part"}:
                path.unlink()

    def canceled(self) -> bool:
        """Whether it was canceled."""
        return (self.path / "canceled").exists()

    def remove(self) -> None:
        """Remove the job; the order first, so that what is left after a crash is no job. Best effort."""
        with suppress(OSError):
            (self.path / "order.json").unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def locked(self) -> Generator[bool]:
        """Take the lock if nobody has it, until the block ends; says whether it was free."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def busy(self) -> bool:
        """Whether a child of any process is at work."""
        with self.locked() as free:
            return not free

    def _write(self, name: str, content: bytes) -> None:
        with self.whole(self.path / name) as part:
            part.write_bytes(content)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
