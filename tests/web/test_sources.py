"""Source pictures: how each is made to fit is said before, pinned when the order is accepted, and refused where it cannot be."""

from pathlib import Path

import msgspec
import pytest

from cast import facts
from darkroom import reel
from mutoscope.domain.catalogue import Model
from mutoscope.domain.generation import Generation
from mutoscope.domain.ids import MINUTE
from mutoscope.domain.media import Kind
from mutoscope.domain.source import SourceFit, SourceRule
from mutoscope.providers.catalogue import Catalogue, load_catalogue
from web.answers import code
from web.house import OUR_PAGE, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRIFT = "local/drift"
ORDER = {"model": DRIFT, "prompt": "slowly"}
EXACT = SourceRule(sizes=("1024x576", "576x1024", "768x768"))
WIDE = SourceFit(width=1024, height=576, crop=True, format="jpeg")


def takes(monkeypatch: pytest.MonkeyPatch, rule: SourceRule | None) -> None:
    """Give the model such a rule."""
    models = {model.id: model for model in load_catalogue(None, ["local"]).models()}
    models[DRIFT] = msgspec.structs.replace(models[DRIFT], source=rule)

    def get(_: Catalogue, id: str) -> Model:
        return models[id]

    def all(_: Catalogue) -> list[Model]:
        return list(models.values())

    monkeypatch.setattr(Catalogue, "get", get)
    monkeypatch.setattr(Catalogue, "models", all)


def upload(folder: Path, size: tuple[int, int], orientation: int = 1) -> bytes:
    return reel.still(folder / "upload.jpg", size, orientation=orientation).read_bytes()


async def job(house: House, id: str) -> Generation:
    found = await house.store.generations.get(id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("size", "orientation", "fit"),
    [
        ((300, 150), 1, WIDE),
        ((150, 300), 6, WIDE),
        ((320, 180), 1, SourceFit(width=1024, height=576, crop=False, format="jpeg")),
    ],
)
async def test_how_an_upload_is_made_to_fit_is_pinned_and_the_original_is_kept_as_it_is(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    size: tuple[int, int],
    orientation: int,
    fit: SourceFit,
) -> None:
    takes(monkeypatch, EXACT)
    picture = upload(tmp_path, size, orientation)
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/generations", data=ORDER, files={"image": ("a.jpg", picture)})
    assert answer.status_code == 202, answer.text
    accepted = await job(house, answer.json()["id"])
    assert accepted.pinned.source == fit
    assert accepted.source is not None
    assert b"".join([chunk async for chunk in house.blobs.read(accepted.source.key)]) == picture
    takes(monkeypatch, SourceRule(sizes=("512x512",)))
    assert (await job(house, accepted.id)).pinned.source == fit, "a later catalogue changes nothing"


async def test_a_picture_of_the_gallery_is_made_to_fit_in_the_same_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes(monkeypatch, EXACT)
    item = await house.published(house.bob, facts=facts(Kind.IMAGE, width=1200, height=1600))
    async with house.as_(house.alice) as client:
        answer = await client.post("/api/generations", json=ORDER | {"source_media": item.id})
    assert answer.status_code == 202, answer.text
    tall = SourceFit(width=576, height=1024, crop=True, format="jpeg")
    assert (await job(house, answer.json()["id"])).pinned.source == tall


async def test_a_model_without_a_rule_gets_the_picture_as_it_is(house: House, tmp_path: Path) -> None:
    async with house.as_(house.alice) as client:
        picture = {"image": ("a.jpg", upload(tmp_path, (20, 20)))}
        answer = await client.post("/api/generations", data=ORDER, files=picture)
    assert (await job(house, answer.json()["id"])).pinned.source is None


@pytest.mark.parametrize("way", ["upload", "gallery"])
async def test_a_picture_that_cannot_be_made_to_fit_is_refused_at_its_field_and_nothing_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    takes(monkeypatch, EXACT)
    item = await house.published(house.bob, facts=facts(Kind.IMAGE, width=300, height=63))
    kept = await house.keys()
    async with house.as_(house.alice) as client:
        if way == "upload":
            picture = {"image": ("a.jpg", upload(tmp_path, (300, 63)))}
            answer = await client.post("/api/generations", data=ORDER, files=picture)
        else:
            answer = await client.post("/api/generations", json=ORDER | {"source_media": item.id})
    assert code(answer) == (422, "invalid")
    too_small = "too small with 300 × 63 pixels: at least 64 on each side are needed"
    assert answer.json()["fields"] == {"image": too_small}
    assert await house.keys() == kept
    assert (await house.balance(house.alice)).held == 0


async def test_trying_again_goes_by_what_the_model_takes_today(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    takes(monkeypatch, EXACT)
    async with house.as_(house.alice) as client:
        picture = {"image": ("a.jpg", upload(tmp_path, (300, 150)))}
        first = (await client.post("/api/generations", data=ORDER, files=picture)).json()
        await client.post(f"/api/generations/{first['id']}/cancel")
        takes(monkeypatch, SourceRule(sizes=("512x512",), format="png"))
        house.clock.tick(MINUTE)
        again = (await client.post(f"/api/generations/{first['id']}/retry")).json()
    assert (await job(house, first["id"])).pinned.source == WIDE
    square = SourceFit(width=512, height=512, crop=True, format="png")
    assert (await job(house, again["id"])).pinned.source == square


async def test_the_models_say_what_they_take(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(monkeypatch, EXACT)
    async with house.as_(None) as client:
        models = {item["id"]: item for item in (await client.get("/api/models")).json()["items"]}
    assert models[DRIFT]["source"] == {
        "sizes": ["1024x576", "576x1024", "768x768"], "side_px": 2048, "side_min_px": 64, "format": "jpeg",
    }  # fmt: skip
    assert models["local/still"]["source"] is None


async def test_the_page_says_without_scripts_what_becomes_of_a_picture(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes(monkeypatch, EXACT)
    said = "cropped around its centre to the nearest of 1024 × 576, 576 × 1024 and 768 × 768 pixels"
    cookie = await house.session(house.alice)
    async with house.client({"Accept": "text/html", "Cookie": cookie, **OUR_PAGE}) as client:
        page = (await client.get("/create")).text
        assert f'<small class="takes">For Local drift it is {said}.</small>' in page
        assert 'data-sizes="1024x576 576x1024 768x768" data-side="2048"' in page
        takes(monkeypatch, None)
        assert 'class="takes"' not in (await client.get("/create")).text
