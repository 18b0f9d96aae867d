"""Backup: a folder that is laid out like the data folder, so that restoring is starting the studio on a copy of it.

The database is copied first and the objects after it: whatever a record of the copy names was stored before the
record was, so it is among the objects. The new copy of the database takes its place at the end; until then an earlier
backup in the same folder stays as good as it was. Nothing in the folder is ever deleted.
"""

import asyncio
import hashlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from mutoscope.blobs.port import BlobInfo, BlobMissing, Blobs
from mutoscope.disk import make_folder, reason, sync_folder, write_file
from mutoscope.domain.errors import Invalid, Unavailable
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import StoredFile, Variant
from mutoscope.domain.search import EVERYTHING, Query
from mutoscope.spool import Spool, SpoolFull, Written
from mutoscope.store.port import GenerationFilter, Page, Store

MANIFEST = "backup.json"
FORMAT = 1
PAGE = 200
T = TypeVar("T")
_MASTER = re.compile(rf"\w+/(med_\w+)/{Variant.MASTER}\.\w+")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are in a data folder. ``files``: patterns of the small files, such as ``secrets/*``."""

    database: str
    media: str
    files: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole backup says of itself."""

    format: int
    version: str
    made_at: str
    """UTC, ISO 8601."""
    database: str
    database_bytes: int
    database_sha256: str
    objects: int
    objects_bytes: int
    objects_copied: int
    """How many of them this run copied; the rest was there from an earlier one."""
    files: tuple[str, ...]
    damaged: tuple[str, ...]
    """Masters that this run copied and whose bytes are not the recorded ones: they broke before, and are kept as they are."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at a backup found. ``wrong`` has a sentence for each thing that is not as it should be."""

    made_at: str
    items: int
    generations: int
    objects: int
    wrong: tuple[str, ...]


class Backup:
    """Copies one studio. ``data`` is its data folder, ``version`` the program's."""

    def __init__(self, store: Store, blobs: Blobs, data: Path, layout: Layout, version: str) -> None:
        self._store, self._blobs, self._data, self._layout, self._version = store, blobs, data, layout, version

    async def run(self, target: Path, now: Millis, report: Callable[[int], None] = lambda _: None) -> Manifest:
        """Copy everything into ``target``, while work goes on; run again it goes on where it stopped.

        ``report`` is told after each object how many bytes of objects are there now.

        Raises Invalid for a folder inside the data folder, Unavailable when ``target`` cannot be written or is full,
        StoreUnavailable, BlobsUnavailable.
        """
        if await asyncio.to_thread(_is_within, target, self._data):
            raise Invalid(
                "A backup inside the data folder is no backup: name a folder elsewhere, best on another disk."
            )
        with in_words():
            database = await self._snapshot(target)
            copied, counts, sizes, damaged = 0, 0, 0, list[str]()
            async for info in self._blobs.list(""):
                written = await self._copy(info, target)
                if written is not None and not await self._is_sound(info.key, written):
                    damaged.append(info.key)
                copied, counts, sizes = copied + (written is not None), counts + 1, sizes + info.size_bytes
                report(sizes)
            files = await asyncio.to_thread(self._copy_files, target)
            manifest = Manifest(
                format=FORMAT,
                version=self._version,
                made_at=datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="seconds"),
                database=self._layout.database,
                database_bytes=database.stat().st_size,
                database_sha256=await asyncio.to_thread(sha256_of, database),
                objects=counts,
                objects_bytes=sizes,
                objects_copied=copied,
                files=files,
                damaged=tuple(damaged),
            )
            await asyncio.to_thread(_place, database, target / self._layout.database, target / MANIFEST, manifest)
        return manifest

    async def _snapshot(self, target: Path) -> Path:
        fresh = target / f"{self._layout.database}.new"
        await asyncio.to_thread(make_folder, target)
        fresh.unlink(missing_ok=True)
        await self._store.backup(fresh)
        return fresh

    async def _copy(self, info: BlobInfo, target: Path) -> Written | None:
        """Copy one object; None when it stands there already, or has gone since it was listed."""
        path = target / self._layout.media / info.key
        if await asyncio.to_thread(_is_there, path, info):
            return None
        await asyncio.to_thread(make_folder, path.parent)
        with suppress(BlobMissing):
            return await Spool(target).write(path, self._blobs.read(info.key), 1 << 62)
        return None

    async def _is_sound(self, key: str, written: Written) -> bool:
        """Whether a master is, byte for byte, what its record says."""
        match = _MASTER.fullmatch(key)
        item = await self._store.media.get(match[1]) if match else None
        return item is None or item.facts.sha256 == written.sha256

    def _copy_files(self, target: Path) -> tuple[str, ...]:
        found = sorted(path for pattern in self._layout.files for path in self._data.glob(pattern) if path.is_file())
        for path in found:
            copy = target / path.relative_to(self._data)
            make_folder(copy.parent)
            write_file(copy, path.read_bytes(), replace=True)
        return tuple(str(path.relative_to(self._data)) for path in found)


async def verify_backup(
    folder: Path, open_store: Callable[[Path], Awaitable[Store]], open_blobs: Callable[[Path], Blobs], layout: Layout
) -> Verified:
    """Open a backup and look whether every file of every record is there, and every master byte for byte.

    The database is opened as a copy of the copy, so that the backup stays as it is. Raises Invalid when the folder
    holds no whole backup, Unavailable when it cannot be read, StoreUnavailable, BlobsUnavailable.
    """
    with in_words():
        manifest = read_manifest(folder / MANIFEST)
        database, wrong = folder / manifest.database, list[str]()
        if not database.is_file() or await asyncio.to_thread(sha256_of, database) != manifest.database_sha256:
            raise Invalid("The database is not the one that the manifest describes: run the backup again.")
        wrong += [f"{name} is missing" for name in manifest.files if not (folder / name).is_file()]
        with tempfile.TemporaryDirectory(prefix="mutoscope-verify-") as scratch:
            await asyncio.to_thread(shutil.copyfile, database, Path(scratch, layout.database))
            store = await open_store(Path(scratch, layout.database))
            try:
                look = _Look(store, open_blobs(folder / layout.media), manifest.made_at)
                return await look.everything(wrong)
            finally:
                await store.close()


class _Look:
    def __init__(self, store: Store, blobs: Blobs, made_at: str) -> None:
        self._store, self._blobs, self._made_at, self._objects = store, blobs, made_at, 0

    async def everything(self, wrong: Sequence[str]) -> Verified:
        found, items, generations = [*wrong, *await self._store.ledger.proof()], 0, 0
        async for item in _all(lambda cursor: self._store.media.search(EVERYTHING, Query(), True, cursor, PAGE)):
            items += 1
            for variant, file in item.files.items():
                found += await self._file(file, item.facts.sha256 if variant is Variant.MASTER else None)
        async for job in _all(lambda cursor: self._store.generations.list(GenerationFilter(), cursor, PAGE)):
            generations += 1
            # A source of the gallery is the master of an item: it was looked at with that.
            if (source := job.source) is not None and source.media_id is None:
                file = StoredFile(key=source.key, mime_type=source.mime_type, size_bytes=source.size_bytes)
                found += await self._file(file, source.sha256)
        return Verified(
            made_at=self._made_at, items=items, generations=generations, objects=self._objects, wrong=tuple(found)
        )

    async def _file(self, file: StoredFile, sha256: str | None) -> list[str]:
        self._objects += 1
        try:
            size = (await self._blobs.head(file.key)).size_bytes
            if size != file.size_bytes:
                return [f"{file.key} has {size} bytes instead of {file.size_bytes}"]
            if sha256 is not None and await _digest(self._blobs.read(file.key)) != sha256:
                return [f"{file.key} holds other bytes than were stored"]
        except BlobMissing:
            return [f"{file.key} is missing"]
        return []


async def _all(page_after: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    page = await page_after(None)
    while True:
        for row in page.items:
            yield row
        if page.next is None:
            return
        page = await page_after(page.next)


async def _digest(chunks: AsyncIterator[bytes]) -> str:
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_within(target: Path, data: Path) -> bool:
    return target.resolve().is_relative_to(data.resolve())


def _is_there(path: Path, info: BlobInfo) -> bool:
    """Whether an earlier run copied it, and it was not replaced since."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_size == info.size_bytes and found.st_mtime_ns // 1_000_000 >= info.modified_at


def _place(database: Path, place: Path, manifest_path: Path, manifest: Manifest) -> None:
    database.replace(place)
    sync_folder(place.parent)
    write_file(manifest_path, msgspec.json.format(msgspec.json.encode(manifest)), replace=True)


def read_manifest(path: Path) -> Manifest:
    """What a backup says of itself. Raises Invalid when it is not whole."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise Invalid(f"There is no {MANIFEST} there: no backup, or one that was interrupted. Run it again.") from None
    except msgspec.MsgspecError:
        raise Invalid(f"{MANIFEST} cannot be read: run the backup again.") from None
    if manifest.format != FORMAT:
        raise Invalid("The backup was made by another version of Mutoscope: verify it with that one.")
    return manifest


@contextmanager
def in_words() -> Generator[None]:
    """Whatever a disk refuses, as Unavailable."""
    try:
        yield
    except (OSError, SpoolFull) as e:
        cause = e.__cause__ if isinstance(e, SpoolFull) else e
        why = reason(cause) if isinstance(cause, OSError) else str(e)
        raise Unavailable(
            f"The backup folder cannot be used: {why}. What was copied is kept; run it again then."
        ) from e
