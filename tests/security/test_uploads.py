"""Pictures that come with an order: nobody can have them looked at for nothing, or fill the spool and go silent."""

from typing import Any

import pytest

from cast import generation
from mutoscope.darkroom.port import Unreadable
from security.test_bad_input import DRIFT, nothing_happens
from stubs.samples import samples
from web.answers import code
from web.house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small real picture."""
    return samples(tmp_path_factory.mktemp("samples"))["image"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_a_picture_is_not_looked_at_when_the_tokens_do_not_suffice(
    house: House, picture: bytes, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    await house.store.generations.accept(generation(house.alice, price_each=999), None, "")
    looked_at = nobody_looks(house, monkeypatch)
    async with nothing_happens(house) as client:
        answer = await client.post("/api/generations", data=DRIFT, files={"image": picture}, headers=headers)
    assert code(answer) == (402, "not_enough_tokens")
    assert looked_at == []


async def test_a_repeated_order_is_answered_without_tokens_and_without_looking_at_its_picture(
    house: House, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: dict[str, Any] = {"data": DRIFT, "files": {"image": picture}, "headers": {"Idempotency-Key": "k"}}
    async with house.as_(house.alice) as client:
        first = await client.post("/api/generations", **order)
    await house.store.generations.accept(generation(house.alice, price_each=995), None, "")
    looked_at = nobody_looks(house, monkeypatch)
    async with nothing_happens(house) as client:
        again = await client.post("/api/generations", **order)
    assert (first.status_code, again.status_code, again.json()["id"]) == (202, 200, first.json()["id"])
    assert looked_at == []


def nobody_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the darkroom is asked to inspect from now on; it refuses."""
    asked: list[Any] = []

    async def inspect(path: Any, limits: Any) -> Any:
        asked.append(path)
        raise Unreadable("Nobody should have looked.")

    monkeypatch.setattr(house.studio.darkroom, "inspect", inspect)
    return asked
