"""The store as a whole: figures, answering, backup, closing."""

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import cast
import journey
from cast import NOON
from mutoscope.domain import search
from mutoscope.domain.collections import Add
from mutoscope.domain.counting import Day, Look
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SECOND, Clock
from mutoscope.domain.limits import WRONG_FROM_ADDRESS, bucket
from mutoscope.domain.people import Person, Purpose
from mutoscope.store.port import GenerationFilter, Patch, Store, StoreUnavailable

Opener = Callable[[Path, Clock], Awaitable[Store]]
A_BUCKET = bucket(WRONG_FROM_ADDRESS, "192.0.2.1")


async def success(store: Store, owner: Person, took_ms: int, finished_at: int) -> None:
    job = await journey.at(store, owner, State.SUBMITTING, price_each=0)
    await journey.step(store, job, State.FETCHING, patch=Patch(submitted_at=finished_at - took_ms))
    job = await journey.step(store, await journey.claim(store), State.DEVELOPING)
    job = await journey.claim(store)
    await store.generations.publish(job.id, job.fence, finished_at, [cast.media(job)], captured=0)


async def test_totals_count_everything(store: Store, alice: Person, bob: Person) -> None:
    await journey.published(store, alice, results=2)
    await journey.failed(store, bob)
    await journey.accept(store, bob)
    totals = await store.stats.totals()
    counted = {state: count for state, count in totals.generations.items() if count}
    assert counted == {State.SUCCEEDED: 1, State.FAILED: 1, State.QUEUED: 1}
    assert (totals.items, totals.stored_bytes, totals.people) == (2, 2_000, 2)


async def test_the_usual_time_of_a_model_is_the_median_of_its_last_successes(store: Store, alice: Person) -> None:
    for n, took_ms in enumerate((9 * SECOND, 1 * SECOND)):
        await success(store, alice, took_ms, NOON + n)
    await journey.failed(store, alice)
    assert await store.stats.typical_ms(cast.MODEL) is None
    await success(store, alice, 3 * SECOND, NOON + 2)
    assert await store.stats.typical_ms(cast.MODEL) == 3 * SECOND
    for n in range(20):
        await success(store, alice, 7 * SECOND + n, NOON + 10 + n)
    assert await store.stats.typical_ms(cast.MODEL) == pytest.approx(7 * SECOND + 9.5, abs=1)
    assert await store.stats.typical_ms("another/model") is None


async def test_a_store_that_is_open_answers(store: Store) -> None:
    await store.ping()


async def test_a_backup_is_never_written_over_a_file(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        await store.backup(target)
    assert target.read_text() == "mine"


async def test_closing_finishes_what_was_begun(opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    alice = await journey.join(store, cast.alice())
    posts = [asyncio.create_task(store.ledger.post(cast.grant(alice, 1))) for _ in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*posts) == [True] * 50


@pytest.fixture
async def closed(opener: Opener, tmp_path: Path) -> Store:
    """A store that was closed, twice."""
    folder = tmp_path / "closed"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    await store.close()
    await store.close()
    return store


async def test_a_closed_store_is_unavailable_in_every_operation(closed: Store, tmp_path: Path) -> None:
    alice, job = cast.alice(), cast.generation(cast.alice())
    item = cast.media(job)
    calls = [
        closed.ping(),
        closed.backup(tmp_path / "copy"),
        closed.generations.accept(job, None, ""),
        closed.generations.get(job.id),
        closed.generations.list(GenerationFilter(), None, 1),
        closed.generations.claim(journey.ALL, "w", NOON, NOON, journey.NO_LIMITS),
        closed.generations.next_due(journey.ALL),
        closed.generations.renew(job.id, 1, NOON),
        closed.generations.advance(job.id, 1, State.RENDERING, State.FETCHING, NOON),
        closed.generations.begin(job.id, 1, NOON, NOON),
        closed.generations.postpone(job.id, 1, State.RENDERING, NOON, NOON),
        closed.generations.publish(job.id, 1, NOON, [item], 0),
        closed.generations.finish(job.id, 1, State.RENDERING, State.FAILED, NOON, None),
        closed.generations.cancel(job.id, NOON),
        closed.generations.wake(job.id, NOON),
        closed.generations.settle_unknown(job.id, NOON, None, journey.BROKE),
        closed.generations.late(job.id, NOON, cast.job(job)),
        closed.ledger.post(cast.grant(alice, 1)),
        closed.ledger.balance(alice.id),
        closed.ledger.statement(alice.id, None, 1),
        closed.ledger.proof(),
        closed.models.retire("a/b", "b", "", NOON),
        closed.models.retired(),
        closed.models.restore("a/b", NOON),
        closed.hooks.record("fal", "1", job.id, NOON),
        closed.hooks.job("fal", job.id),
        closed.hooks.prune(NOON),
        closed.media.get(item.id),
        closed.media.of_generation(job.id),
        closed.media.search(search.GALLERY, search.Query(), False, None, 1),
        closed.media.change(item, 1, NOON),
        closed.media.claim_previews("w", NOON, NOON),
        closed.media.finish_previews(item.id, 1, NOON, {}),
        closed.media.renew_previews(item.id, 1, NOON),
        closed.media.postpone_previews(item.id, 1, NOON),
        closed.media.claim_blur(NOON, NOON),
        closed.media.renew_blur(item.id, 1, NOON),
        closed.media.finish_blur(item.id, 1, 80, NOON, {}),
        closed.media.postpone_blur(item.id, 1, NOON),
        closed.unlocks.buy(cast.wish(alice, item), 20, NOON),
        closed.unlocks.refund("unl_1", NOON),
        closed.unlocks.bought(alice.id, [item.id]),
        closed.unlocks.list(None, None, 1),
        closed.views.secret(Day(1), "secret"),
        closed.views.add(Day(1), [Look(media_id=item.id, viewer="v")], 9),
        closed.views.prune(Day(1)),
        closed.likes.add(alice.id, item.id, NOON),
        closed.likes.remove(alice.id, item.id, NOON),
        closed.likes.liked(alice.id, [item.id]),
        closed.likes.list(alice.id, None, 1),
        closed.collections.add(cast.collection(alice), 1),
        closed.collections.get("col_1"),
        closed.collections.of_person(alice.id),
        closed.collections.held(["col_1"]),
        closed.collections.change(cast.collection(alice), 1, NOON),
        closed.collections.rearrange("col_1", Add((item.id,)), None, NOON),
        closed.collections.delete("col_1", None, NOON),
        closed.media.all_of([item.id]),
        closed.people.add(alice, None),
        closed.people.get(alice.id),
        closed.people.by_name("alice"),
        closed.people.first_admin(),
        closed.people.change(alice, 1),
        closed.people.by_email("alice@studio.example", 1),
        closed.people.set_email(alice.id, None, 1),
        closed.people.session("hash", NOON),
        closed.people.close_session("hash"),
        closed.people.close_sessions(alice.id),
        closed.people.use_link("secret", Purpose.SIGN_IN, NOON),
        closed.people.sessions_of(alice.id, NOON),
        closed.people.use_session("hash", NOON),
        closed.keys.of_secret("hash", NOON),
        closed.keys.of_person(alice.id),
        closed.keys.use("key", NOON),
        closed.keys.revoke(alice.id, "key"),
        closed.people.link("secret", Purpose.RESET, NOON),
        closed.invites.all(),
        closed.invites.of_secret("hash", NOON),
        closed.invites.revoke("inv"),
        closed.collections.holds("col_1", item.id),
        closed.shares.of_secret("hash", NOON),
        closed.shares.get("shr", NOON),
        closed.shares.of_target(item.id),
        closed.shares.of_owner(alice.id, None, 1),
        closed.shares.use("shr", NOON),
        closed.shares.revoke("shr", None, NOON),
        closed.buckets.wait([A_BUCKET], NOON),
        closed.buckets.take([A_BUCKET], NOON),
        closed.buckets.charge([A_BUCKET], NOON),
        closed.events.head(),
        closed.events.wait("", 1),
        closed.events.prune(NOON),
        closed.stats.totals(),
        closed.stats.typical_ms(cast.MODEL),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call
    assert not (tmp_path / "copy").exists()


async def test_whoever_waits_for_events_is_let_go_when_the_store_closes(opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "waited"
    folder.mkdir()
    store = await opener(folder, cast.HandClock())
    waiting = asyncio.create_task(store.events.wait(await store.events.head(), 3_600))
    await asyncio.sleep(0)
    await store.close()
    await asyncio.wait_for(waiting, 30)


# The driver leaves the socket of a connection whose making is canceled to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_cancel_is_heard_whenever_it_comes(store: Store, rng: random.Random) -> None:
    async def look_on() -> None:
        while True:
            await store.hooks.prune(0)

    # One in 26 was lost where the driver's `asyncio.wait_for` had just sent its bytes.
    for _ in range(300):
        looking = asyncio.create_task(look_on())
        await asyncio.sleep(rng.uniform(0, 0.01))
        looking.cancel()
        ended, _ = await asyncio.wait({looking}, timeout=20)
        assert ended, "it goes on"
    gc.collect()
