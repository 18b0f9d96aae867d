"""Ordering over HTTP."""

import asyncio
import json
from typing import Any

import pytest

from cast import generation
from mutoscope.domain.media import Visibility
from stubs.samples import samples
from web.answers import code, fields
from web.house import BASE, GRANTED, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILM: dict[str, Any] = {"model": "local/dream", "prompt": "a lighthouse in fog", "parameters": {"duration_s": 3}}
DRIFT: dict[str, Any] = {"model": "local/drift", "prompt": "slowly", "parameters": {"duration_s": 2}}


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small real picture."""
    return samples(tmp_path_factory.mktemp("samples"))["image"]


async def test_an_order_is_accepted_and_its_price_held(house: House) -> None:
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/generations", json=FILM)
        assert answer.status_code == 202
        job = answer.json()
        assert answer.headers["location"] == f"{BASE}/api/generations/{job['id']}"
        assert (job["status"], job["tokens_held"], job["kind"], job["media"]) == ("queued", 6, "video", [])
        assert (await client.get(f"/api/generations/{job['id']}")).json() == job
        assert (await client.get("/api/tokens")).json() == {"available": GRANTED - 6, "held": 6}


async def test_the_same_key_and_body_is_the_same_job(house: House) -> None:
    async with house.as_(house.alice) as client:
        first, again = [
            await client.post("/api/generations", json=FILM, headers={"Idempotency-Key": "k"}) for _ in "12"
        ]
        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json()["id"] == again.json()["id"]
        other = await client.post("/api/generations", json=FILM | {"prompt": "x"}, headers={"Idempotency-Key": "k"})
        assert code(other) == (422, "idempotency_key_reused")
    assert (await house.balance(house.alice)).held == 6


async def test_a_key_is_of_one_person(house: House) -> None:
    made = []
    for person in (house.alice, house.bob):
        async with house.as_(person) as client:
            made.append(
                (await client.post("/api/generations", json=FILM, headers={"Idempotency-Key": "k"})).json()["id"]
            )
    assert made[0] != made[1]


@pytest.mark.parametrize("how", ["fields", "request"])
async def test_a_picture_can_come_with_the_order(house: House, picture: bytes, how: str) -> None:
    whole = DRIFT | {"seed": 5, "visibility": "private", "category_selections": {"mood": ["calm"]}}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in whole.items()}
    form = texts if how == "fields" else {"request": json.dumps(whole)}
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/generations", data=form, files={"image": ("../../etc/passwd", picture)})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["has_source"], job["seed"], job["visibility"]) == (True, 5, "private")
    assert job["category_selections"] == {"mood": ["calm"]}
    assert await house.keys() == [f"sources/{job['id']}.png"]
    assert b"".join([chunk async for chunk in house.blobs.read(f"sources/{job['id']}.png")]) == picture


async def test_a_form_in_which_no_file_was_chosen_is_an_order_without_a_picture(house: House) -> None:
    async with house.as_(house.alice) as client:
        form = {"model": "local/dream", "prompt": "x", "seed": ""}
        answer = await client.post("/api/generations", data=form, files={"image": ("", b"")})
    assert answer.status_code == 202, answer.text
    assert answer.json()["has_source"] is False


async def test_a_picture_of_the_gallery_can_be_the_source_but_not_somebody_elses_private_one(house: House) -> None:
    secret = await house.published(house.bob, Visibility.PRIVATE)
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/generations", json=DRIFT | {"source_media": secret.id})
    assert code(answer) == (404, "not_found")


async def test_jobs_are_listed_by_status_and_page_by_page(house: House) -> None:
    async with house.as_(house.alice) as client:
        made = [(await client.post("/api/generations", json=FILM)).json()["id"] for _ in range(3)]
        await client.post(f"/api/generations/{made[0]}/cancel")
        page = (await client.get("/api/generations", params={"status": "queued", "limit": 1})).json()
        assert [job["id"] for job in page["items"]] == [made[2]]
        page = (await client.get("/api/generations", params={"status": "queued", "cursor": page["next"]})).json()
        assert ([job["id"] for job in page["items"]], page["next"]) == ([made[1]], None)
        both = await client.get("/api/generations", params=[("status", "queued"), ("status", "canceled")])
        assert len(both.json()["items"]) == 3
        assert code(await client.get("/api/generations", params={"cursor": "made up"})) == (422, "invalid")
        for wrong in ({"limit": 0}, {"limit": 101}, {"status": "running"}):
            answer = await client.get("/api/generations", params=wrong)
            assert (code(answer), fields(answer)) == ((422, "invalid"), set(wrong))


async def test_a_canceled_job_gives_the_tokens_back_and_can_be_tried_again(house: House) -> None:
    async with house.as_(house.alice) as client:
        job = (await client.post("/api/generations", json=FILM)).json()
        early = await client.post(f"/api/generations/{job['id']}/retry")
        assert code(early) == (409, "wrong_state")
        canceled = (await client.post(f"/api/generations/{job['id']}/cancel")).json()
        assert (canceled["status"], canceled["tokens_held"], canceled["can_retry"]) == ("canceled", 0, True)
        assert code(await client.post(f"/api/generations/{job['id']}/cancel")) == (409, "wrong_state")
        again = await client.post(f"/api/generations/{job['id']}/retry", headers={"Idempotency-Key": "again"})
        assert (again.status_code, again.json()["retry_of"]) == (202, job["id"])
        replay = await client.post(f"/api/generations/{job['id']}/retry", headers={"Idempotency-Key": "again"})
        assert (replay.status_code, replay.json()["id"]) == (200, again.json()["id"])
    assert (await house.balance(house.alice)).held == 6


async def test_somebody_elses_job_is_not_there_and_an_administrator_sees_it(house: House) -> None:
    async with house.as_(house.alice) as client:
        job = (await client.post("/api/generations", json=FILM)).json()
    async with house.as_(house.bob) as client:
        for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
            assert code(await client.request(method, f"/api/generations/{job['id']}{path}")) == (404, "not_found")
        assert (await client.get("/api/generations")).json()["items"] == []
    async with house.as_(house.carol) as client:
        assert (await client.get(f"/api/generations/{job['id']}")).json()["id"] == job["id"]


async def test_a_finished_job_carries_its_item_with_ready_addresses(house: House) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        job = (await client.get(f"/api/generations/{item.generation_id}")).json()
        assert (job["status"], job["progress"], [m["id"] for m in job["media"]]) == ("succeeded", 1.0, [item.id])
        assert job["url"] == job["media"][0]["url"]
        assert (await client.get(job["url"])).status_code == 200


async def test_many_orders_at_once_never_overdraw(house: House) -> None:
    poor = generation(house.alice, price_each=GRANTED - 10)
    await house.store.generations.accept(poor, None, "")
    async with house.as_(house.alice) as client:
        answers = await asyncio.gather(*(client.post("/api/generations", json=FILM) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [402] * 7
    short = next(answer for answer in answers if answer.status_code == 402)
    assert (short.json()["code"], short.json()["needed"], short.json()["available"]) == ("not_enough_tokens", 6, 4)


async def test_a_stranger_orders_nothing(house: House) -> None:
    async with house.client() as client:
        assert code(await client.post("/api/generations", json=FILM)) == (401, "sign_in_needed")
        assert code(await client.get("/api/generations")) == (401, "sign_in_needed")


async def test_a_job_shows_nothing_of_the_operators_side(house: House) -> None:
    async with house.as_(house.alice) as client:
        job = (await client.post("/api/generations", json=FILM)).json()
    assert not {"upstream", "fence", "worker", "lease_until", "due_at", "owner_id", "context", "job", "outputs"} & set(
        job
    )
