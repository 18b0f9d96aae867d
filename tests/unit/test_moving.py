"""A library moves from one place to another, and nothing is lost on the way."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

import cast
import journey
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.port import BlobInfo, Blobs, BlobsUnavailable
from mutoscope.domain.errors import Invalid, Unavailable
from mutoscope.domain.generation import Source
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Kind, Media, StoredFile, Variant, key_for, source_key
from mutoscope.domain.people import Person
from mutoscope.services import moving
from mutoscope.services.moving import Moved, RecordedPage, move, recorded
from mutoscope.spool import Spool
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite


class Library:
    """Items in one place, to be moved to another."""

    def __init__(self, root: Path, store: Store, person: Person) -> None:
        self.root, self.store, self.person = root, store, person
        self.source, self.target = FolderBlobs(root / "from"), FolderBlobs(root / "to")
        self.spool = Spool(root / "spool")
        self.after_records = self._nothing

    async def _nothing(self) -> None:
        pass

    async def move(self, target: Blobs | None = None, delete_source: bool = False) -> Moved:
        reports: list[int] = []
        moved = await move(
            self.source, target or self.target, self._records, self.spool, "moving-1", SystemClock(),
            delete_source, reports.append,
        )  # fmt: skip
        assert reports == sorted(reports)
        assert self.spool.names() == []
        return moved

    async def _records(self, cursor: str | None) -> RecordedPage:
        page = await recorded(self.store, cursor)
        if page.next is None:
            await self.after_records()
        return page

    async def put(self, blobs: Blobs, key: str, content: bytes) -> None:
        (self.root / "put").write_bytes(content)
        await blobs.put(key, self.root / "put", "application/octet-stream")

    async def film(self, content: bytes, poster: bytes = b"a poster") -> Media:
        """An item with a master and a poster."""
        facts = cast.facts(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        [item] = await journey.published(self.store, self.person, facts=facts)
        await self.put(self.source, master(item), content)
        key = key_for(Kind.VIDEO, item.id, Variant.POSTER, "image/webp")
        await self.put(self.source, key, poster)
        file = StoredFile(key=key, mime_type="image/webp", size_bytes=len(poster))
        changed = structs.replace(item, files={**item.files, Variant.POSTER: file})
        return await self.store.media.change(changed, item.version, cast.NOON)


def master(item: Media) -> str:
    return item.files[Variant.MASTER].key


def poster(item: Media) -> str:
    return item.files[Variant.POSTER].key


async def contents(blobs: Blobs) -> dict[str, bytes]:
    keys = [info.key async for info in blobs.list("")]
    return {key: b"".join([chunk async for chunk in blobs.read(key)]) for key in keys}


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    store = await open_sqlite(tmp_path / "mutoscope.db", SystemClock())
    person = cast.alice()
    await store.people.add(person, cast.grant(person, 1_000))
    yield Library(tmp_path, store, person)
    await store.close()


async def test_everything_arrives_and_the_source_stays(library: Library) -> None:
    await library.film(b"a film" * 100_000)
    await library.film(b"")
    before = await contents(library.source)
    moved = await library.move()
    assert (moved.copied, moved.skipped, moved.missing, moved.wrong, moved.deleted) == (4, 0, 0, 0, 0)
    assert await contents(library.target) == await contents(library.source) == before


async def test_a_second_run_skips_what_is_there_and_takes_what_came_since(library: Library) -> None:
    await library.film(b"one")
    await library.move()
    await library.film(b"two")
    moved = await library.move()
    assert (moved.copied, moved.skipped) == (2, 2)


async def test_what_no_record_names_yet_moves_too(library: Library) -> None:
    key = key_for(Kind.VIDEO, cast.ids.new("med"), Variant.MASTER, "video/mp4")
    await library.put(library.source, key, b"of a job under way")
    library.after_records = lambda: library.put(library.source, key.replace("master", "poster"), b"made meanwhile")
    moved = await library.move()
    assert (moved.copied, moved.whole) == (2, True)
    assert await contents(library.target) == await contents(library.source)


async def test_the_source_is_emptied_only_when_that_is_asked_for_and_all_is_whole(library: Library) -> None:
    await library.film(b"one")
    before = await contents(library.source)
    moved = await library.move(delete_source=True)
    assert (moved.copied, moved.deleted) == (2, 2)
    assert await contents(library.source) == {}
    assert await contents(library.target) == before
    again = await library.move(delete_source=True)
    assert (again.copied, again.skipped, again.deleted, again.whole) == (0, 2, 0, True)


@pytest.mark.parametrize(
    "damage", [b"a fiLm", b"a fil", b"a film and more", None], ids=["other", "short", "long", "gone"]
)
async def test_what_is_damaged_in_the_source_is_told_and_nothing_is_removed(
    library: Library, damage: bytes | None
) -> None:
    broken, whole = await library.film(b"a film"), await library.film(b"another")
    if damage is None:
        await library.source.delete(master(broken))
    else:
        await library.put(library.source, master(broken), damage)
    before = await contents(library.source)
    moved = await library.move(delete_source=True)
    assert (moved.missing, moved.wrong) == ((1, 0) if damage is None else (0, 1))
    assert (moved.deleted, moved.whole) == (0, False)
    [sentence] = moved.named
    assert sentence.startswith(master(broken))
    assert await contents(library.source) == before
    assert {master(whole), poster(whole), poster(broken)} == set(await contents(library.target))


async def test_a_copy_that_is_not_the_recorded_one_is_made_again_before_the_source_goes(library: Library) -> None:
    item = await library.film(b"a film")
    await library.put(library.target, master(item), b"a fiLm")
    assert (await library.move()).skipped == 1
    moved = await library.move(delete_source=True)
    assert (moved.copied, moved.deleted, moved.whole) == (1, 2, True)
    assert (await contents(library.target))[master(item)] == b"a film"


async def test_two_that_differ_with_nothing_to_tell_which_is_right_are_both_kept(library: Library) -> None:
    item = await library.film(b"a film", poster=b"poster")
    await library.put(library.target, poster(item), b"POSTER")
    moved = await library.move(delete_source=True)
    assert (moved.wrong, moved.deleted) == (1, 0)
    assert ((await contents(library.source))[poster(item)], (await contents(library.target))[poster(item)]) == (
        b"poster", b"POSTER",
    )  # fmt: skip


async def test_what_was_made_in_the_target_since_stays_as_it_is(library: Library) -> None:
    item = await library.film(b"a film", poster=b"as it is recorded")
    await library.move()
    await library.put(library.source, poster(item), b"an older one")
    moved = await library.move(delete_source=True)
    assert moved.whole
    assert (await contents(library.target))[poster(item)] == b"as it is recorded"


async def test_what_is_not_ours_is_left_alone(library: Library) -> None:
    await library.film(b"a film")
    for name in ("images/logo.png", "films/med_1/master.mp4", "images/med_short/master.png"):
        for place in ("from", "to"):
            path = library.root / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("of somebody else")
    moved = await library.move(delete_source=True)
    assert (moved.copied, moved.deleted) == (2, 2)
    for place in ("from", "to"):
        assert (library.root / place / "images/logo.png").read_text() == "of somebody else"
    assert not (library.root / "to" / "films" / "x").exists()


def spoil(path: Path) -> None:
    path.write_bytes(b"?" * path.stat().st_size)


class Breaking(FolderBlobs):
    """A place that fails after so many puts, or gives back other bytes than were put."""

    puts_left, lies = 1_000, False

    async def put(self, key: str, source: Path, content_type: str) -> None:
        self.puts_left -= 1
        if self.puts_left < 0:
            raise BlobsUnavailable("The bucket does not answer.")
        if self.lies:
            spoil(source)
        await super().put(key, source, content_type)


async def test_a_place_that_breaks_ends_the_move_and_the_next_run_goes_on(library: Library) -> None:
    for number in range(4):
        await library.film(b"film %d" % number)
    before = await contents(library.source)
    target = Breaking(library.root / "to")
    target.puts_left = 3
    with pytest.raises(Unavailable, match=r"does not answer.*run it again"):
        await library.move(target, delete_source=True)
    assert await contents(library.source) == before
    there = await contents(target)
    assert there.items() <= before.items()
    target.puts_left = 1_000
    moved = await library.move(target, delete_source=True)
    assert (moved.copied, moved.skipped, moved.deleted) == (8 - len(there), len(there), 8)
    assert await contents(target) == before


async def test_a_target_that_keeps_other_bytes_is_found_out(library: Library) -> None:
    await library.film(b"a film")
    target = Breaking(library.root / "to")
    target.lies = True
    moved = await library.move(target, delete_source=True)
    assert (moved.copied, moved.wrong, moved.deleted) == (0, 2, 0)
    assert len(await contents(library.source)) == 2


class Dying(FolderBlobs):
    """A place that fails while the source is being emptied."""

    deletes_left = 1

    async def delete(self, key: str) -> None:
        if not self.deletes_left:
            raise BlobsUnavailable("The disk is gone.")
        self.deletes_left -= 1
        await super().delete(key)


async def test_emptying_the_source_can_break_off_and_go_on(library: Library) -> None:
    await library.film(b"one")
    await library.film(b"two")
    before = await contents(library.source)
    library.source = Dying(library.root / "from")
    with pytest.raises(Unavailable):
        await library.move(delete_source=True)
    assert len(await contents(library.source)) == 3
    library.source = FolderBlobs(library.root / "from")
    moved = await library.move(delete_source=True)
    assert (moved.skipped, moved.deleted, moved.whole) == (4, 3, True)
    assert await contents(library.target) == before


async def test_what_is_put_into_the_source_while_it_is_emptied_stays(library: Library) -> None:
    item = await library.film(b"one")

    class Late(FolderBlobs):
        """Lists what was put after the move began."""

        async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
            async for info in super().list(prefix):
                late = info.key == master(item)
                yield structs.replace(info, modified_at=1 << 50) if late else info

    library.source = Late(library.root / "from")
    moved = await library.move(delete_source=True)
    assert moved.deleted == 1
    assert set(await contents(library.source)) == {master(item)}


async def test_a_list_of_many_pages_has_all_of_items_and_jobs(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "PAGE", 1)
    named = [key for content in (b"one", b"two") for item in [await library.film(content)] for key in keys(item)]
    key = source_key(cast.ids.new("gen"), "image/png")
    sha256 = hashlib.sha256(b"a picture").hexdigest()
    source = Source(key=key, mime_type="image/png", width=1, height=1, size_bytes=9, sha256=sha256)
    for _ in range(2):
        await journey.accept(library.store, library.person, source=source)
    of_item = structs.replace(source, key=named[0], media_id="med")
    await journey.accept(library.store, library.person, source=of_item)
    found: list[str] = []
    page = await recorded(library.store, None)
    found += [each.key for each in page.items]
    while page.next is not None:
        page = await recorded(library.store, page.next)
        found += [each.key for each in page.items]
    assert sorted(found) == sorted([*named, key, key])
    await library.put(library.source, key, b"a picturE")
    monkeypatch.setattr(moving, "PAGE", 100)
    assert (await library.move()).wrong == 1
    with pytest.raises(Invalid):
        await recorded(library.store, "nothing of ours")


def keys(item: Media) -> list[str]:
    return [file.key for file in item.files.values()]
