"""The server is killed by SIGKILL at every boundary of the way on which a locked item gets its blurred files."""

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crash.backends import BACKENDS, Servers
from crash.studio import PATIENCE_S, DiedEarly, KilledStudio
from crash.victim import BLURRING
from mutoscope.domain.search import EVERYTHING, Query
from stubs.running import RunningStub

WISHES = (
    {"model": "stub/picture", "prompt": "A lamp by the sea", "results": 2, "visibility": "public"},
    {"model": "stub/film", "prompt": "Rain on a window", "visibility": "public"},
)
BOUNDARIES = [f"{when}:{name}" for name in BLURRING for when in ("before", "after")]


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[RunningStub]:
    running = RunningStub(tmp_path / "stub").start()
    yield running
    running.kill()


def ids(studio: KilledStudio) -> list[str]:
    return [item["id"] for item in studio.ask("/api/media", scope="library")["items"]]


def lock(studio: KilledStudio, items: list[str], intensity: int) -> None:
    """Lock them, or blur them otherwise. Raises DiedEarly."""
    body: dict[str, Any] = {"ids": items, "unlock_price": 5, "is_blurred": True, "blur_intensity": intensity}
    try:
        headers = studio.signed_in()
        answer = httpx2.patch(f"{studio.base_url}/api/media", json=body, headers=headers, timeout=PATIENCE_S)
    except httpx2.TransportError as e:
        raise DiedEarly from e
    assert answer.is_success, answer.text


def shown(studio: KilledStudio, item: str) -> set[str]:
    """What a stranger gets of a locked item, by variant."""
    answer = httpx2.get(f"{studio.base_url}/api/media/{item}", timeout=PATIENCE_S).raise_for_status().json()
    return set(answer["urls"])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", ["folder", "radosgw"])
async def test_every_locked_item_is_blurred_at_last_and_nothing_older_is_left(
    tmp_path: Path, stub: RunningStub, rng: random.Random, servers: Servers, backend: str
) -> None:
    with KilledStudio(tmp_path / "data", stub, backend=BACKENDS[backend](servers)) as studio:
        studio.start()
        studio.people()
        for number, wish in enumerate(WISHES):
            studio.order(f"wish-{number}", wish)
        studio.wait_settled()
        items = ids(studio)
        assert len(items) == 3
        studio.stop()
        # What a kill leaves of one intensity is in the way of the next.
        for intensity, boundary in enumerate(rng.sample(BOUNDARIES, len(BOUNDARIES)), 90):
            studio.start(f"{boundary}:{rng.randint(1, 3)}")
            # Killed before it answers, it has locked them or not, and either goes on.
            with suppress(DiedEarly):
                lock(studio, items, intensity)
            studio.wait_dead()
        studio.start()
        studio.until_none(lambda: [item for item in items if "blurred" not in shown(studio, item)], "not blurred")
        studio.stop()
        studio.wait_swept()
        await studio.examine()
        store = await studio.open_store()
        found = (await store.media.search(EVERYTHING, Query(), True, None, 10)).items
        await store.close()
        assert {item.id for item in found} == set(items)
        assert [item.blurred == item.blur_intensity >= 90 for item in found] == [True] * 3
