"""The gallery page and a two-word search over 100,000 items, first and deepest page, at 1 and at 8 clients, over HTTP.

The baseline for the rate is a bare Litestar route that answers the same bytes, in the same process at the same time.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx2
from msgspec import structs

from benchmarks.claim import AT_LEAST, Claim, median
from benchmarks.serving import BareServer, StudioServer
from cast import generation, media, person
from mutoscope.domain.generation import State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.people import Role
from mutoscope.store.port import Limits
from mutoscope.store.sqlite import open_sqlite

ITEMS, EACH, SEED = 100_000, 1_000, 20261122
SECONDS, ROUNDS, PAGE = 2.0, 3, 50
WORDS = [a + b for a in ("bra", "lu", "mo", "ta", "ri", "ke", "no", "sel", "vi", "do") for b in
         ("ss", "men", "scope", "ver", "dge", "lta", "rth", "via", "on", "ra", "pe", "sto", "mi", "zu", "quin")]  # fmt: skip
WEIGHTS = [1 / (rank + 1) for rank in range(len(WORDS))]
TWO_WORDS = f"{WORDS[1]} {WORDS[2]}"


async def fill(data: Path) -> None:
    """Items with prompts of ten words whose frequencies fall off as words of languages do (Zipf)."""
    dice, clock = random.Random(SEED), SystemClock()
    store = await open_sqlite(data / "mutoscope.db", clock)
    alice = person("alice", Role.ADMIN)
    await store.people.add(alice, None)
    limits = Limits(per_provider={}, per_person=10)
    for _ in range(ITEMS // EACH):
        job = generation(alice, media_ids=("x",))
        job = structs.replace(job, pinned=structs.replace(job.pinned, price_each=0))
        await store.generations.accept(job, None, "")
        now = clock.now()
        claimed = await store.generations.claim(frozenset({State.QUEUED}), "w", now, now + 60_000, limits)
        assert claimed is not None
        begun = await store.generations.begin(job.id, claimed.fence, now, now + 60_000)
        for from_, to in ((State.SUBMITTING, State.FETCHING), (State.FETCHING, State.DEVELOPING)):
            begun = await store.generations.advance(job.id, begun.fence, from_, to, now)
        held = await store.generations.claim(frozenset({State.DEVELOPING}), "w", now, now + 60_000, limits)
        assert held is not None
        items = [_item(job, dice) for _ in range(EACH)]
        await store.generations.publish(job.id, held.fence, now, items, 0)
    await store.close()


def _item(job: object, dice: random.Random) -> object:
    prompt = " ".join(dice.choices(WORDS, WEIGHTS, k=10))
    return structs.replace(media(job), prompt=prompt, title=prompt[:40], description=prompt)


async def latencies(ask: Callable[[], Awaitable[object]], clients: int) -> tuple[float, float]:
    """Median milliseconds, and answers per second."""
    taken: list[float] = []
    end = time.perf_counter() + SECONDS

    async def client() -> None:
        while (began := time.perf_counter()) < end:
            await ask()
            taken.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(client() for _ in range(clients)))
    return median(taken), len(taken) / SECONDS


async def deepest(http: httpx2.AsyncClient, query: str) -> str | None:
    """The cursor of the last full page but one, found by asking for the oldest first."""
    cursor: str | None = None
    answer = (await http.get("/api/media", params={"limit": PAGE, "q": query, "sort": "newest"})).json()
    while answer["next"]:
        cursor = answer["next"]
        answer = (await http.get("/api/media", params={"limit": 100, "q": query, "cursor": cursor})).json()
    return cursor


async def measure(server: StudioServer) -> list[Claim]:
    claims: list[Claim] = []
    async with httpx2.AsyncClient(base_url=server.base_url, timeout=60) as http:
        for name, query in (("gallery page", ""), ("two-word search", TWO_WORDS)):
            last = await deepest(http, query)

            def asker(cursor: str | None, query: str = query) -> Callable[[], Awaitable[object]]:
                params = {"limit": PAGE, "q": query} | ({"cursor": cursor} if cursor else {})
                return lambda: http.get("/api/media", params=params)

            for clients in (1, 8):
                rounds = [
                    (await latencies(asker(None), clients), await latencies(asker(last), clients))
                    for _ in range(ROUNDS)
                ]
                first = median([first for (first, _), _ in rounds])
                deep = median([deep for _, (deep, _) in rounds])
                aim = 15.0 if clients == 1 else None
                claims.append(Claim(what=f"{name}, first, {clients} clients", value=first, unit="ms", aim=aim))
                claims.append(
                    Claim(
                        what=f"{name}, deepest, {clients} clients",
                        value=deep,
                        unit="ms",
                        baseline="first",
                        baseline_value=first,
                        aim=1.3 if clients == 1 else None,
                        of_ratio=True,
                    )
                )
        claims.append(await against_bare(http))
    return claims


async def against_bare(http: httpx2.AsyncClient) -> Claim:
    body = (await http.get("/api/media", params={"limit": PAGE})).content
    with BareServer(body) as bare:
        async with httpx2.AsyncClient(base_url=bare.base_url, timeout=60) as plain:
            rounds = [
                (
                    (await latencies(lambda: http.get("/api/media", params={"limit": PAGE}), 8))[1],
                    (await latencies(lambda: plain.get("/"), 8))[1],
                )
                for _ in range(ROUNDS)
            ]
    return Claim(
        what="gallery page, 8 clients", value=median([ours for ours, _ in rounds]), unit="per s",
        baseline=f"a bare route with the same {len(body)} bytes", baseline_value=median([bare for _, bare in rounds]),
        aim=0.6, direction=AT_LEAST, of_ratio=True,
    )  # fmt: skip


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        asyncio.run(fill(data))
        with StudioServer(data) as server:
            yield from asyncio.run(measure(server))
