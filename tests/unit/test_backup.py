"""A backup is a data folder: whole, verified, and made while work goes on."""

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import cast
import disks
import journey
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.domain.errors import Invalid, Unavailable
from mutoscope.domain.generation import Source
from mutoscope.domain.media import Kind, Media, StoredFile, Variant, key_for, source_key
from mutoscope.domain.people import Person
from mutoscope.services.backup import MANIFEST, Backup, Layout, Manifest, verify_backup
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite

LAYOUT = Layout(database="mutoscope.db", media="media", files=("secrets/*", "catalogue.toml"))
FILMS = [b"film of a lighthouse" * 20_000, b"another film"]


class Studio:
    """A data folder with two films, a picture to start from, secrets and a catalogue."""

    def __init__(self, data: Path, store: Store, person: Person) -> None:
        self.data, self.store, self.person = data, store, person
        self.blobs = FolderBlobs(data / "media")

    def backup(self) -> Backup:
        return Backup(self.store, self.blobs, self.data, LAYOUT, "0.0.0")

    async def put(self, key: str, content: bytes) -> None:
        (self.data / "put").write_bytes(content)
        await self.blobs.put(key, self.data / "put", "application/octet-stream")

    async def film(self, content: bytes) -> Media:
        facts = cast.facts(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        [item] = await journey.published(self.store, self.person, facts=facts)
        await self.put(item.files[Variant.MASTER].key, content)
        poster = key_for(Kind.VIDEO, item.id, Variant.POSTER, "image/webp")
        await self.put(poster, b"poster")
        file = StoredFile(key=poster, mime_type="image/webp", size_bytes=6)
        changed = msgspec.structs.replace(item, files={**item.files, Variant.POSTER: file})
        return await self.store.media.change(changed, item.version, cast.NOON)

    async def job_with_source(self, content: bytes) -> str:
        key = source_key(cast.ids.new("gen"), "image/png")
        await self.put(key, content)
        sha256 = hashlib.sha256(content).hexdigest()
        source = Source(key=key, mime_type="image/png", width=1, height=1, size_bytes=len(content), sha256=sha256)
        await journey.accept(self.store, self.person, source=source, due_at=cast.NOON + 10**9)
        return key


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    data = tmp_path / "data"
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "jwt").write_text("not for others\n")
    (data / "catalogue.toml").write_text("# mine\n")
    store = await open_sqlite(data / "mutoscope.db", cast.HandClock())
    studio = Studio(data, store, await journey.join(store, cast.alice(), 1000))
    for film in FILMS:
        await studio.film(film)
    await studio.job_with_source(b"a picture to start from")
    yield studio
    await store.close()


async def verify(folder: Path) -> tuple[str, ...]:
    """What is wrong with a backup."""
    return (await verify_backup(folder, lambda path: open_sqlite(path, cast.HandClock()), FolderBlobs, LAYOUT)).wrong


async def test_a_backup_has_everything_and_says_so(studio: Studio, tmp_path: Path) -> None:
    made = await studio.backup().run(tmp_path / "copy", cast.NOON)
    assert (made.objects, made.objects_copied, made.damaged) == (5, 5, ())
    assert made.objects_bytes == sum(map(len, FILMS)) + 2 * 6 + 23
    assert made.files == ("catalogue.toml", "secrets/jwt")
    assert made.made_at == "2026-11-22T12:00:00+00:00"
    assert msgspec.json.decode((tmp_path / "copy" / MANIFEST).read_bytes(), type=Manifest) == made
    found = await verify_backup(
        tmp_path / "copy", lambda path: open_sqlite(path, cast.HandClock()), FolderBlobs, LAYOUT
    )
    assert (found.items, found.generations, found.objects, found.wrong) == (2, 3, 5, ())


async def test_secrets_in_a_backup_are_closed_to_other_accounts(studio: Studio, tmp_path: Path) -> None:
    await studio.backup().run(tmp_path / "copy", cast.NOON)
    copy = tmp_path / "copy" / "secrets" / "jwt"
    assert copy.read_text() == "not for others\n"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700


async def test_a_studio_opens_on_a_copy_of_the_backup_and_has_the_same_items_and_tokens(
    studio: Studio, tmp_path: Path
) -> None:
    await studio.backup().run(tmp_path / "copy", cast.NOON)
    shutil.copytree(tmp_path / "copy", tmp_path / "restored")
    restored = await open_sqlite(tmp_path / "restored" / "mutoscope.db", cast.HandClock())
    try:
        assert await restored.ledger.balance(studio.person.id) == await studio.store.ledger.balance(studio.person.id)
        blobs = FolderBlobs(tmp_path / "restored" / "media")
        films = [info.size_bytes async for info in blobs.list("videos/") if "master" in info.key]
        assert sorted(films) == sorted(map(len, FILMS))
        assert await restored.ledger.proof() == []
    finally:
        await restored.close()


async def test_a_second_run_copies_only_what_is_new_or_replaced(studio: Studio, tmp_path: Path) -> None:
    earlier = await studio.film(b"a third film")
    await studio.backup().run(tmp_path / "copy", cast.NOON)
    assert (await studio.backup().run(tmp_path / "copy", cast.NOON)).objects_copied == 0
    await studio.film(b"a fourth film")
    await studio.put(earlier.files[Variant.POSTER].key, b"gloss!")  # of the same size as the one before
    made = await studio.backup().run(tmp_path / "copy", cast.NOON)
    assert (made.objects, made.objects_copied) == (9, 3)
    assert (tmp_path / "copy" / "media" / earlier.files[Variant.POSTER].key).read_bytes() == b"gloss!"
    assert await verify(tmp_path / "copy") == ()


async def test_an_interrupted_backup_is_no_backup_and_goes_on_where_it_stopped(studio: Studio, tmp_path: Path) -> None:
    class Breaking(FolderBlobs):
        async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            if key.startswith("videos/") and "master" in key:
                raise BlobsUnavailable("gone")
            async for chunk in super().read(key, start, end):
                yield chunk

    breaking = Backup(studio.store, Breaking(studio.data / "media"), studio.data, LAYOUT, "0.0.0")
    with pytest.raises(BlobsUnavailable):
        await breaking.run(tmp_path / "copy", cast.NOON)
    with pytest.raises(Invalid, match="interrupted"):
        await verify(tmp_path / "copy")
    made = await studio.backup().run(tmp_path / "copy", cast.NOON)
    assert (made.objects, made.objects_copied) == (5, 4)
    assert await verify(tmp_path / "copy") == ()


async def test_an_earlier_backup_stays_good_while_the_next_one_is_interrupted(studio: Studio, tmp_path: Path) -> None:
    await studio.backup().run(tmp_path / "copy", cast.NOON)
    await studio.film(b"a third film")

    class Broken(FolderBlobs):
        async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            raise BlobsUnavailable("broken")
            yield b""

    with pytest.raises(BlobsUnavailable):
        await Backup(studio.store, Broken(studio.data / "media"), studio.data, LAYOUT, "0").run(tmp_path / "copy", 1)
    assert await verify(tmp_path / "copy") == ()


async def test_work_that_goes_on_during_a_backup_does_not_break_it(studio: Studio, tmp_path: Path) -> None:
    class Busy(FolderBlobs):
        async def list(self, prefix: str):  # the port's own type
            await studio.film(b"made meanwhile")
            gone = await studio.job_with_source(b"gone meanwhile")
            async for info in super().list(prefix):
                if info.key == gone:
                    await self.delete(gone)
                yield info

    busy = Backup(studio.store, Busy(studio.data / "media"), studio.data, LAYOUT, "0.0.0")
    await busy.run(tmp_path / "copy", cast.NOON)
    assert await verify(tmp_path / "copy") == ()


async def test_a_master_that_broke_on_the_disk_is_named(studio: Studio, tmp_path: Path) -> None:
    item = await studio.film(b"a film to be broken")
    key = item.files[Variant.MASTER].key
    (studio.data / "media" / key).write_bytes(b"a film that\0s broken")
    made = await studio.backup().run(tmp_path / "copy", cast.NOON)
    assert made.damaged == (key,)
    assert [sentence.split()[0] for sentence in await verify(tmp_path / "copy")] == [key]


async def test_verification_names_what_is_missing_cut_or_changed(studio: Studio, tmp_path: Path) -> None:
    items = [await studio.film(content) for content in (b"missing", b"cut off", b"changed")]
    await studio.backup().run(tmp_path / "copy", cast.NOON)
    missing, cut, changed = (tmp_path / "copy" / "media" / item.files[Variant.MASTER].key for item in items)
    missing.unlink()
    cut.write_bytes(b"cut")
    changed.write_bytes(b"CHANGED")
    (tmp_path / "copy" / "secrets" / "jwt").unlink()
    keys = [item.files[Variant.MASTER].key for item in items]
    assert sorted(await verify(tmp_path / "copy")) == sorted(
        [
            "secrets/jwt is missing",
            f"{keys[0]} is missing",
            f"{keys[1]} has 3 bytes instead of 7",
            f"{keys[2]} holds other bytes than were stored",
        ]
    )


async def test_verification_changes_nothing_in_the_backup(studio: Studio, tmp_path: Path) -> None:
    await studio.backup().run(tmp_path / "copy", cast.NOON)

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()}

    before = content()
    assert await verify(tmp_path / "copy") == ()
    assert content() == before


async def test_a_database_that_is_not_the_manifest_s_is_refused(studio: Studio, tmp_path: Path) -> None:
    await studio.backup().run(tmp_path / "copy", cast.NOON)
    with (tmp_path / "copy" / "mutoscope.db").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(Invalid, match="database is not the one"):
        await verify(tmp_path / "copy")


async def test_a_folder_that_is_no_backup_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no backup"):
        await verify(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(Invalid, match="cannot be read"):
        await verify(tmp_path)


async def test_a_backup_into_the_data_folder_is_refused(studio: Studio) -> None:
    for target in (studio.data, studio.data / "backup", studio.data / "x" / ".." / "backup"):
        with pytest.raises(Invalid, match="inside the data folder"):
            await studio.backup().run(target, cast.NOON)


async def test_a_full_backup_disk_is_said_and_the_run_after_it_goes_on(studio: Studio, tmp_path: Path) -> None:
    database_bytes = (await studio.backup().run(tmp_path / "copy", cast.NOON)).database_bytes
    with disks.small_disk(tmp_path / "disk", "4m") as disk:
        filler = disk / "filler"
        filler.write_bytes(bytes(4 * 1024 * 1024 - database_bytes - 200_000))  # no room for the first film
        with pytest.raises(Unavailable, match="disk is full"):
            await studio.backup().run(disk / "copy", cast.NOON)
        filler.unlink()
        await studio.backup().run(disk / "copy", cast.NOON)
        assert await verify(disk / "copy") == ()
