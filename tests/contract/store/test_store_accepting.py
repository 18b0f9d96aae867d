"""Taking orders: what an accepted job holds, keys that order once, and lists."""

import asyncio

import pytest

import cast
import journey
from cast import NOON
from mutoscope.domain.errors import IdempotencyMismatch, Invalid, NotEnoughTokens
from mutoscope.domain.generation import State
from mutoscope.domain.ids import DAY
from mutoscope.domain.ledger import Balance
from mutoscope.domain.people import Person
from mutoscope.store.port import GenerationFilter, Store

S = State


async def balance(store: Store, person: Person) -> tuple[int, int]:
    found = await store.ledger.balance(person.id)
    return found.available, found.held


async def test_accepting_a_job_holds_its_price(store: Store, alice: Person) -> None:
    made = cast.generation(alice, results=3)
    accepted, stood_before = await store.generations.accept(made, None, "")
    assert (accepted, stood_before) == (made, False)
    assert await store.generations.get(made.id) == made
    assert await store.ledger.balance(alice.id) == Balance(available=70, held=30)


async def test_an_unknown_job_is_none(store: Store) -> None:
    assert await store.generations.get(cast.ids.new("gen")) is None


async def test_a_job_that_costs_more_than_is_available_is_refused_whole(store: Store, alice: Person) -> None:
    made = cast.generation(alice, price_each=101)
    with pytest.raises(NotEnoughTokens) as refused:
        await store.generations.accept(made, "key", "body")
    assert refused.value.extra == {"needed": 101, "available": 100}
    assert await store.generations.get(made.id) is None
    assert await balance(store, alice) == (100, 0)
    # The key is free as well: the same request works once there are tokens.
    await store.ledger.post(cast.grant(alice, 1))
    assert (await store.generations.accept(made, "key", "body"))[1] is False


async def test_a_free_job_needs_no_tokens(store: Store) -> None:
    poor = await journey.join(store, cast.bob(), tokens=0)
    job = await journey.at(store, poor, S.DEVELOPING, price_each=0)
    done = await store.generations.publish(job.id, job.fence, NOON, [cast.media(job)], captured=0)
    assert (done.state, done.captured) == (S.SUCCEEDED, 0)
    assert await balance(store, poor) == (0, 0)


async def test_the_same_key_and_body_give_the_same_job_and_hold_once(store: Store, alice: Person) -> None:
    first, _ = await store.generations.accept(cast.generation(alice), "key", "body")
    again = await store.generations.accept(cast.generation(alice), "key", "body")
    assert again == (first, True)
    assert await balance(store, alice) == (90, 10)


async def test_many_requests_with_one_key_at_once_make_one_job(store: Store, alice: Person) -> None:
    answers = await asyncio.gather(
        *(store.generations.accept(cast.generation(alice), "key", "body") for _ in range(16))
    )
    assert len({job.id for job, _ in answers}) == 1
    assert [before for _, before in answers].count(False) == 1
    assert await balance(store, alice) == (90, 10)


async def test_the_same_key_with_another_body_is_refused(store: Store, alice: Person) -> None:
    await store.generations.accept(cast.generation(alice), "key", "body")
    with pytest.raises(IdempotencyMismatch):
        await store.generations.accept(cast.generation(alice), "key", "another body")
    assert await balance(store, alice) == (90, 10)


async def test_keys_of_two_people_do_not_meet(store: Store, alice: Person, bob: Person) -> None:
    hers, _ = await store.generations.accept(cast.generation(alice), "key", "body")
    his, before = await store.generations.accept(cast.generation(bob), "key", "another body")
    assert hers.id != his.id
    assert not before


async def test_a_replayed_key_shows_the_job_as_it_is_now(store: Store, alice: Person) -> None:
    first, _ = await store.generations.accept(cast.generation(alice), "key", "body")
    canceled = await store.generations.cancel(first.id, NOON)
    assert await store.generations.accept(cast.generation(alice), "key", "body") == (canceled, True)


async def test_a_key_is_looked_up_without_holding_or_using_it(store: Store, alice: Person, bob: Person) -> None:
    assert await store.generations.of_key(alice.id, "key", "body", NOON) is None
    first, before = await store.generations.accept(cast.generation(alice), "key", "body")
    assert not before
    canceled = await store.generations.cancel(first.id, NOON)
    assert await store.generations.of_key(alice.id, "key", "body", NOON) == canceled
    assert await store.generations.of_key(bob.id, "key", "body", NOON) is None
    with pytest.raises(IdempotencyMismatch):
        await store.generations.of_key(alice.id, "key", "another body", NOON)
    assert await balance(store, alice) == (100, 0)


async def test_a_key_that_is_looked_up_is_forgotten_when_it_would_be_for_an_order(store: Store, alice: Person) -> None:
    await store.generations.accept(cast.generation(alice, created_at=NOON), "key", "body")
    later = NOON + 30 * DAY
    assert await store.generations.of_key(alice.id, "key", "another body", later) is None
    assert (await store.generations.accept(cast.generation(alice, created_at=later), "key", "another body"))[1] is False


async def test_sixty_four_requests_at_once_never_overdraw(store: Store, alice: Person) -> None:
    answers = await asyncio.gather(
        *(store.generations.accept(cast.generation(alice, price_each=7), None, "") for _ in range(64)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 100 // 7
    assert sum(isinstance(answer, NotEnoughTokens) for answer in answers) == 64 - 100 // 7
    assert await balance(store, alice) == (2, 98)


async def test_jobs_are_listed_newest_first_in_pages(store: Store, alice: Person, bob: Person) -> None:
    made = [await journey.accept(store, alice, price_each=1, created_at=NOON + n // 3) for n in range(10)]
    await journey.accept(store, bob)
    newest = [job.id for job in sorted(made, key=lambda job: (job.created_at, job.id), reverse=True)]
    seen: list[str] = []
    cursor = None
    while True:
        page = await store.generations.list(GenerationFilter(owner_id=alice.id), cursor, 3)
        seen += [job.id for job in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == newest


async def test_jobs_are_listed_by_state(store: Store, alice: Person, bob: Person) -> None:
    rendering = await journey.at(store, alice, S.RENDERING)
    canceled = await store.generations.cancel((await journey.accept(store, alice)).id, NOON)
    queued = await journey.accept(store, bob)

    async def listed(owner: Person | None, *states: State) -> set[str]:
        filter = GenerationFilter(owner_id=owner and owner.id, states=frozenset(states) or None)
        return {job.id for job in (await store.generations.list(filter, None, 10)).items}

    assert await listed(None) == {rendering.id, canceled.id, queued.id}
    assert await listed(alice) == {rendering.id, canceled.id}
    assert await listed(None, S.RENDERING, S.QUEUED) == {rendering.id, queued.id}
    assert await listed(alice, S.QUEUED) == set()


@pytest.mark.parametrize("cursor", ["nonsense", "%%%", "WyJuZXdlc3QiLDFd", "bnVsbA", "é"])
async def test_a_cursor_that_is_none_of_ours_is_refused_by_the_list_of_jobs(store: Store, cursor: str) -> None:
    with pytest.raises(Invalid):
        await store.generations.list(GenerationFilter(), cursor, 3)
