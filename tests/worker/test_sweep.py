"""What nobody needs any more goes, and nothing else."""

import pytest

from cast import ids
from mutoscope.blobs.port import BlobMissing
from mutoscope.domain.counting import Day, day_of
from mutoscope.domain.generation import State
from mutoscope.domain.ids import DAY, HOUR
from mutoscope.domain.media import Kind, Variant, blurred_key, key_for, source_key
from mutoscope.spool import Spool
from mutoscope.worker.sweep import audit_objects, sweep_once
from worker.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_folder_without_a_living_job_goes_when_it_is_old(bench: Bench) -> None:
    orphan, upload = ids.new("gen"), "upload-1"
    for name in (orphan, upload):
        (bench.spool.folder(name) / "0.part").write_bytes(b"half")
    await sweep_once(bench.worker())
    assert bench.spool.names() == sorted([orphan, upload])
    bench.clock.forward(2 * DAY)
    await sweep_once(bench.worker())
    assert bench.spool.names() == []


async def test_the_folder_of_a_job_that_waits_for_a_week_stays(bench: Bench) -> None:
    job = await bench.order()
    (bench.spool.folder(job.id) / "0").write_bytes(b"a film that was paid for")
    bench.clock.forward(6 * DAY)
    await sweep_once(bench.worker())
    assert bench.spool.names() == [job.id]


async def test_a_providers_folder_loses_the_folders_of_ended_jobs_and_nothing_else(bench: Bench) -> None:
    local = Spool(bench.tmp_path / "local")
    bench.leftovers = (local,)
    job, orphan = await bench.order(), ids.new("gen")
    for name in (job.id, orphan, "cache"):
        local.folder(name)
    bench.clock.forward(2 * DAY)
    await sweep_once(bench.worker())
    assert local.names() == sorted(["cache", job.id])


async def test_a_providers_call_is_known_for_a_week_and_then_forgotten(bench: Bench) -> None:
    async def is_new() -> bool:
        return await bench.store.hooks.record("stub", "d-1", ids.new("gen"), bench.clock.now())

    assert await is_new()
    bench.clock.forward(6 * DAY)
    await sweep_once(bench.worker())
    assert not await is_new()
    bench.clock.forward(2 * DAY)
    await sweep_once(bench.worker())
    assert await is_new()


async def test_who_looked_at_what_is_known_for_that_day_and_the_next(bench: Bench) -> None:
    async def is_forgotten(day: Day) -> bool:
        return await bench.store.views.secret(day, "drawn anew") == "drawn anew"

    today = day_of(bench.clock.now())
    await bench.store.views.secret(today, "drawn today")
    bench.clock.forward(DAY)
    await sweep_once(bench.worker())
    assert not await is_forgotten(today)
    bench.clock.forward(DAY)
    await sweep_once(bench.worker())
    assert await is_forgotten(today)


async def test_old_objects_that_no_record_names_go_and_those_of_items_stay(bench: Bench) -> None:
    picture = await bench.picture()
    job = await bench.order(source=picture, id=picture.key.removeprefix("sources/").removesuffix(".png"))
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    await bench.stop()
    [item] = await bench.items(job)
    stray = key_for(Kind.VIDEO, ids.new("med"), Variant.MASTER, "video/mp4")
    refused = source_key(ids.new("gen"), "image/png")
    weaker = blurred_key(item, Variant.BLURRED, "image/jpeg")  # what a kill between two blurs leaves
    for key in (stray, refused, weaker):
        await bench.blobs.put(key, bench.tmp_path / "upload.png", "video/mp4")
    bench.clock.forward(HOUR)
    await audit_objects(bench.worker())
    assert await _there(bench, stray)
    bench.clock.forward(30 * DAY)
    await audit_objects(bench.worker())
    assert not await _there(bench, stray)
    assert not await _there(bench, refused)
    assert not await _there(bench, weaker)
    assert await _there(bench, picture.key)
    assert await bench.whole(item)


async def test_objects_that_a_running_job_has_stored_before_its_publication_stay(bench: Bench) -> None:
    job = await bench.order()
    key = key_for(Kind.IMAGE, job.media_ids[0], Variant.MASTER, "image/png")
    path = bench.tmp_path / "master"
    path.write_bytes(b"stored, not yet published")
    await bench.blobs.put(key, path, "image/png")
    bench.clock.forward(sum(bench.deadlines.values()))
    await audit_objects(bench.worker())
    assert await _there(bench, key)


async def test_old_events_are_forgotten(bench: Bench) -> None:
    before = await bench.store.events.head()
    await bench.order()
    bench.clock.forward(8 * DAY)
    await sweep_once(bench.worker())
    assert await bench.store.events.after(before, [f"person:{bench.alice.id}"], 10) in (None, ([], before))


async def _there(bench: Bench, key: str) -> bool:
    try:
        await bench.blobs.head(key)
    except BlobMissing:
        return False
    return True
