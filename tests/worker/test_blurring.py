"""The step that makes the blurred files of a locked item: never lost, never of an old intensity."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import structs

from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import DarkroomBroken, Derived, MediaLimits
from mutoscope.domain.generation import State
from mutoscope.domain.media import BLURRED, Kind, Media, Previews, Variant, is_key
from worker.bench import Bench, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

PICTURES = {Variant.BLURRED, Variant.BLURRED_SMALL}


async def locked(bench: Bench, kind: Kind = Kind.IMAGE, **fields: object) -> Media:
    """An item that was made, and then locked."""
    job = await bench.until(await bench.order(kind=kind), State.SUCCEEDED)
    if kind is Kind.VIDEO:

        async def previewed() -> bool:
            return (await bench.items(job))[0].previews is Previews.DONE

        await until(previewed, "previews")
    return await change(bench, (await bench.items(job))[0], **({"is_blurred": True} | fields))


async def change(bench: Bench, item: Media, **fields: object) -> Media:
    return await bench.store.media.change(structs.replace(item, **fields), item.version, bench.clock.now())


async def blurred(bench: Bench, item: Media, intensity: int = 80) -> Media:
    """The item, once it has its blurred files."""

    async def there() -> Media | None:
        found = await bench.store.media.get(item.id)
        return found if found is not None and found.blurred == intensity and not found.needs_blur else None

    return await until(there, f"blurred files of {intensity}")


async def keys(bench: Bench, item: Media) -> set[str]:
    return {blob.key async for blob in bench.blobs.list("") if f"{item.id}/blurred" in blob.key}


async def tidied(bench: Bench, item: Media) -> set[str]:
    """The keys of the blurred files, once no others are left."""
    wanted = {file.key for variant, file in item.files.items() if variant in BLURRED}

    async def alone() -> bool:
        return await keys(bench, item) == wanted

    await until(alone, "older files to go")
    return wanted


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_locked_item_gets_its_blurred_files(bench: Bench, kind: Kind) -> None:
    bench.start()
    item = await blurred(bench, await locked(bench, kind))
    assert item.files.keys() & BLURRED == PICTURES | ({Variant.BLURRED_PREVIEW} if kind is Kind.VIDEO else set())
    assert await bench.whole(item)
    assert all(is_key(file.key) for file in item.files.values())
    assert await tidied(bench, item)

    async def cleared() -> bool:
        return bench.spool.names() == []

    await until(cleared, "an empty spool")


async def test_another_intensity_makes_other_files_and_the_older_ones_go(bench: Bench) -> None:
    bench.start()
    first = await blurred(bench, await locked(bench))
    before = await tidied(bench, first)
    second = await blurred(bench, await change(bench, first, blur_intensity=30), 30)
    after = await tidied(bench, second)
    assert not before & after
    sizes = [item.files[Variant.BLURRED].size_bytes for item in (first, second)]
    assert sizes[0] < sizes[1], "less blur has more detail"


class Held(JailedDarkroom):
    """A darkroom that waits with a blur until it is let go, or breaks over it."""

    def __init__(self, breaks: int = 0) -> None:
        super().__init__()
        self.begun, self.let_go, self.breaks, self.tries = asyncio.Event(), asyncio.Event(), breaks, 0
        self.let_go.set()

    async def blur(self, path: Path, work: Path, intensity: int, limits: MediaLimits) -> Mapping[Variant, Derived]:
        self.tries += 1
        self.begun.set()
        await self.let_go.wait()
        if self.breaks:
            self.breaks -= 1
            raise DarkroomBroken("no memory")
        return await super().blur(path, work, intensity, limits)


async def test_what_was_begun_for_an_older_intensity_is_never_shown(bench: Bench) -> None:
    bench.darkroom = held = Held()
    held.let_go.clear()
    bench.start()
    item = await locked(bench, blur_intensity=10)
    await asyncio.wait_for(held.begun.wait(), 20)
    await change(bench, item, blur_intensity=90)
    held.let_go.set()
    done = await blurred(bench, item, 90)
    assert await tidied(bench, done)
    await held.close()


async def test_a_darkroom_that_breaks_is_tried_again_and_at_last_given_up(bench: Bench) -> None:
    bench.darkroom = held = Held(breaks=2)
    bench.start()
    await blurred(bench, await locked(bench))
    held.breaks, held.tries = 1_000, 0
    await locked(bench)

    async def given_up() -> bool:
        return held.tries >= bench.numbers.preview_attempts

    await until(given_up, "the last try")
    await asyncio.sleep(0.3)
    assert held.tries == bench.numbers.preview_attempts
    assert await bench.store.media.claim_blur(bench.clock.now(), bench.clock.now()) is None
    await held.close()


async def test_an_item_whose_poster_is_gone_gets_none_and_holds_nobody_up(bench: Bench) -> None:
    bench.start()
    job = await bench.until(await bench.order(), State.SUCCEEDED)
    [item] = await bench.items(job)
    await bench.blobs.delete(item.files[Variant.THUMB_SMALL].key)
    await change(bench, item, is_blurred=True)
    await blurred(bench, await locked(bench))
    found = await bench.store.media.get(item.id)
    assert found is not None
    assert not found.files.keys() & BLURRED
