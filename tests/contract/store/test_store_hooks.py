"""Calls of providers: each delivery is kept once, with the job that it named, and not for ever."""

import asyncio

from cast import NOON
from mutoscope.domain.generation import ProviderJob
from mutoscope.store.port import Store

ONE, TWO = (ProviderJob(id=f"p-{n}", reference="gen_1", data={"status": f"https://p.example/{n}"}) for n in (1, 2))


async def test_a_delivery_is_new_once(store: Store) -> None:
    assert await store.hooks.record("fal", "d-1", "gen_1", NOON)
    assert not await store.hooks.record("fal", "d-1", "gen_1", NOON + 1)
    assert not await store.hooks.record("fal", "d-1", "gen_2", NOON + 1)
    assert await store.hooks.record("fal", "d-2", "gen_1", NOON)
    assert await store.hooks.record("replicate", "d-1", "gen_1", NOON)


async def test_of_many_who_bring_the_same_at_once_one_is_the_first(store: Store) -> None:
    new = await asyncio.gather(*(store.hooks.record("fal", "d", "gen_1", NOON) for _ in range(8)))
    assert sorted(new) == [False] * 7 + [True]


async def test_the_last_job_that_was_named_is_found_by_provider_and_reference(store: Store) -> None:
    assert await store.hooks.job("fal", "gen_1") is None
    await store.hooks.record("fal", "d-1", "gen_1", NOON)
    assert await store.hooks.job("fal", "gen_1") is None
    await store.hooks.record("fal", "d-2", "gen_1", NOON, ONE)
    await store.hooks.record("fal", "d-3", "gen_1", NOON + 1, TWO)
    await store.hooks.record("fal", "d-4", "gen_1", NOON + 2)
    assert await store.hooks.job("fal", "gen_1") == TWO
    assert await store.hooks.job("replicate", "gen_1") is None
    assert await store.hooks.job("fal", "gen_2") is None


async def test_a_delivery_that_comes_again_changes_nothing_of_what_was_kept(store: Store) -> None:
    await store.hooks.record("fal", "d-1", "gen_1", NOON, ONE)
    await store.hooks.record("fal", "d-1", "gen_2", NOON + 1, TWO)
    assert await store.hooks.job("fal", "gen_1") == ONE
    assert await store.hooks.job("fal", "gen_2") is None


async def test_what_is_old_is_forgotten_and_would_be_new_again(store: Store) -> None:
    await store.hooks.record("fal", "old", "gen_1", NOON - 1, ONE)
    await store.hooks.record("fal", "young", "gen_2", NOON, TWO)
    await store.hooks.prune(NOON)
    assert await store.hooks.job("fal", "gen_1") is None
    assert await store.hooks.job("fal", "gen_2") == TWO
    assert await store.hooks.record("fal", "old", "gen_1", NOON)
    assert not await store.hooks.record("fal", "young", "gen_2", NOON)


async def test_nobody_hears_of_a_call(store: Store) -> None:
    since = await store.events.head()
    await store.hooks.record("fal", "d-1", "gen_1", NOON, ONE)
    assert await store.events.head() == since
