"""The gallery page and a two-word search over 100,000 items, first and deepest page, at 1 and at 8 clients, over HTTP.

Pages are made anew for each question unless a line says otherwise: answers to strangers are kept while nothing changes.
The baseline for the rate is a bare Litestar route that answers the same bytes from a process of its own, in turns.
"""

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import uvloop
from msgspec import structs

from benchmarks.claim import AT_LEAST, Claim, median
from benchmarks.serving import BareServer, Line, StudioServer
from cast import generation, media, person
from mutoscope.domain.generation import Generation, State
from mutoscope.domain.ids import SystemClock
from mutoscope.domain.media import Kind, Media, StoredFile, Variant, key_for
from mutoscope.domain.people import Role
from mutoscope.store.port import Limits
from mutoscope.store.sqlite import open_sqlite

ITEMS, EACH, SEED = 100_000, 1_000, 20261122
SECONDS, ROUNDS, PAGE = 2.0, 3, 50
WORDS = [a + b for a in ("bra", "lu", "mo", "ta", "ri", "ke", "no", "sel", "vi", "do") for b in
         ("ss", "men", "scope", "ver", "dge", "lta", "rth", "via", "on", "ra", "pe", "sto", "mi", "zu", "quin")]  # fmt: skip
MADE = {
    Variant.POSTER: "image/jpeg", Variant.THUMB_SMALL: "image/webp", Variant.THUMB_MEDIUM: "image/webp",
    Variant.THUMB_LARGE: "image/webp", Variant.PREVIEW: "video/mp4", Variant.STORYBOARD: "image/webp",
    Variant.STORYBOARD_VTT: "text/vtt",
}  # fmt: skip
WEIGHTS = [1 / (rank + 1) for rank in range(len(WORDS))]
TWO_WORDS = f"{WORDS[1]} {WORDS[2]}"
NUMBERS = itertools.count()
Ask = Callable[[], Awaitable[object]]


async def fill(data: Path) -> None:
    """Items with prompts of ten words whose frequencies fall off as words of languages do (Zipf)."""
    dice, clock = random.Random(SEED), SystemClock()
    store = await open_sqlite(data / "mutoscope.db", clock)
    alice = person("alice", Role.ADMIN)
    await store.people.add(alice, None)
    limits = Limits(per_provider={}, per_person=10)
    for _ in range(ITEMS // EACH):
        job = generation(alice, results=EACH, price_each=0)
        await store.generations.accept(job, None, "")
        now = clock.now()
        claimed = await store.generations.claim(frozenset({State.QUEUED}), "w", now, now + 60_000, limits)
        assert claimed is not None
        begun = await store.generations.begin(job.id, claimed.fence, now, now + 60_000)
        for from_, to in ((State.SUBMITTING, State.FETCHING), (State.FETCHING, State.DEVELOPING)):
            begun = await store.generations.advance(job.id, begun.fence, from_, to, now)
        held = await store.generations.claim(frozenset({State.DEVELOPING}), "w", now, now + 60_000, limits)
        assert held is not None
        items = [_item(job, place, dice) for place in range(EACH)]
        await store.generations.publish(job.id, held.fence, now, items, 0)
    await store.close()


def _item(job: Generation, place: int, dice: random.Random) -> Media:
    """A film with all its files, as the darkroom leaves it."""
    prompt = " ".join(dice.choices(WORDS, WEIGHTS, k=10))
    item = media(job, place, prompt=prompt, title=prompt[:40], description=prompt)
    made = {variant: StoredFile(key=key_for(Kind.VIDEO, item.id, variant, type_), mime_type=type_, size_bytes=30_000)
            for variant, type_ in MADE.items()}  # fmt: skip
    return structs.replace(item, files=item.files | made)


class Asker:
    """Asks for one page over a connection, as new each time or always the same."""

    def __init__(self, line: Line, cursor: str | None, query: str, new: bool) -> None:
        params = {"limit": str(PAGE), "q": query} | ({"cursor": cursor} if cursor else {})
        self._line, self._target, self._new = line, "/api/media?" + urlencode(params), new

    async def ask(self) -> None:
        # A parameter that nobody reads makes it a question that was not answered before.
        await self._line.get(self._target + (f"&_={next(NUMBERS)}" if self._new else ""))


async def pace(asks: Sequence[Ask]) -> tuple[float, float]:
    """Median milliseconds of an answer, and answers per second, of clients that each ask again and again."""
    taken: list[float] = []
    end = time.perf_counter() + SECONDS

    async def client(ask: Ask) -> None:
        while (began := time.perf_counter()) < end:
            await ask()
            taken.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*map(client, asks))
    return median(taken), len(taken) / SECONDS


async def deepest(http: httpx2.AsyncClient, query: str) -> tuple[str, int]:
    """The cursor before the last full page, and how many items there are: found by walking to the end."""
    cursors: list[str] = []
    while True:
        params = {"limit": PAGE, "q": query} | ({"cursor": cursors[-1]} if cursors else {})
        answer = (await http.get("/api/media", params=params)).raise_for_status().json()
        if answer["next"] is None:
            return cursors[-2], len(cursors) * PAGE + len(answer["items"])
        cursors.append(answer["next"])


async def pages(
    base_url: str, name: str, query: str, cursor: str, clients: int, plain: Ask | None
) -> AsyncIterator[Claim]:
    """First and deepest page, made anew for each question, in turns; and ``plain`` with them where there is one."""
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Line(base_url)) for _ in range(clients)]
        asks = [[Asker(line, place, query, new=True).ask for line in lines] for place in (None, cursor)]
        asks += [[plain] * clients] if plain else []
        rounds = [[(await pace(each))[0] for each in asks] for _ in range(ROUNDS)]
    first, deep, *alone = (median(column) for column in zip(*rounds, strict=True))
    plural = "s" if clients > 1 else ""
    yield Claim(
        what=f"{name}, first page, {clients} client{plural}", value=first, unit="ms",
        baseline="50 documents by their ids" if alone else "", baseline_value=alone[0] if alone else None,
        aim=15 if clients == 1 else None,
    )  # fmt: skip
    yield Claim(
        what=f"{name}, deepest page, {clients} client{plural}", value=deep, unit="ms", baseline="first",
        baseline_value=first, aim=1.3 if clients == 1 else None, of_ratio=True,
    )  # fmt: skip


async def rates(base_url: str, body: bytes, clients: int, keeps: bool) -> AsyncIterator[Claim]:
    """The page made anew each time, against a bare route; where the studio keeps answers, as strangers get it too."""
    with BareServer(body) as bare:
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(Line(base_url)) for _ in range(clients)]
            others = [await stack.enter_async_context(Line(bare.base_url)) for _ in range(clients)]
            kept, new = ([Asker(line, None, "", new=new).ask for line in lines] for new in (False, True))
            plain = [partial(line.get, "/") for line in others]
            rounds = [[(await pace(asks))[1] for asks in (kept, new, plain)] for _ in range(ROUNDS)]
    as_kept, as_new, as_plain = (median(column) for column in zip(*rounds, strict=True))
    name = f"a bare route with the same {len(body):,} bytes"
    if keeps:
        yield Claim(
            what=f"gallery page while nothing changes, {clients} clients", value=as_kept, unit="per s", baseline=name,
            baseline_value=as_plain, aim=0.6, direction=AT_LEAST, of_ratio=True,
        )  # fmt: skip
    yield Claim(
        what=f"gallery page made anew, {clients} clients", value=as_new, unit="per s", baseline=name,
        baseline_value=as_plain,
    )  # fmt: skip


async def measure(base_url: str, plain: Ask | None = None, keeps: bool = True) -> list[Claim]:
    """All of it at a studio. ``plain`` gets the documents of a page without the studio.

    ``keeps``: whether the studio keeps answers to strangers, which it cannot where others write to the store too.
    """
    claims: list[Claim] = []
    async with httpx2.AsyncClient(base_url=base_url, timeout=60) as http:
        body = (await http.get("/api/media", params={"limit": PAGE})).raise_for_status().content
        for name, query in (("gallery", ""), ("two-word search", TWO_WORDS)):
            cursor, count = await deepest(http, query)
            for clients in (1, 8):
                claims += [
                    claim
                    async for claim in pages(base_url, f"{name} of {count:,} items", query, cursor, clients, plain)
                ]
    return [*claims, *[claim async for claim in rates(base_url, body, 8, keeps)]]


def run() -> Iterator[Claim]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        asyncio.run(fill(data))
        with StudioServer(data) as server:
            yield from uvloop.run(measure(server.base_url))
