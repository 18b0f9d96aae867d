"""Two stores of different makes that are asked the same and must answer the same, and the words to ask them with."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant

import cast
from mutoscope.domain import search
from mutoscope.domain.errors import Refused, StaleFence
from mutoscope.domain.ids import SECOND, Millis
from mutoscope.store.port import Page, Store

T = TypeVar("T")
Said = list[tuple[str, str, int]]
"""What events say: kind, id and version."""

PAGES = 200
"""Where a walk that does not end is given up."""
NO_JOB, NO_ITEM, NOBODY = (f"{kind}_00000000000000000000000000" for kind in ("gen", "med", "usr"))
ENOUGH = 1_000
"""More events than come between two looks."""

PROSE = (
    "a lighthouse in fog", "Fog, foggy fog-horn", "夜空の灯台", "夜", "灯台と海 sea", "한국어 시", "cafe\u0301 au lait", "café Ünder",
    "l'été, don't", 'it\'s "quoted" \\ 100 %_', "🏮 lantern 👩‍🚀 a", "İstanbul Straße ſ ﬁlm ⅷ", "हिन्दी में", "a\0b nul", "", " \t\n",
    '$where {"$gt": 1} a.b', "in:gallery kind:image", "x" * 5_000, " ".join(f"word{n}" for n in range(200)), "\u202e\ufeff",
    "\U0010ffff\U0001f3ee\U00020000",
)  # fmt: skip
letters = st.characters(exclude_categories=["Cs"])
"""All but the halves of characters, which are no text."""
texts = st.integers(0, len(PROSE) - 1).map(PROSE.__getitem__) | st.text(letters, max_size=12)
names = st.text(letters.filter(lambda letter: letter != "\0"), max_size=6) | st.sampled_from(
    ["$set", "a.b", "_id", "."]
)
"""Names of fields, which have no NUL in BSON."""
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=3,
)  # fmt: skip
WORDS = sorted({word for text in PROSE for word in search.words(text)[:6]})

people, claims = Bundle("people"), Bundle("claims")
"""Ids of people, and jobs as they were when they were claimed: some of these fences are old."""
which = st.integers(0, 99)
"""One of the jobs or items that there are, or none of them."""


class Places:
    """Where each of the two is in its stream of events: their cursors are their own."""

    def __init__(self, cursors: Iterable[str]) -> None:
        self.cursors = list(cursors)


class Twins:
    """The two, in one event loop. ``differ`` stands once they have not answered the same."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stores: Sequence[Store]) -> None:
        self._loop, self.stores = loop, stores
        self.differ = False

    def ask(self, work: Callable[[Store], Awaitable[T]]) -> T | None:
        """What both answer, None when both refuse; a difference ends the test. Raises what is no refusal."""
        one, other = self.run(self._both(work))
        self._same(_plain(one), _plain(other))
        return None if isinstance(one, Exception) else one

    def heads(self) -> Places:
        """Where their streams end."""
        return Places(self.run(_gather(store.events.head() for store in self.stores)))

    def hear(self, places: Places, audiences: Sequence[str], limit: int) -> Said | None:
        """What the audiences hear after those places, which move on; None when it is no longer kept."""
        asked = zip(self.stores, places.cursors, strict=True)
        answers = self.run(_gather(store.events.after(place, audiences, limit) for store, place in asked))
        one, other = (answer and [(event.kind, event.id, event.version) for event in answer[0]] for answer in answers)
        self._same(one, other)
        places.cursors = [answer[1] for answer in answers if answer] or places.cursors
        return one

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _both(self, work: Callable[[Store], Awaitable[T]]) -> list[T | Exception]:
        return await _gather(_outcome(work(store)) for store in self.stores)

    def _same(self, one: object, other: object) -> None:
        self.differ = self.differ or one != other
        assert one == other, f"{one!r} is not {other!r}"


async def walk(page: Callable[[str | None], Awaitable[Page[T]]]) -> list[Sequence[T]]:
    """All pages, from the first to the one without a next."""
    found: list[Sequence[T]] = []
    cursor: str | None = None
    for _ in range(PAGES):
        here = await page(cursor)
        found.append(here.items)
        cursor = here.next
        if cursor is None:
            return found
    raise AssertionError(f"there is still a page after {PAGES}")


async def _gather(works: Iterable[Awaitable[T]]) -> list[T]:
    return await asyncio.gather(*works)


async def _outcome(answer: Awaitable[T]) -> T | Exception:
    try:
        return await answer
    except (Refused, StaleFence, ValueError) as refusal:
        return refusal


def _plain(answer: Any) -> object:
    """An exception by its type and all that it says; an answer by every field and its type (1 and 1.0 differ here)."""
    if isinstance(answer, Exception):
        return type(answer), str(answer), getattr(answer, "extra", None)
    return msgspec.json.encode(answer, order="deterministic")


class Pair(RuleBasedStateMachine):
    """The twins with one hand clock for both, and ears that listen all the time."""

    def __init__(self, open_twins: Callable[[cast.HandClock], Coroutine[Any, Any, Sequence[Store]]]) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = cast.HandClock()
        self.twins = Twins(self.loop, self.loop.run_until_complete(open_twins(self.clock)))
        self.ask = self.twins.ask
        self.ears: dict[str, Places] = {}
        self.ordered: list[str] = []
        self.published: list[str] = []
        self.sold: list[str] = []
        self.patches = ExitStack()
        self._numbers = itertools.count(1)

    def now(self) -> Millis:
        """A second later than ever before: of jobs that fell due at one time the port does not say which comes first."""
        return self.clock.tick(SECOND)

    def later(self, seconds: int) -> Millis:
        """A moment at which nothing else falls due."""
        return self.clock.now() + seconds * SECOND + next(self._numbers) % SECOND

    def new(self, kind: str) -> str:
        """A name that was not used before."""
        return f"{kind}-{next(self._numbers)}"

    def job(self, which: int) -> str:
        """The id of a job, now and then of none."""
        return self.ordered[which % len(self.ordered)] if self.ordered and which % 8 else NO_JOB

    def item(self, which: int) -> str:
        """The id of an item, now and then of none."""
        return self.published[which % len(self.published)] if self.published and which % 8 else NO_ITEM

    @invariant()
    def everyone_hears_the_same(self) -> None:
        for audience, places in self.ears.items():
            assert self.twins.hear(places, [audience], ENOUGH) is not None

    def compare(self) -> None:
        """Ask for everything that there is."""
        raise NotImplementedError

    def teardown(self) -> None:
        try:
            if not self.twins.differ:
                self.compare()
        finally:
            self.patches.close()
            for store in self.twins.stores:
                self.twins.run(store.close())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
