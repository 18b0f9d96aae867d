"""Items: reading, changing, counting, and the step that makes previews."""

import asyncio

import pytest
from msgspec import structs

import cast
import journey
from cast import NOON
from mutoscope.domain import search
from mutoscope.domain.errors import Conflict, StaleFence
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Media, Previews, StoredFile, Variant, Visibility
from mutoscope.domain.people import Person
from mutoscope.store.port import Store

LATER = NOON + MINUTE
LOOP = {Variant.PREVIEW: StoredFile(key="videos/x/preview.mp4", mime_type="video/mp4", size_bytes=77)}


async def found(store: Store, scope: str, text: str = "", withheld_too: bool = False) -> list[str]:
    page = await store.media.search(scope, search.parse(text), withheld_too, None, 100)
    return [item.id for item in page.items]


async def pending(store: Store, owner: Person) -> Media:
    return (await journey.published(store, owner, previews=Previews.PENDING))[0]


async def test_an_item_is_kept_as_it_was_published(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice, title="Nachtzug — 夜行", tags=("a", "b"), is_blurred=True)
    kept = await store.media.get(item.id)
    assert kept == item
    assert kept is not None
    assert (kept.title, kept.tags, kept.is_blurred) == ("Nachtzug — 夜行", ("a", "b"), True)
    assert await store.media.get("med_nothing") is None


async def test_items_come_in_the_order_of_publication(store: Store, alice: Person) -> None:
    first = await journey.published(store, alice, results=2)
    second = await journey.published(store, alice)
    places = [item.seq for item in (*first, *second)]
    assert places == sorted(set(places))
    assert await store.media.of_generation("gen_nothing") == []


async def test_a_change_replaces_the_record_and_its_terms(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    changed = await store.media.change(
        structs.replace(item, title="Harbour at dusk", prompt_words=frozenset()), item.version, LATER
    )
    assert (changed.title, changed.version, changed.updated_at) == ("Harbour at dusk", item.version + 1, LATER)
    assert await store.media.get(item.id) == changed
    assert await found(store, search.GALLERY, "harbour") == [item.id]


async def test_a_change_of_an_old_version_is_refused(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await store.media.change(structs.replace(item, title="First"), item.version, LATER)
    with pytest.raises(Conflict):
        await store.media.change(structs.replace(item, title="Second"), item.version, LATER)
    kept = await store.media.get(item.id)
    assert kept is not None
    assert kept.title == "First"


async def test_of_many_changes_at_once_one_wins(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    answers = await asyncio.gather(
        *(store.media.change(structs.replace(item, title=f"Title {n}"), item.version, LATER) for n in range(8)),
        return_exceptions=True,
    )
    [won] = [answer for answer in answers if isinstance(answer, Media)]
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7
    assert await store.media.get(item.id) == won


async def test_an_item_that_is_not_there_cannot_be_changed(store: Store, alice: Person) -> None:
    ghost = cast.media(cast.generation(alice))
    with pytest.raises(Conflict):
        await store.media.change(ghost, ghost.version, NOON)


async def test_views_are_all_counted(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await asyncio.gather(*(journey.view(store, item) for _ in range(20)))
    kept = await store.media.get(item.id)
    assert kept is not None
    assert (kept.views, kept.version) == (20, item.version)


async def test_a_change_does_not_take_views_and_likes_back(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    await journey.view(store, item)
    await store.likes.add(alice.id, item.id, LATER)
    changed = await store.media.change(structs.replace(item, title="Edited"), item.version, LATER)
    assert (changed.views, changed.likes) == (1, 1)
    assert await store.media.get(item.id) == changed


async def test_the_terms_of_a_locked_item_are_withheld_from_strangers(store: Store, alice: Person) -> None:
    [item] = await journey.published(store, alice)
    assert await found(store, search.GALLERY, "lighthouse") == [item.id]
    locked = await store.media.change(structs.replace(item, unlock_price=5), item.version, LATER)
    assert await found(store, search.GALLERY) == [item.id]
    for text in ("lighthouse", "lighth*", "model:local/dream", "tag:calm", "calm", "lighthouse fog"):
        assert await found(store, search.GALLERY, text) == []
        assert await found(store, search.library(alice.id), text, withheld_too=True) == [item.id]
    # Nor does what is excluded tell anything.
    assert await found(store, search.GALLERY, "-lighthouse") == [item.id]
    await store.media.change(structs.replace(locked, unlock_price=0), locked.version, LATER)
    assert await found(store, search.GALLERY, "lighthouse") == [item.id]


async def test_an_owners_own_words_on_a_locked_item_are_open(store: Store, alice: Person) -> None:
    [item] = await journey.published(
        store, alice, title="Teaser reel", prompt_words=frozenset({"description", "tags"}), is_blurred=True
    )
    assert await found(store, search.GALLERY, "teaser") == [item.id]


async def test_the_trash_takes_an_item_out_of_gallery_and_library_and_gives_it_back(
    store: Store, alice: Person
) -> None:
    [item] = await journey.published(store, alice)
    gone = await store.media.change(structs.replace(item, trashed_at=LATER), item.version, LATER)
    places = (search.GALLERY, search.library(alice.id), search.trash(alice.id), search.EVERYTHING)
    assert [await found(store, place, withheld_too=True) for place in places] == [[], [], [item.id], [item.id]]
    assert await store.media.get(item.id) == gone
    await store.media.change(structs.replace(gone, trashed_at=None), gone.version, LATER)
    assert [await found(store, place, withheld_too=True) for place in places] == [[item.id], [item.id], [], [item.id]]


@pytest.mark.parametrize(
    "fields", [{"visibility": Visibility.PRIVATE}, {"visibility": Visibility.UNLISTED}, {"hidden": True}]
)
async def test_what_is_not_listed_is_found_by_its_owner_alone(
    store: Store, alice: Person, bob: Person, fields: dict[str, object]
) -> None:
    [item] = await journey.published(store, alice, **fields)
    assert await found(store, search.GALLERY) == []
    assert await found(store, search.library(bob.id), withheld_too=True) == []
    assert await found(store, search.library(alice.id), withheld_too=True) == [item.id]


async def test_previews_are_claimed_by_one_worker(store: Store, alice: Person) -> None:
    item = await pending(store, alice)
    claims = await asyncio.gather(*(store.media.claim_previews("w", NOON, LATER) for _ in range(8)))
    [claimed] = [claim for claim in claims if claim]
    assert (claimed.id, claimed.fence, claimed.version) == (item.id, item.fence + 1, item.version)


async def test_previews_that_need_no_making_are_not_claimed(store: Store, alice: Person) -> None:
    await journey.published(store, alice, previews=Previews.NONE)
    assert await store.media.claim_previews("w", NOON, LATER) is None


async def test_a_preview_lease_that_has_ended_is_claimable_again(store: Store, alice: Person) -> None:
    await pending(store, alice)
    first = await store.media.claim_previews("w", NOON, LATER)
    assert await store.media.claim_previews("w", LATER - 1, LATER) is None
    second = await store.media.claim_previews("w", LATER, LATER + MINUTE)
    assert first is not None
    assert second is not None
    assert second.fence == first.fence + 1
    with pytest.raises(StaleFence):
        await store.media.finish_previews(first.id, first.fence, LATER, LOOP)
    with pytest.raises(StaleFence):
        await store.media.postpone_previews(first.id, first.fence, LATER)


async def test_a_preview_lease_is_prolonged_by_its_holder_alone_and_while_it_is_held(
    store: Store, alice: Person
) -> None:
    item = await pending(store, alice)
    claimed = await store.media.claim_previews("w", NOON, LATER)
    assert claimed is not None
    await store.media.renew_previews(item.id, claimed.fence, LATER + MINUTE)
    assert await store.media.claim_previews("w", LATER, LATER + MINUTE) is None
    with pytest.raises(StaleFence):
        await store.media.renew_previews(item.id, claimed.fence - 1, LATER + MINUTE)
    await store.media.postpone_previews(item.id, claimed.fence, LATER)
    with pytest.raises(StaleFence):
        await store.media.renew_previews(item.id, claimed.fence, LATER + MINUTE)
    again = await store.media.claim_previews("w", LATER, LATER + MINUTE)
    assert again is not None
    await store.media.finish_previews(item.id, again.fence, LATER, LOOP)
    with pytest.raises(StaleFence):
        await store.media.renew_previews(item.id, again.fence, LATER + MINUTE)


@pytest.mark.parametrize(("failed", "then"), [(False, Previews.DONE), (True, Previews.FAILED)])
async def test_finished_previews_join_the_files(store: Store, alice: Person, failed: bool, then: Previews) -> None:
    item = await pending(store, alice)
    claimed = await store.media.claim_previews("w", NOON, LATER)
    assert claimed is not None
    files = {} if failed else LOOP
    done = await store.media.finish_previews(item.id, claimed.fence, LATER, files, failed=failed)
    assert (done.previews, done.version) == (then, item.version + 1)
    assert done.files == item.files | files
    assert await store.media.get(item.id) == done
    assert await store.media.claim_previews("w", LATER + MINUTE, LATER) is None
    with pytest.raises(StaleFence):
        await store.media.finish_previews(item.id, claimed.fence, LATER, files)


async def test_postponed_previews_count_an_attempt_and_wait(store: Store, alice: Person) -> None:
    item = await pending(store, alice)
    claimed = await store.media.claim_previews("w", NOON, LATER)
    assert claimed is not None
    await store.media.postpone_previews(item.id, claimed.fence, LATER)
    assert await store.media.claim_previews("w", LATER - 1, LATER) is None
    again = await store.media.claim_previews("w", LATER, LATER + MINUTE)
    assert again is not None
    assert (again.previews_attempts, again.version) == (1, item.version)


async def test_an_edit_while_previews_are_made_loses_neither(store: Store, alice: Person) -> None:
    item = await pending(store, alice)
    claimed = await store.media.claim_previews("w", NOON, LATER)
    assert claimed is not None
    await store.media.change(structs.replace(item, title="Edited meanwhile"), item.version, NOON)
    done = await store.media.finish_previews(item.id, claimed.fence, LATER, LOOP)
    assert (done.title, Variant.PREVIEW in done.files) == ("Edited meanwhile", True)
