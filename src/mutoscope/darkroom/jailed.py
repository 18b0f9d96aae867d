"""The darkroom that decodes in a jail: the adapter that the wiring opens."""

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from mutoscope.darkroom import wire
from mutoscope.darkroom.jail import Bounds
from mutoscope.darkroom.port import DarkroomBroken, Derived, Developed, MediaLimits, Unreadable, blur_px
from mutoscope.darkroom.sandbox import ENVIRONMENT, Sandbox, command
from mutoscope.disk import sync_folder
from mutoscope.domain.media import EXTENSIONS, Facts, Variant
from mutoscope.domain.source import SourceFit

_STILLS = (Variant.POSTER, Variant.THUMB_LARGE, Variant.THUMB_MEDIUM, Variant.THUMB_SMALL)
_MOVING = (Variant.PREVIEW, Variant.STORYBOARD, Variant.STORYBOARD_VTT)
_BLURRED = (Variant.BLURRED, Variant.BLURRED_SMALL, Variant.BLURRED_PREVIEW)
_NO_ANSWER = "The process that decodes left out what it was asked for."


class JailedDarkroom:
    """Implements `port.Darkroom`. Used from one event loop; the first job starts the zygote, `close` ends it."""

    def __init__(
        self, *, bounds: Bounds | None = None, wall_s: float = 600.0, inspect_s: float = 20.0, at_once: int = 2
    ) -> None:
        """``bounds`` for each child (memory, CPU time, output); ``wall_s`` until it is killed; ``at_once`` files.

        ``inspect_s`` instead of ``wall_s`` for looking at what people send: someone waits for the answer.
        """
        self._inspect_s = inspect_s
        self.sandbox = Sandbox(bounds or Bounds(), wall_s, at_once)
        self._walls: Mapping[str, bool] | None = None

    async def inspect(self, path: Path, limits: MediaLimits) -> Facts:
        """See the port."""
        with _opened(path, limits) as source:
            answer = await self.sandbox.run("inspect", limits, source, most_s=self._inspect_s)
            return _facts(answer.found, os.fstat(source).st_size, await _sha256(source))

    async def develop(self, path: Path, work: Path, limits: MediaLimits) -> Developed:
        """See the port."""
        with _opened(path, limits) as source:
            with _outputs(_parts(work, _STILLS)) as outputs:
                answer = await self.sandbox.run("develop", limits, source, outputs)
                files = _keep(work, answer.made)
            if len(files) != len(_STILLS):
                raise DarkroomBroken(_NO_ANSWER)
            facts = _facts(answer.found, os.fstat(source).st_size, await _sha256(source))
            return Developed(facts=facts, placeholder=answer.placeholder, files=files)

    async def plain(self, path: Path, target: Path, side_px: int, limits: MediaLimits) -> None:
        """See the port."""
        part = target.with_name(f"{target.name}.part")
        with _opened(path, limits) as source, _outputs({Variant.MASTER: part}) as outputs:
            answer = await self.sandbox.run("plain", limits, source, outputs, side_px)
            if not answer.made:
                raise DarkroomBroken(_NO_ANSWER)
            part.rename(target)

    async def fit(self, path: Path, target: Path, fit: SourceFit, limits: MediaLimits) -> None:
        """See the port."""
        part = target.with_name(f"{target.name}.part")
        with _opened(path, limits) as source, _outputs({Variant.MASTER: part}) as outputs:
            answer = await self.sandbox.run("fit", limits, source, outputs, fit=fit)
            if [(made.width, made.height) for made in answer.made] != [(fit.width, fit.height)]:
                raise DarkroomBroken(_NO_ANSWER)
            await asyncio.to_thread(_place, outputs[0][1], part, target)

    async def previews(self, path: Path, work: Path, limits: MediaLimits) -> Mapping[Variant, Derived]:
        """See the port."""
        with _opened(path, limits) as source, _outputs(_parts(work, _MOVING)) as outputs:
            return _keep(work, (await self.sandbox.run("previews", limits, source, outputs)).made)

    async def blur(self, path: Path, work: Path, intensity: int, limits: MediaLimits) -> Mapping[Variant, Derived]:
        """See the port."""
        with _opened(path, limits) as source, _outputs(_parts(work, _BLURRED)) as outputs:
            return _keep(work, (await self.sandbox.run("blur", limits, source, outputs, blur_px(intensity))).made)

    def walls(self) -> Mapping[str, bool]:
        """See the port. Each wall is really tried, once, in children of a process of its own (about two seconds)."""
        if self._walls is None:
            done = subprocess.run(  # noqa: S603  # our own interpreter and module
                command("mutoscope.darkroom.walls"),
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=True,
                cwd="/",
            )
            self._walls = json.loads(done.stdout)
        return dict(self._walls or {})

    async def close(self) -> None:
        """See the port."""
        await self.sandbox.close()


@contextmanager
def _opened(path: Path, limits: MediaLimits) -> Generator[int]:
    """The file for reading, no link followed. Raises Unreadable when it is too large, DarkroomBroken when it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise DarkroomBroken(f"The file cannot be read: {e.strerror}.") from e
    try:
        size = os.fstat(descriptor).st_size
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise DarkroomBroken("What should be developed is not a file.")
        if size > limits.size_bytes:
            raise Unreadable(f"The file has {size:,} bytes; at most {limits.size_bytes:,} are taken. Make it smaller.")
        yield descriptor
    finally:
        os.close(descriptor)


async def _sha256(source: int) -> str:
    """The checksum is ours to make: a child that was taken over could lie about it. Bounded memory."""
    return await asyncio.to_thread(_digest, os.dup(source))


def _digest(descriptor: int) -> str:
    digest, at = hashlib.sha256(), 0
    try:
        while chunk := os.pread(descriptor, 1 << 20, at):
            digest.update(chunk)
            at += len(chunk)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def _facts(found: wire.Found | None, size_bytes: int, sha256: str) -> Facts:
    if found is None:
        raise DarkroomBroken(_NO_ANSWER)
    return Facts(
        kind=found.kind,
        mime_type=found.mime_type,
        codec=found.codec,
        width=found.width,
        height=found.height,
        size_bytes=size_bytes,
        sha256=sha256,
        duration_s=found.duration_s,
        fps=found.fps,
        frames=found.frames,
        has_audio=found.has_audio,
    )


@contextmanager
def _outputs(paths: Mapping[Variant, Path]) -> Generator[Sequence[tuple[Variant, int]]]:
    """Empty files for a child to write; what is not kept is gone afterwards. Raises DarkroomBroken."""
    opened: list[tuple[Variant, int]] = []
    try:
        for variant, path in paths.items():
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            opened.append((variant, os.open(path, flags, 0o600)))
        yield opened
    except OSError as e:
        raise DarkroomBroken(f"The work folder cannot be written: {e.strerror}. Free some space.") from e
    finally:
        for variant, descriptor in opened:
            os.close(descriptor)
            paths[variant].unlink(missing_ok=True)


def _parts(work: Path, variants: Sequence[Variant]) -> Mapping[Variant, Path]:
    return {variant: _part(work, variant) for variant in variants}


def _place(descriptor: int, part: Path, target: Path) -> None:
    """Give a file its name once its bytes are on the disk."""
    os.fsync(descriptor)
    part.rename(target)
    sync_folder(target.parent)


def _part(work: Path, variant: Variant) -> Path:
    return work / f"{variant.value}.part"


def _keep(work: Path, made: Sequence[wire.Made]) -> Mapping[Variant, Derived]:
    """Give what was made its name, which says that it is whole."""
    files: dict[Variant, Derived] = {}
    for one in made:
        path = work / f"{one.variant.value}.{EXTENSIONS.get(one.mime_type, 'bin')}"
        _part(work, one.variant).rename(path)
        files[one.variant] = Derived(path=path, mime_type=one.mime_type, width=one.width, height=one.height)
    return files
