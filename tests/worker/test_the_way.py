"""From the order to the gallery."""

import asyncio
import hashlib

import pytest

from cast import job as upstream
from mutoscope.domain.generation import State
from mutoscope.domain.ledger import Balance
from mutoscope.domain.media import AI_CATEGORY, Kind, Previews, Variant, Visibility
from stubs.samples import HEIGHT, WIDTH
from worker.bench import GRANTED, Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("submit", ["take", "at_once"])
@pytest.mark.parametrize("kind", list(Kind))
async def test_what_was_ordered_ends_in_storage_and_gallery_and_is_charged_once(
    bench: Bench, kind: Kind, submit: str
) -> None:
    job = await bench.order(kind=kind, submit=submit, finish_after_s=0.05)
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)
    [item] = await bench.items(job)
    assert done.delivered == (item.id,) == job.media_ids
    assert await bench.whole(item)
    assert {Variant.MASTER, Variant.POSTER, Variant.THUMB_SMALL} <= set(item.files)
    assert (item.facts.kind, item.facts.width, item.facts.height) == (kind, WIDTH, HEIGHT)
    assert (item.title, item.category, item.visibility) == ("A lighthouse in fog", AI_CATEGORY, Visibility.PUBLIC)
    assert item.tags == ("ai-generated", kind.value, "calm")
    assert item.prompt_words == {"title", "description", "tags"}
    assert item.ai_generated
    assert done.captured == 10
    assert await bench.balance() == Balance(available=GRANTED - 10, held=0)
    assert await bench.counts(job) == {"asked": 1, "paid": 1}


async def test_the_master_is_the_providers_bytes_untouched(bench: Bench) -> None:
    job = await bench.order(kind=Kind.VIDEO)
    bench.start()
    await bench.until(job, State.SUCCEEDED)
    [item] = await bench.items(job)
    stored = b"".join([chunk async for chunk in bench.blobs.read(item.files[Variant.MASTER].key)])
    assert hashlib.sha256(stored).hexdigest() == item.facts.sha256
    assert item.files[Variant.MASTER].mime_type == "video/mp4"


async def test_preview_and_storyboard_follow_a_published_film_and_a_picture_needs_none(bench: Bench) -> None:
    film, picture = await bench.order(kind=Kind.VIDEO), await bench.order(kind=Kind.IMAGE)
    bench.start()
    await bench.until(film, State.SUCCEEDED)
    await bench.until(picture, State.SUCCEEDED)

    async def made() -> bool:
        [item] = await bench.items(film)
        return item.previews is Previews.DONE

    await until(made, "the previews")
    [item] = await bench.items(film)
    assert {Variant.PREVIEW, Variant.STORYBOARD, Variant.STORYBOARD_VTT} <= set(item.files)
    assert await bench.whole(item)
    assert (await bench.items(picture))[0].previews is Previews.NONE


async def test_after_publication_the_spool_is_empty_and_the_provider_may_forget(bench: Bench) -> None:
    job = await bench.order(source=await bench.picture())
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)

    async def cleared() -> bool:
        return bench.spool.names() == [] and done.job is not None and bench.provider.forgotten == [done.job.id]

    await until(cleared, "the spool to be empty")


async def test_fewer_results_than_asked_for_are_charged_by_their_share(bench: Bench) -> None:
    job = await bench.order(results=4, outputs=2)
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)
    assert done.delivered == job.media_ids[:2]
    assert done.captured == 20
    assert await bench.balance() == Balance(available=GRANTED - 20, held=0)


async def test_results_nobody_asked_for_are_not_charged(bench: Bench) -> None:
    job = await bench.order(results=1, outputs=3)
    bench.start()
    done = await bench.until(job, State.SUCCEEDED)
    assert (done.delivered, done.captured) == (job.media_ids, 10)


async def test_a_result_that_comes_after_the_tokens_went_back_is_kept_private_and_uncharged(bench: Bench) -> None:
    job = await bench.order(submit="drop_after")
    bench.provider.can_be_asked = False
    bench.start()
    await bench.until(job, State.OUTCOME_UNKNOWN)
    bench.past(State.OUTCOME_UNKNOWN)
    await bench.store.generations.wake(job.id, bench.clock.now())
    await bench.until(job, State.FAILED)
    assert await bench.was_released(job)
    bench.provider.can_be_asked = True
    known = await bench.provider.find(job.id)
    assert isinstance(known, type(upstream(job)))
    await bench.store.generations.late(job.id, bench.clock.now(), known)
    await bench.until(job, State.SUCCEEDED)
    [item] = await bench.items(job)
    assert item.visibility is Visibility.PRIVATE
    assert await bench.was_released(job)


async def test_waiting_jobs_are_rows_and_no_tasks(bench: Bench) -> None:
    before = len(asyncio.all_tasks())
    bench.turn(jobs_per_person=1_000)
    bench.provider.slots = 1_000
    jobs = [await bench.order(end="never") for _ in range(90)]
    bench.start()
    for job in jobs:
        await bench.until(job, State.RENDERING)
    lines_and_what_they_run = 9 + 3 * (8 + 32)
    assert len(asyncio.all_tasks()) - before <= lines_and_what_they_run
    for job in jobs:
        assert await bench.counts(job) == {"asked": 1, "paid": 1}
