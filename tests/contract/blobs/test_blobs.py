"""What every blob store promises."""

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from backends import BACKENDS

import cast
from mutoscope.blobs.port import CHUNK_BYTES, BlobInfo, BlobMissing, Blobs
from mutoscope.domain.media import Kind, Variant, key_for, source_key

MB = 1024 * 1024


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def store(blobs: Blobs, key: str, data: bytes, at: Path) -> None:
    source = at / "source"
    source.write_bytes(data)
    await blobs.put(key, source, "video/mp4")


async def keys(blobs: Blobs, prefix: str = "") -> list[str]:
    return [info.key async for info in blobs.list(prefix)]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * MB + 7])
async def test_what_was_put_comes_back_byte_for_byte(
    blobs: Blobs, key: str, size: int, rng: random.Random, tmp_path: Path
) -> None:
    data = rng.randbytes(size)
    await store(blobs, key, data, tmp_path)
    assert await whole(blobs.read(key)) == data
    assert (await blobs.head(key)).size_bytes == size


async def test_the_source_of_a_put_stays_as_it_is(blobs: Blobs, key: str, tmp_path: Path) -> None:
    await store(blobs, key, b"film", tmp_path)
    (tmp_path / "source").write_bytes(b"another")
    assert await whole(blobs.read(key)) == b"film"


async def test_a_put_without_its_source_says_that_the_source_is_missing(blobs: Blobs, key: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await blobs.put(key, tmp_path / "not-there", "video/mp4")
    assert await keys(blobs) == []


async def test_the_time_of_a_blob_is_when_it_was_put(blobs: Blobs, key: str, tmp_path: Path) -> None:
    await store(blobs, key, b"film", tmp_path)
    source_ms = (tmp_path / "source").stat().st_mtime_ns // 1_000_000
    assert source_ms - 1000 <= (await blobs.head(key)).modified_at <= source_ms + 120_000


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 1),
        (0, 2),
        (1, 2),
        (5, 5),
        (7, 3),
        (0, 10),
        (9, 10),
        (4, None),
        (0, 99),
        (9, 99),
        (10, None),
        (50, 99),
        (50, None),
    ],
)
async def test_a_range_is_what_slicing_gives(
    blobs: Blobs, key: str, start: int, end: int | None, tmp_path: Path
) -> None:
    data = b"0123456789"
    await store(blobs, key, data, tmp_path)
    assert await whole(blobs.read(key, start, end)) == (data[start:end] if end is None or end > start else b"")


async def test_a_range_across_chunks_is_exact(blobs: Blobs, key: str, rng: random.Random, tmp_path: Path) -> None:
    data = rng.randbytes(2 * CHUNK_BYTES + 11)
    await store(blobs, key, data, tmp_path)
    start, end = CHUNK_BYTES - 5, 2 * CHUNK_BYTES + 3
    chunks = [chunk async for chunk in blobs.read(key, start, end)]
    assert b"".join(chunks) == data[start:end]
    assert max(map(len, chunks)) <= CHUNK_BYTES


async def test_a_range_from_before_the_beginning_is_refused(blobs: Blobs, key: str, tmp_path: Path) -> None:
    await store(blobs, key, b"film", tmp_path)
    with pytest.raises(ValueError, match="range"):
        await whole(blobs.read(key, -1))


async def test_what_is_not_there_is_missing(blobs: Blobs, key: str) -> None:
    with pytest.raises(BlobMissing):
        await blobs.head(key)
    with pytest.raises(BlobMissing):
        await whole(blobs.read(key))


async def test_what_was_deleted_is_missing_and_deleting_twice_is_harmless(
    blobs: Blobs, key: str, tmp_path: Path
) -> None:
    await store(blobs, key, b"film", tmp_path)
    await blobs.delete(key)
    await blobs.delete(key)
    with pytest.raises(BlobMissing):
        await blobs.head(key)
    assert await keys(blobs) == []


async def test_deleting_one_variant_leaves_the_others(blobs: Blobs, tmp_path: Path) -> None:
    media_id = cast.ids.new("med")
    master = key_for(Kind.VIDEO, media_id, Variant.MASTER, "video/mp4")
    poster = key_for(Kind.VIDEO, media_id, Variant.POSTER, "image/webp")
    await store(blobs, master, b"film", tmp_path)
    await store(blobs, poster, b"poster", tmp_path)
    await blobs.delete(poster)
    assert await keys(blobs) == [master]


async def test_a_second_put_replaces_the_first(blobs: Blobs, key: str, tmp_path: Path) -> None:
    await store(blobs, key, b"a longer first film", tmp_path)
    await store(blobs, key, b"second", tmp_path)
    assert await whole(blobs.read(key)) == b"second"
    assert await keys(blobs) == [key]


async def test_readers_see_the_old_or_the_new_and_never_a_mixture(blobs: Blobs, key: str, tmp_path: Path) -> None:
    films = [letter * (CHUNK_BYTES * 2 + n) for n, letter in enumerate((b"a", b"b"))]
    for n, film in enumerate(films):
        (tmp_path / str(n)).write_bytes(film)
    await blobs.put(key, tmp_path / "0", "video/mp4")
    done = asyncio.Event()

    async def read_on() -> set[bytes]:
        seen: set[bytes] = set()
        while not done.is_set():
            seen.add(await whole(blobs.read(key)))
        return seen

    readers = [asyncio.create_task(read_on()) for _ in range(3)]
    for turn in range(1, 31):
        await blobs.put(key, tmp_path / str(turn % 2), "video/mp4")
    done.set()
    seen = set().union(*await asyncio.gather(*readers))
    assert seen
    assert seen <= set(films)


async def test_a_reader_that_has_begun_reads_the_same_film_to_its_end(blobs: Blobs, key: str, tmp_path: Path) -> None:
    await store(blobs, key, b"a" * 3 * CHUNK_BYTES, tmp_path)
    async with aclosing(blobs.read(key)) as chunks:
        begun = await anext(chunks)
        await store(blobs, key, b"b" * 3 * CHUNK_BYTES, tmp_path)
        rest = await whole(chunks)
    assert begun + rest == b"a" * 3 * CHUNK_BYTES


async def test_puts_at_the_same_time_leave_one_of_them_whole(blobs: Blobs, key: str, tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / str(n)).write_bytes(bytes([n]) * (MB + n))
    await asyncio.gather(*(blobs.put(key, tmp_path / str(n), "video/mp4") for n in range(8)))
    left = await whole(blobs.read(key))
    assert left == left[:1] * (MB + left[0])
    assert await keys(blobs) == [key]


async def test_a_list_is_in_the_order_of_the_keys_and_has_all_of_them(
    blobs: Blobs, rng: random.Random, tmp_path: Path
) -> None:
    made = [source_key(cast.ids.new("gen"), "image/png") for _ in range(3)]
    for kind in Kind:
        for media_id in [cast.ids.new("med") for _ in range(4)]:
            made += [key_for(kind, media_id, variant, "image/webp") for variant in Variant]
    rng.shuffle(made)
    for key in made:
        await store(blobs, key, key.encode(), tmp_path)
    infos: list[BlobInfo] = [info async for info in blobs.list("")]
    assert [info.key for info in infos] == sorted(made)
    assert [info.size_bytes for info in infos] == [len(key) for key in sorted(made)]
    for prefix in ("images/", "video", "sources/gen_", made[0], made[0][:-3], made[0].rpartition("/")[0] + "/", "x"):
        assert await keys(blobs, prefix) == sorted(key for key in made if key.startswith(prefix))


async def test_a_blob_that_goes_while_it_is_listed_ends_no_list(blobs: Blobs, tmp_path: Path) -> None:
    made = sorted(source_key(cast.ids.new("gen"), "image/png") for _ in range(5))
    for key in made:
        await store(blobs, key, b"picture", tmp_path)
    found = [made[0]]
    async with aclosing(blobs.list("")) as infos:
        await anext(infos)
        await blobs.delete(made[-1])
        found += [info.key async for info in infos]
    assert found[:4] == made[:4]


GOOD = "images/med_01kahtr2x09e3v6k8m5q7w4c2n/master.png"
HOSTILE = [
    "", ".", "..", "/", "/etc/passwd", "../secrets/jwt", "images", "images/", "images/../../secrets/jwt", "etc/passwd",
    "images/med_01kahtr2x09e3v6k8m5q7w4c2n/../../../secrets/jwt", "images/med_01kahtr2x09e3v6k8m5q7w4c2n/..",
    "images/med_01kahtr2x09e3v6k8m5q7w4c2n/.png", "images//master.png", "images/alice/master.png",
    "images/med_01kahtr2x09e3v6k8m5q7w4c2n/sub/master.png", "sources/med_01kahtr2x09e3v6k8m5q7w4c2n.png",
    ".incoming/00000000000000000000000000000000.part", GOOD + "\n", GOOD + "\0", GOOD + "/", GOOD.upper(), "/" + GOOD,
    GOOD.replace("/", "\\"), GOOD.replace("master", "mas\u2024ter"), GOOD.replace(".png", ".png%00"), "\udcff" + GOOD,
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_key_that_is_not_one_of_ours_is_refused_everywhere(blobs: Blobs, hostile: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"film")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "jwt").write_bytes(b"secret")
    with pytest.raises(ValueError, match="not a key of ours"):
        await blobs.put(hostile, tmp_path / "source", "video/mp4")
    with pytest.raises(ValueError, match="not a key of ours"):
        await blobs.head(hostile)
    with pytest.raises(ValueError, match="not a key of ours"):
        await whole(blobs.read(hostile))
    with pytest.raises(ValueError, match="not a key of ours"):
        await blobs.delete(hostile)
    assert (tmp_path / "secrets" / "jwt").read_bytes() == b"secret"
    assert await keys(blobs) == []


@pytest.mark.parametrize(
    "prefix", ["../", "/", "/etc", "images/../../", ".", "sources/..", "images/./", "\0", "images/\0/", "\udcff"]
)
async def test_a_prefix_leads_nowhere_else(blobs: Blobs, prefix: str, tmp_path: Path) -> None:
    await store(blobs, GOOD, b"picture", tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "jwt").write_bytes(b"secret")
    assert await keys(blobs, prefix) == []


async def test_a_check_leaves_nothing_behind(blobs: Blobs, key: str, tmp_path: Path) -> None:
    await blobs.check()
    assert await keys(blobs) == []
    await store(blobs, key, b"film", tmp_path)
    await blobs.check()
    assert await keys(blobs) == [key]


async def test_half_a_film_is_never_there_however_often_the_process_is_killed(
    blobs: Blobs, backend: str, key: str, child: list[str], rng: random.Random, tmp_path: Path
) -> None:
    films = [letter * (12 * MB + n) for n, letter in enumerate((b"a", b"b"))]
    for n, film in enumerate(films):
        (tmp_path / str(n)).write_bytes(film)
    await blobs.put(key, tmp_path / "0", "video/mp4")
    command = [*child, "swap", backend, str(tmp_path), key, str(tmp_path / "1"), str(tmp_path / "0")]
    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == b"begun\n"
            await asyncio.sleep(rng.uniform(0, 0.06))  # when the blow falls, not a wait for anything
            process.kill()
        again = BACKENDS[backend](tmp_path)
        assert await whole(again.read(key)) in films
        assert await keys(again) == [key]


async def test_a_large_file_takes_no_more_memory_than_a_small_one(
    backend: str, key: str, child: list[str], tmp_path: Path
) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(bytes(4 * MB))
    with large.open("wb") as file:
        file.truncate(300 * MB)
    command = [*child, "measure", backend, str(tmp_path), key, str(small), str(large)]
    measured = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert measured.returncode == 0, measured.stderr
    assert int(measured.stdout) < 16 * MB
