"""Models that cannot be ordered: listed with the reason, refused with it, and greyed on the page."""

import re
from datetime import date

import msgspec
import pytest

import journey
from mutoscope.domain.events import PUBLIC
from mutoscope.providers.catalogue import Catalogue
from web.answers import code, fields
from web.house import OUR_PAGE, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

DREAM, DRIFT, STILL = "local/dream", "local/drift", "local/still"
ORDER = {"model": DREAM, "prompt": "A pier at night"}
BROWSER = {"Accept": "text/html", **OUR_PAGE}


async def retire(house: House, model: str = DREAM) -> None:
    await house.store.models.retire(model, model.partition("/")[2], "410 from the provider", house.clock.now())


def change(house: House, monkeypatch: pytest.MonkeyPatch, id: str = DREAM, **keys: object) -> None:
    """Change a model of the catalogue."""
    models = {model.id: model for model in house.catalogue.models()}
    models[id] = msgspec.structs.replace(models[id], **keys)
    monkeypatch.setattr(Catalogue, "models", lambda _: list(models.values()))
    monkeypatch.setattr(Catalogue, "get", lambda _, id: models[id])


async def status(house: House, model: str = DREAM) -> tuple[str, bool, str]:
    async with house.as_(None) as client:
        items = (await client.get("/api/models")).json()["items"]
    [found] = [item for item in items if item["id"] == model]
    usable = [item["usable"] for item in items]
    assert usable == sorted(usable, reverse=True), "those that can be used come first"
    return found["status"], found["usable"], found["why"]


async def test_a_model_that_its_provider_said_to_be_gone_is_listed_so_and_not_ordered(house: House) -> None:
    assert await status(house) == ("usable", True, "")
    await retire(house)
    said = "Local dream is retired: its provider said on 2026-11-22 that it is gone. Choose another model."
    assert await status(house) == ("retired", False, said)
    async with house.as_(house.alice) as client:
        for path in ("/api/generations", "/api/quotes"):
            answer = await client.post(path, json=ORDER)
            assert (code(answer), fields(answer)) == ((422, "model_retired"), {"model"})
            assert answer.json()["detail"] == said
        assert (await client.post("/api/quotes", json=ORDER | {"model": STILL})).status_code == 200
    assert (await house.balance(house.alice)).held == 0


async def test_another_upstream_in_the_catalogue_brings_it_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await retire(house)
    change(house, monkeypatch, upstream="dream-2")
    assert await status(house) == ("usable", True, "")


async def test_the_operator_brings_it_back_and_everyone_hears_of_it(house: House) -> None:
    await retire(house)
    since = await house.store.events.head()
    restored = await house.studio.generate.restore_model(DREAM)
    assert restored.usable
    assert await status(house) == ("usable", True, "")
    found = await house.store.events.after(since, [PUBLIC], 9)
    assert found is not None
    assert [(event.kind, event.id) for event in found[0]] == [("model", DREAM)]


async def test_a_retired_job_is_not_tried_again_with_the_same_model(house: House) -> None:
    old = await journey.failed(house.store, house.alice, house.clock.now())
    await retire(house)
    async with house.as_(house.alice) as client:
        answer = await client.post(f"/api/generations/{old.id}/retry")
        assert (code(answer), fields(answer)) == ((422, "model_retired"), {"model"})
        assert (await client.get(f"/api/generations/{old.id}")).json()["status"] == "failed"
    assert (await house.balance(house.alice)).held == 0


async def test_a_repeated_order_gets_its_job_though_the_model_is_gone_by_now(house: House) -> None:
    async with house.as_(house.alice) as client:
        key = {"Idempotency-Key": "once"}
        first = await client.post("/api/generations", json=ORDER, headers=key)
        await retire(house)
        again = await client.post("/api/generations", json=ORDER, headers=key)
        other = await client.post("/api/generations", json=ORDER, headers={"Idempotency-Key": "twice"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    assert code(other) == (422, "model_retired")


async def test_a_date_that_has_come_retires_and_what_to_use_instead_is_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(house, monkeypatch, retires_on=date(2026, 11, 23))
    assert (await status(house))[0] == "usable"
    change(house, monkeypatch, retires_on=date(2026, 11, 22), instead=DRIFT)
    why = "Local dream was retired on 2026-11-22. Use Local drift (local/drift) instead."
    assert await status(house) == ("retired", False, why)
    async with house.as_(house.alice) as client:
        assert (await client.post("/api/quotes", json=ORDER)).json()["detail"] == why


async def test_the_page_shows_it_greyed_and_chooses_what_to_use_instead(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(house, monkeypatch, instead=DRIFT)
    await retire(house)
    async with house.client({**BROWSER, "Cookie": await house.session(house.alice)}) as client:
        page = (await client.get(f"/create?model={DREAM}")).text
    why = "its provider said on 2026-11-22 that it is gone. Use Local drift (local/drift) instead."
    assert page.count(why) == 2, "on the card, and as the complaint about what was asked for"
    assert re.search(rf'value="{DREAM}"[^>]* disabled>', page)
    assert re.search(rf'value="{DRIFT}"[^>]* checked>', page)
    assert f'name="{DREAM}:duration_s"' not in page


async def test_an_open_page_that_orders_a_model_that_is_gone_keeps_the_words_and_orders_nothing(house: House) -> None:
    order = {"model": DREAM, "prompt": "Kept", "shown": "10", "key": "k"}
    async with house.client({**BROWSER, "Cookie": await house.session(house.alice)}) as client:
        assert (await client.get("/create")).status_code == 200
        await retire(house)
        answer = await client.post("/create", files={name: (None, text) for name, text in order.items()})
    assert answer.status_code == 422
    assert 'id="w-model"' in answer.text
    assert "its provider said on 2026-11-22 that it is gone" in answer.text
    assert ">Kept</textarea>" in answer.text
    assert (await house.balance(house.alice)).held == 0


async def test_the_page_stands_when_no_model_is_left(house: House) -> None:
    for model in (DREAM, DRIFT, STILL):
        await retire(house, model)
    async with house.client({**BROWSER, "Cookie": await house.session(house.alice)}) as client:
        page = await client.get("/create")
        order = {"model": DREAM, "prompt": "Kept", "shown": "10"}
        refused = await client.post("/create", files={name: (None, text) for name, text in order.items()})
    assert page.status_code == 200
    assert "No model can be used here at the moment." in page.text
    assert '<button class="button primary go" disabled>' in page.text
    assert refused.status_code == 422
    assert ">Kept</textarea>" in refused.text


async def test_a_model_whose_provider_is_off_names_the_setting_that_turns_it_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(house, monkeypatch, provider="paid", enabled=False)
    monkeypatch.setattr(house.catalogue, "switches", {"paid": "PAID_KEY"})
    why = "Local dream is not set up here; the operator turns it on with PAID_KEY."
    assert await status(house) == ("not_set_up", False, why)
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/generations", json=ORDER)
    assert (code(answer), answer.json()["detail"]) == ((422, "unknown_model"), why)
    async with house.client({**BROWSER, "Cookie": await house.session(house.alice)}) as client:
        assert why in (await client.get("/create")).text


async def test_a_model_of_a_server_that_has_no_name_yet_names_the_setting_for_all_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(house, monkeypatch, provider="videos/wan", enabled=False)
    monkeypatch.setattr(house.catalogue, "switches", {"videos": "MUTOSCOPE_VIDEO_SERVERS"})
    why = "Local dream is not set up here; the operator turns it on with MUTOSCOPE_VIDEO_SERVERS."
    assert await status(house) == ("not_set_up", False, why)
