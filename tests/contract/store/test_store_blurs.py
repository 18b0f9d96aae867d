"""Locked items wait for their blurred files: due in the commit that locks, taken under a lease, never lost."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from contract.store.conftest import Opener
from mutoscope.domain.errors import StaleFence
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Media, Previews, StoredFile, Variant
from mutoscope.domain.people import Person
from mutoscope.store.port import Blur, Store

LATER = NOON + MINUTE
MADE = {Variant.BLURRED: StoredFile(key="videos/x/blurred80.webp", mime_type="image/webp", size_bytes=7)}
LOOP = {Variant.PREVIEW: StoredFile(key="videos/x/preview.mp4", mime_type="video/mp4", size_bytes=77)}


async def locked(store: Store, owner: Person, **fields: object) -> Media:
    return (await journey.published(store, owner, is_blurred=True, **fields))[0]


async def claim(store: Store, now: int = NOON) -> Blur:
    taken = await store.media.claim_blur(now, now + MINUTE)
    assert taken is not None
    return taken


async def blurred(store: Store, owner: Person) -> Media:
    """A locked item with its blurred file."""
    await locked(store, owner)
    taken = await claim(store)
    return await store.media.finish_blur(taken.item.id, taken.fence, 80, NOON, MADE)


async def change(store: Store, item: Media, **fields: object) -> Media:
    return await store.media.change(structs.replace(item, **fields), item.version, NOON)


async def test_an_open_item_waits_for_nothing(store: Store, alice: Person) -> None:
    await journey.published(store, alice)
    assert await store.media.claim_blur(NOON, LATER) is None


async def test_an_item_is_due_when_it_is_published_locked_and_when_it_is_locked_later(
    store: Store, alice: Person
) -> None:
    first = await locked(store, alice)
    assert (await claim(store)).item.id == first.id
    [second] = await journey.published(store, alice)
    await change(store, second, unlock_price=5)
    assert (await claim(store)).item.id == second.id


async def test_one_of_many_takes_it(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    answers = await asyncio.gather(*(store.media.claim_blur(NOON, LATER) for _ in range(8)))
    [taken] = [answer for answer in answers if answer]
    assert (taken.item.id, taken.attempts) == (item.id, 0)


async def test_finished_files_join_the_others_and_nothing_is_due_any_more(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    taken = await claim(store)
    done = await store.media.finish_blur(item.id, taken.fence, 80, LATER, MADE)
    assert (done.files, done.blurred, done.version) == (item.files | MADE, 80, item.version + 1)
    assert await store.media.get(item.id) == done
    assert await store.media.claim_blur(LATER + MINUTE, LATER) is None
    with pytest.raises(StaleFence):
        await store.media.finish_blur(item.id, taken.fence, 80, LATER, MADE)


async def test_another_intensity_takes_the_old_files_away_at_once_and_is_due(store: Store, alice: Person) -> None:
    item = await blurred(store, alice)
    changed = await change(store, item, blur_intensity=95)
    assert (set(changed.files), changed.blurred) == ({Variant.MASTER}, None)
    assert (await claim(store)).item.blur_intensity == 95


async def test_what_was_made_for_the_old_intensity_is_refused(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    taken = await claim(store)
    await change(store, item, blur_intensity=95)
    with pytest.raises(StaleFence):
        await store.media.finish_blur(item.id, taken.fence, 80, NOON, MADE)
    anew = await claim(store)
    with pytest.raises(StaleFence):
        await store.media.finish_blur(item.id, anew.fence, 80, NOON, MADE)
    assert (await store.media.finish_blur(item.id, anew.fence, 95, NOON, MADE)).blurred == 95


async def test_an_item_that_is_opened_again_waits_no_longer_and_keeps_what_it_has(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    taken = await claim(store)
    opened = await change(store, item, is_blurred=False)
    with pytest.raises(StaleFence):
        await store.media.finish_blur(item.id, taken.fence, 80, NOON, MADE)
    assert await store.media.claim_blur(LATER + MINUTE, LATER) is None
    again = await change(store, opened, is_blurred=True)
    taken = await claim(store)
    done = await store.media.finish_blur(again.id, taken.fence, 80, NOON, MADE)
    reopened = await change(store, done, is_blurred=False)
    await change(store, reopened, is_blurred=True)
    assert await store.media.claim_blur(LATER + MINUTE, LATER) is None


async def test_a_preview_that_comes_later_is_blurred_too(store: Store, alice: Person) -> None:
    item = await locked(store, alice, previews=Previews.PENDING)
    first = await claim(store)
    previews = await store.media.claim_previews("w", NOON, LATER)
    assert previews is not None
    await store.media.finish_previews(item.id, previews.fence, NOON, LOOP)
    # The one that is under way knows nothing of it.
    with pytest.raises(StaleFence):
        await store.media.finish_blur(item.id, first.fence, 80, NOON, MADE)
    second = await claim(store, LATER)
    assert Variant.PREVIEW in second.item.files


async def test_what_cannot_be_made_is_given_up_until_something_changes(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    taken = await claim(store)
    assert await store.media.finish_blur(item.id, taken.fence, 80, NOON, {}) == item
    titled = await change(store, item, title="Another")
    assert await store.media.claim_blur(LATER + MINUTE, LATER) is None
    await change(store, titled, blur_intensity=90)
    assert (await claim(store)).item.id == item.id


async def test_a_lease_that_has_ended_is_claimable_again_and_a_postponed_one_waits(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    first = await claim(store)
    assert await store.media.claim_blur(LATER - 1, LATER) is None
    second = await claim(store, LATER)
    with pytest.raises(StaleFence):
        await store.media.postpone_blur(item.id, first.fence, LATER)
    await store.media.postpone_blur(item.id, second.fence, LATER + 2 * MINUTE)
    assert await store.media.claim_blur(LATER + MINUTE, LATER + MINUTE) is None
    third = await claim(store, LATER + 2 * MINUTE)
    assert third.attempts == 1


async def test_a_blur_lease_is_prolonged_by_its_holder_alone_and_while_it_is_held(store: Store, alice: Person) -> None:
    item = await locked(store, alice)
    taken = await claim(store)
    await store.media.renew_blur(item.id, taken.fence, LATER + MINUTE)
    assert await store.media.claim_blur(LATER, LATER + MINUTE) is None
    with pytest.raises(StaleFence):
        await store.media.renew_blur(item.id, taken.fence - 1, LATER + MINUTE)
    await store.media.postpone_blur(item.id, taken.fence, LATER)
    with pytest.raises(StaleFence):
        await store.media.renew_blur(item.id, taken.fence, LATER + MINUTE)
    again = await claim(store, LATER)
    # Locked anew, it belongs to nobody any more.
    await change(store, item, blur_intensity=30)
    with pytest.raises(StaleFence):
        await store.media.renew_blur(item.id, again.fence, LATER + MINUTE)
    last = await claim(store, LATER)
    await store.media.finish_blur(item.id, last.fence, 30, LATER, MADE)
    with pytest.raises(StaleFence):
        await store.media.renew_blur(item.id, last.fence, LATER + MINUTE)


async def test_an_item_that_waits_still_waits_when_the_store_is_opened_again(opener: Opener, tmp_path: Path) -> None:
    folder, clock = tmp_path / "again", cast.HandClock()
    folder.mkdir()
    store = await opener(folder, clock)
    item = await locked(store, await journey.join(store, cast.alice()))
    await claim(store)
    await store.close()
    clock.tick(2 * MINUTE)
    store = await opener(folder, clock)
    taken = await store.media.claim_blur(clock.now(), clock.now() + MINUTE)
    await store.close()
    assert taken is not None
    assert taken.item.id == item.id
