"""Jobs of unknown outcome: an administrator lists them, and says what the provider knows."""

import pytest

import journey
from mutoscope.domain.generation import State
from mutoscope.domain.ids import HOUR
from web.answers import code, fields
from web.house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATH = "/api/admin/outcomes"


async def test_only_administrators_list_and_resolve(house: House) -> None:
    job = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN)
    for person, refused in ((None, (401, "sign_in_needed")), (house.alice, (403, "forbidden"))):
        async with house.as_(person) as client:
            assert code(await client.get(PATH)) == refused
            assert code(await client.post(f"{PATH}/{job.id}", json={"failed": True})) == refused
    assert await house.store.generations.get(job.id) == job


async def test_the_list_says_what_to_look_for_at_the_provider(house: House) -> None:
    await journey.accept(house.store, house.bob, created_at=house.clock.now() + HOUR, due_at=house.clock.now() + HOUR)
    job = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN)
    async with house.as_(house.carol) as client:
        (shown,) = (await client.get(PATH)).json()["items"]
    assert (shown["id"], shown["owner"], shown["upstream"]) == (job.id, "alice", job.pinned.upstream)
    assert shown["tokens_held"] == job.hold
    assert shown["released_at"] > shown["created_at"]


async def test_what_the_provider_has_goes_on_and_what_it_has_not_gives_the_tokens_back(house: House) -> None:
    before = await house.balance(house.alice)
    found = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN)
    lost = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN)
    async with house.as_(house.carol) as client:
        assert (await client.post(f"{PATH}/{found.id}", json={"provider_job": "p-1"})).json()["stage"] == "rendering"
        assert (await client.post(f"{PATH}/{lost.id}", json={"failed": True})).json()["stage"] == "failed"
        assert code(await client.post(f"{PATH}/{lost.id}", json={"failed": True})) == (409, "wrong_state")
    job = await house.store.generations.get(found.id)
    assert job is not None
    assert job.job is not None
    assert (job.job.id, job.job.reference) == ("p-1", found.id)
    balance = await house.balance(house.alice)
    assert (balance.held, balance.available) == (found.hold, before.available - found.hold)


async def test_a_result_that_turns_up_after_the_release_is_fetched_uncharged(house: House) -> None:
    job = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN)
    before = (await house.balance(house.alice)).available
    async with house.as_(house.carol) as client:
        await client.post(f"{PATH}/{job.id}", json={"failed": True})
        assert (await client.post(f"{PATH}/{job.id}", json={"provider_job": "p-1"})).json()["stage"] == "fetching"
    assert (await house.balance(house.alice)).available == before + job.hold


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, "failed"),
        ({"failed": True, "provider_job": "p-1"}, "failed"),
        ({"provider_job": ""}, "provider_job"),
        ({"provider_job": "a\nb"}, "provider_job"),
        ({"provider_job": "x" * 501}, "provider_job"),
    ],
)
async def test_an_answer_that_says_nothing_or_two_things_changes_nothing(
    house: House, body: dict[str, object], wrong: str
) -> None:
    job = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN)
    async with house.as_(house.carol) as client:
        answer = await client.post(f"{PATH}/{job.id}", json=body)
        assert (code(answer), fields(answer)) == ((422, "invalid"), {wrong})
        for id in ("gen_none", "med_1"):
            assert code(await client.post(f"{PATH}/{id}", json={"failed": True})) == (404, "not_found")
    assert await house.store.generations.get(job.id) == job
