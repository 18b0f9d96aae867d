"""A disk that fills up, or is mounted read-only, under a running studio: it lives, says so, and goes on by itself."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from crash.studio import PATIENCE_S, KilledStudio
from disks import fill, make_read_only, make_writable, small_disk
from mutoscope.domain.generation import State
from stubs.running import RunningStub

FILM = {"model": "stub/film", "prompt": "Rain on a window"}
PICTURES = {"model": "stub/picture", "prompt": "Four doors", "results": 4}


def eventually(holds: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.1)


def fill_up(filler: Path) -> bool:
    """Take what came free since the disk was full."""
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return True


def readiness(studio: KilledStudio) -> tuple[int, dict[str, str]]:
    answer = httpx2.get(f"{studio.base_url}/readyz", timeout=PATIENCE_S)
    return answer.status_code, answer.json()["parts"]


def still_reads(studio: KilledStudio) -> None:
    """The gallery, an item, and its bytes."""
    [film] = studio.films()
    assert studio.ask(f"/api/media/{film['id']}")["id"] == film["id"]
    master = httpx2.get(film["urls"]["master"], timeout=PATIENCE_S)
    assert (master.status_code, len(master.content)) == (200, film["size_bytes"])


def with_a_film(studio: KilledStudio) -> None:
    """Start it, with alice and a film of hers."""
    studio.start()
    studio.people()
    studio.order("before", FILM)
    studio.wait_settled()


async def goes_on(studio: KilledStudio) -> None:
    """All that was accepted comes to its good end, and nothing is left over."""
    studio.wait_settled()
    eventually(lambda: readiness(studio)[0] == 200, "ready again")
    studio.stop()
    studio.wait_swept()
    ended = await studio.examine()
    assert set(ended) == {State.SUCCEEDED}
    assert ended.total() == len(studio.accepted)


async def test_jobs_wait_while_the_disk_is_full_and_go_on_when_there_is_room(tmp_path: Path, stub: RunningStub) -> None:
    with small_disk(tmp_path / "data", "320m") as disk, KilledStudio(disk, stub) as studio:
        with_a_film(studio)
        assert readiness(studio)[0] == 200
        for number in range(3):
            studio.order(f"in flight {number}", PICTURES)
        filler = fill(disk)
        status, parts = readiness(studio)
        assert (status, parts["disk"]) == (503, "is nearly full")
        eventually(lambda: fill_up(filler) and "not answer" in studio.log.read_text(), "a commit that finds no room")
        still_reads(studio)
        refused = [studio.try_to_order(f"too full {number}", PICTURES) for number in range(3)]
        assert {answer.status_code for answer in refused} <= {202, 503}
        assert studio.alive()
        filler.unlink()
        for number in range(3):
            eventually(lambda n=number: studio.try_to_order(f"too full {n}", PICTURES).is_success, "an order is taken")
        await goes_on(studio)


async def test_jobs_wait_while_the_media_folder_cannot_be_written(tmp_path: Path, stub: RunningStub) -> None:
    with small_disk(tmp_path / "data" / "media", "64m") as disk, KilledStudio(tmp_path / "data", stub) as studio:
        with_a_film(studio)
        make_read_only(disk)
        studio.order("read-only", FILM)
        eventually(lambda: "BlobsUnavailable" in studio.log.read_text(), "a film that cannot be stored")
        eventually(lambda: readiness(studio)[1]["storage"] != "ok", "not ready")
        still_reads(studio)
        job = studio.ask(f"/api/generations/{studio.accepted['read-only']}")
        assert (job["status"], job["stage"]) == ("in_progress", "developing")
        make_writable(disk)
        await goes_on(studio)
