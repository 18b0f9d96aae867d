"""From the last byte that the provider sends to the card: the event at a browser, and the item in the gallery.

A clip of 5 s at 720p. The baseline is the darkroom's work on the same file alone (`develop`), in a warm jail.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from benchmarks.claim import Claim, median
from benchmarks.films import clip
from benchmarks.serving import GivingServer, StudioServer
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.darkroom.port import MediaLimits

ROUNDS, CLIP_S, PATIENCE_S = 7, 5.0, 60.0
LIMITS = MediaLimits(size_bytes=1 << 30, pixels=1 << 26, duration_s=600)


async def bare_s(darkroom: JailedDarkroom, film: Path, work: Path) -> float:
    """Seconds of the darkroom's work alone."""
    await asyncio.to_thread(work.mkdir, parents=True)
    began = time.monotonic()
    await darkroom.develop(film, work, LIMITS)
    return time.monotonic() - began


async def arrival_s(http: httpx2.AsyncClient, giver: GivingServer, headers: dict[str, str]) -> tuple[float, float]:
    """Seconds from the last byte to the event at a stranger's browser, and to the item in the gallery's answer."""
    listening, order = asyncio.Event(), {"model": "stub/film", "prompt": "a film that is ready"}

    async def card() -> tuple[float, float]:
        async with http.stream("GET", "/api/events") as events:
            async for line in events.aiter_lines():
                if line == "event: hello":
                    listening.set()
                if line == "event: media":
                    told_at = time.monotonic()
                    page = (await http.get("/api/media")).raise_for_status().json()
                    assert page["items"][0]["generation"] is None, "a stranger asks"
                    return told_at, time.monotonic()
        raise AssertionError("the stream has ended")

    waiting = asyncio.create_task(card())
    await asyncio.wait_for(listening.wait(), PATIENCE_S)
    job = (await http.post("/api/generations", json=order, headers=headers)).raise_for_status().json()
    told_at, shown_at = await asyncio.wait_for(waiting, PATIENCE_S)
    given_at = await asyncio.to_thread(giver.given_at)
    await _whole(http, headers, job["id"])
    return told_at - given_at, shown_at - given_at


async def _whole(http: httpx2.AsyncClient, headers: dict[str, str], id: str) -> None:
    """Wait for the previews, so that the next round begins at rest."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        job = (await http.get(f"/api/generations/{id}", headers=headers)).raise_for_status().json()
        if job["media"] and job["media"][0]["previews"] == "done":
            return
        assert time.monotonic() < deadline, job
        await asyncio.sleep(0.05)


async def measure(folder: Path) -> list[tuple[float, float, float]]:
    film, darkroom = folder / "clip.mp4", JailedDarkroom()
    clip(film, CLIP_S)
    rounds: list[tuple[float, float, float]] = []
    with GivingServer(film) as giver, StudioServer(folder / "data", giver.base_url) as server:
        headers = server.join()
        async with httpx2.AsyncClient(base_url=server.base_url, timeout=PATIENCE_S) as http:
            for turn in range(ROUNDS + 1):
                alone = await bare_s(darkroom, film, folder / f"work-{turn}")
                rounds.append((*await arrival_s(http, giver, headers), alone))
    await darkroom.close()
    return rounds[1:]  # the first starts both jails


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as folder:
        told, shown, alone = (median(column) for column in zip(*asyncio.run(measure(Path(folder))), strict=True))
    yield Claim(what="last byte to event", value=told, unit="s", baseline="darkroom alone", baseline_value=alone)
    yield Claim(
        what="last byte to card in the gallery", value=shown, unit="s", baseline="darkroom alone",
        baseline_value=alone, aim=1.0,
    )  # fmt: skip
