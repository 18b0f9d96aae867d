"""Locking, unlocking and refunds, over REST and on the pages."""

import pytest

from cast import facts
from mutoscope.domain.media import BLURRED, Kind, Media, Variant, Visibility
from web.answers import code, fields
from web.house import OUR_PAGE, House, content

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def locked(house: House, price: int = 50, **fields: object) -> Media:
    """A film of alice's for sale."""
    item = await house.published(house.alice, prompt="a secret lighthouse", title="Secret lighthouse", **fields)
    return await house.change(item, unlock_price=price)


async def available(house: House) -> list[int]:
    return [(await house.balance(person)).available for person in (house.alice, house.bob)]


async def test_an_owner_sets_price_and_blur_and_it_holds_at_once(house: House) -> None:
    item = await house.published(house.alice)
    body = {"unlock_price": 12, "is_blurred": True, "blur_intensity": 90}
    async with house.as_(house.alice) as owner, house.client() as stranger:
        assert (await stranger.get(f"/media/{item.id}/thumb-640")).status_code == 200
        answer = await owner.patch(f"/api/media/{item.id}", json=body)
        assert answer.status_code == 200
        assert {name: answer.json()[name] for name in body} == body
        assert not answer.json()["locked"], "an owner sees their own"
        for variant in Variant:
            gone = await stranger.get(f"/media/{item.id}/{variant}")
            assert gone.status_code == (200 if variant in BLURRED else 404), variant
        view = (await stranger.get(f"/api/media/{item.id}")).json()
        assert (view["locked"], view["unlock_price"], view["title"]) == (True, 12, "Locked film")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"unlock_price": -1}, "unlock_price"),
        ({"unlock_price": 1_000_001}, "unlock_price"),
        ({"blur_intensity": 101}, "blur_intensity"),
        ({"blur_intensity": -1}, "blur_intensity"),
    ],
)
async def test_prices_and_intensities_have_bounds(house: House, body: dict[str, int], wrong: str) -> None:
    item = await house.published(house.alice)
    async with house.as_(house.alice) as client:
        answer = await client.patch(f"/api/media/{item.id}", json=body)
        assert (code(answer), fields(answer)) == ((422, "invalid"), {wrong})


async def test_many_items_are_locked_at_once_each_by_its_own_rights(house: House) -> None:
    mine = [await house.published(house.alice) for _ in range(3)]
    other = await house.published(house.bob)
    ids = [*(item.id for item in mine), other.id, "med_nothing"]
    async with house.as_(house.alice) as client:
        answer = (await client.patch("/api/media", json={"ids": ids, "unlock_price": 7})).json()
        assert [view["id"] for view in answer["changed"]] == ids[:3]
        assert {view["unlock_price"] for view in answer["changed"]} == {7}
        assert [(one["id"], one["code"]) for one in answer["refused"]] == [
            (other.id, "forbidden"),
            ("med_nothing", "not_found"),
        ]
        assert code(await client.patch("/api/media", json={"ids": [], "unlock_price": 7})) == (422, "invalid")
    async with house.as_(house.carol) as client:
        answer = (await client.patch("/api/media", json={"ids": ids[:4], "unlock_price": 0})).json()
        assert (len(answer["changed"]), answer["refused"]) == (4, [])
    async with house.client() as client:
        assert code(await client.patch("/api/media", json={"ids": ids, "unlock_price": 7})) == (401, "sign_in_needed")


async def test_words_that_come_back_unchanged_stay_withheld(house: House) -> None:
    item = await house.published(house.alice, title="Of the prompt", description="Of it too", tags=("ai-generated",))
    same = {"title": "Of the prompt", "description": "Mine", "tags": ["ai-generated"], "unlock_price": 5}
    async with house.as_(house.alice) as owner, house.client() as stranger:
        await owner.patch(f"/api/media/{item.id}", json=same)
        view = (await stranger.get(f"/api/media/{item.id}")).json()
        assert (view["title"], view["description"], view["tags"]) == ("Locked film", "Mine", [])


async def test_an_unlock_opens_everything_to_its_buyer_alone(house: House) -> None:
    item = await locked(house)
    async with house.as_(house.bob) as bob, house.client() as stranger:
        answer = await bob.post(f"/api/media/{item.id}/unlock", json={"price": 50})
        assert answer.status_code == 201
        seen = answer.json()["item"]
        assert (seen["locked"], seen["prompt"], seen["unlocks"]) == (False, "a secret lighthouse", 1)
        assert set(seen["urls"]) == set(Variant)
        for variant in Variant:
            assert (await bob.get(f"/media/{item.id}/{variant}")).content == content(item.id, variant)
            assert (await stranger.get(f"/media/{item.id}/{variant}")).status_code == (
                200 if variant in BLURRED else 404
            )
        listed = (await bob.get("/api/media")).json()["items"]
        assert [(one["id"], one["locked"]) for one in listed] == [(item.id, False)]
        assert "a secret lighthouse" in (await bob.get(f"/m/{item.id}")).text
        assert (await bob.get(f"/create?from={item.id}")).status_code == 200
    assert await available(house) == [1_000 - 1 + 40, 950]


async def test_the_same_purchase_again_is_answered_and_costs_nothing(house: House) -> None:
    item = await locked(house)
    async with house.as_(house.bob) as client:
        first = await client.post(f"/api/media/{item.id}/unlock", json={"price": 50}, headers={"Idempotency-Key": "k"})
        again = await client.post(f"/api/media/{item.id}/unlock", json={"price": 50}, headers={"Idempotency-Key": "k"})
        other_tab = await client.post(f"/api/media/{item.id}/unlock", json={"price": 50})
        assert [answer.status_code for answer in (first, again, other_tab)] == [201, 200, 200]
        assert {answer.json()["id"] for answer in (first, again, other_tab)} == {first.json()["id"]}
        reused = await client.post(f"/api/media/{item.id}/unlock", json={"price": 49}, headers={"Idempotency-Key": "k"})
        assert code(reused) == (422, "idempotency_key_reused")
    assert (await available(house))[1] == 950


async def test_what_cannot_be_bought_says_why_and_takes_nothing(house: House) -> None:
    item, dear = await locked(house), await locked(house, 5_000)
    private = await house.change(await locked(house), visibility=Visibility.PRIVATE)
    hidden = await house.change(await locked(house), hidden=True)
    trashed = await house.change(await locked(house), trashed_at=1)
    free = await house.published(house.alice)
    async with house.as_(house.bob) as client:

        async def buy(of: str, price: object) -> tuple[int, str]:
            return code(await client.post(f"/api/media/{of}/unlock", json={"price": price}))

        assert await buy(item.id, 49) == (409, "price_changed")
        assert await buy(dear.id, 5_000) == (402, "not_enough_tokens")
        assert await buy(free.id, 0) == (409, "wrong_state")
        for gone in (private.id, hidden.id, trashed.id, "med_nothing"):
            assert await buy(gone, 50) == (404, "not_found")
        for wrong in (-1, 10**9, "50", 1.5, None):
            assert (await buy(item.id, wrong))[0] == 422
    async with house.as_(house.alice) as client:
        assert code(await client.post(f"/api/media/{item.id}/unlock", json={"price": 50})) == (409, "wrong_state")
    async with house.client() as client:
        assert code(await client.post(f"/api/media/{item.id}/unlock", json={"price": 50})) == (401, "sign_in_needed")
    assert (await house.balance(house.bob)).available == 1_000


async def test_what_was_paid_for_stays_open_when_it_is_made_private(house: House) -> None:
    item = await locked(house)
    async with house.as_(house.bob) as bob:
        await bob.post(f"/api/media/{item.id}/unlock", json={"price": 50})
        now_is = await house.store.media.get(item.id)
        assert now_is is not None
        await house.change(now_is, visibility=Visibility.PRIVATE, unlock_price=0)
        assert (await bob.get(f"/media/{item.id}/master")).content == content(item.id, Variant.MASTER)
        assert (await bob.get(f"/api/media/{item.id}")).status_code == 200


async def test_an_administrator_refunds_and_the_right_is_gone(house: House) -> None:
    item = await locked(house)
    async with house.as_(house.bob) as bob, house.as_(house.carol) as carol:
        bought = (await bob.post(f"/api/media/{item.id}/unlock", json={"price": 50})).json()
        [listed] = (await carol.get("/api/admin/unlocks", params={"media": item.id})).json()["items"]
        assert (listed["id"], listed["buyer"], listed["seller"]) == (bought["id"], "bob", "alice")
        for client in (bob, carol):
            refunded = await client.post(f"/api/admin/unlocks/{bought['id']}/refund")
            if client is bob:
                assert code(refunded) == (403, "forbidden")
                assert code(await bob.get("/api/admin/unlocks")) == (403, "forbidden")
        assert (refunded.status_code, refunded.json()["taken_back"]) == (200, 40)
        assert (await carol.post(f"/api/admin/unlocks/{bought['id']}/refund")).json() == refunded.json()
        assert code(await carol.post("/api/admin/unlocks/unl_nothing/refund")) == (404, "not_found")
        assert (await bob.get(f"/media/{item.id}/master")).status_code == 404
        assert (await bob.get(f"/api/media/{item.id}")).json()["locked"] is True
        assert await available(house) == [999, 1_000]
        assert (await bob.post(f"/api/media/{item.id}/unlock", json={"price": 50})).status_code == 201


async def test_a_picture_that_was_unlocked_may_be_a_source_and_a_locked_one_may_not(house: House) -> None:
    item = await locked(house, facts=facts(Kind.IMAGE))
    order = {"model": "local/drift", "source_media": item.id}
    async with house.as_(house.bob) as client:
        assert code(await client.post("/api/generations", json=order)) == (404, "not_found")
        await client.post(f"/api/media/{item.id}/unlock", json={"price": 50})
        assert (await client.post("/api/generations", json=order)).status_code == 202


async def page(house: House, item: Media, **form: str) -> tuple[int, str, str]:
    """What bob's browser gets after it sent the form without JavaScript: status, place and text."""
    cookie = await house.session(house.bob)
    async with house.client({"Cookie": cookie} | OUR_PAGE) as client:
        answer = await client.post(f"/m/{item.id}/unlock", data=form, headers={"Accept": "text/html"})
        return answer.status_code, answer.headers.get("location", ""), answer.text


async def test_the_page_of_a_locked_item_sells_it_without_javascript(house: House) -> None:
    item = await locked(house)
    async with house.client({"Cookie": await house.session(house.bob)}) as bob, house.client() as stranger:
        shown = (await bob.get(f"/m/{item.id}")).text
        for part in (
            f'action="/m/{item.id}/unlock"',
            'name="price" value="50"',
            "Unlock · 50 tokens",
            "blurred-preview",
        ):
            assert part in shown
        assert "1,000 tokens" in shown, "the balance stands beside the price"
        assert "/master" not in shown
        assert "sign-in?next=/m/" in (await stranger.get(f"/m/{item.id}")).text
        status, there, _ = await page(house, item, price="50")
        assert (status, there) == (303, f"/m/{item.id}?done=unlocked")
        opened = (await bob.get(there)).text
        assert f"/media/{item.id}/master" in opened
        assert "a secret lighthouse" in opened
        assert "Unlocked" in (await bob.get("/tokens")).text
        assert "Unlocked" in (await bob.get("/")).text


async def test_the_page_says_at_the_button_why_it_did_not_work(house: House) -> None:
    item, dear = await locked(house), await locked(house, 5_000)
    for of, price, status, said in (
        (item, "49", 409, "The price is 50 tokens now"),
        (dear, "5000", 402, "This costs 5000 tokens and 1000 are available"),
        (item, "much", 422, "That is no price"),
    ):
        answer = await page(house, of, price=price)
        assert (answer[0], said in answer[2]) == (status, True), said
        assert "secret lighthouse" not in answer[2].lower()
    assert (await house.balance(house.bob)).available == 1_000


async def test_the_owners_form_sets_price_and_blur(house: House) -> None:
    item = await house.published(house.alice, title="Mine")
    cookie = await house.session(house.alice)
    form = {"title": "Mine", "tags": "", "visibility": "public", "version": str(item.version)}
    async with house.client({"Cookie": cookie} | OUR_PAGE) as client:
        sent = form | {"unlock_price": "9", "is_blurred": "yes", "blur_intensity": "33"}
        assert (await client.post(f"/m/{item.id}", data=sent)).status_code == 303
        wrong = await client.post(f"/m/{item.id}", data=form | {"unlock_price": "cheap", "version": ""})
        assert (wrong.status_code, "a whole number" in wrong.text) == (422, True)
    kept = await house.store.media.get(item.id)
    assert kept is not None
    assert (kept.unlock_price, kept.is_blurred, kept.blur_intensity) == (9, True, 33)


async def test_until_the_blurred_files_are_made_a_stranger_sees_a_plain_sheet(house: House) -> None:
    item = await house.published(house.alice)
    sharp = {variant: file for variant, file in item.files.items() if variant not in BLURRED}
    item = await house.change(item, files=sharp, unlock_price=5)
    async with house.client() as client:
        for path in (f"/m/{item.id}", "/"):
            shown = (await client.get(path)).text
            assert f"/media/{item.id}/" not in shown, path
        assert (await client.get(f"/api/media/{item.id}")).json()["urls"] == {}
