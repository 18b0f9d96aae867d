"""What is Stability AI's own: forms, results inside JSON, what is filtered, the credit that is left, and its catalogue."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.providers.vendors import VendorBench, order_for, picture, sample, stored
from mutoscope.domain.catalogue import Model, validate
from mutoscope.domain.generation import FailureKind, State
from mutoscope.domain.media import Kind, Variant
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.port import ProviderError
from mutoscope.providers.stability.adapter import StabilityProvider
from stubs.running import RunningStub
from stubs.stability import STYLES
from stubs.vendor import KEY, form

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODELS = {model.id: model for model in load_catalogue(None, ["stability"]).models() if model.provider == "stability"}
IMAGES = [id for id, model in MODELS.items() if model.kind is Kind.IMAGE]
OURS = pytest.mark.offers(lambda offer: offer.upstream in {"sd3/sd3.5-large", "image-to-video"})


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = RunningStub(tmp_path_factory.mktemp("stability") / "state", module="stubs.stability").start()
    yield running
    running.kill()


@pytest.fixture
async def stability(stub: RunningStub) -> AsyncIterator[StabilityProvider]:
    provider = StabilityProvider(KEY, stub.address)
    yield provider
    await provider.close()


def sent(stub: RunningStub) -> dict[str, bytes]:
    """The form that came in last."""
    last = httpx2.get(f"{stub.address}/admin/requests").json()[-1]
    return form(last["headers"], base64.b64decode(last["body"]))


@pytest.mark.parametrize(
    ("id", "from_picture"),
    [(id, given) for id in IMAGES for given in (False, True) if not given or MODELS[id].image != "no"],
)
async def test_every_parameter_of_every_model_is_one_that_stability_takes(
    stability: StabilityProvider, stub: RunningStub, tmp_path: Path, id: str, from_picture: bool
) -> None:
    model = MODELS[id]
    for name, parameter in [*model.parameters.items(), ("", None)]:
        for value in (parameter.choices or (parameter.minimum, parameter.maximum)) if parameter else [None]:
            chosen = validate(model, {name: value} if parameter else {})
            source = picture(tmp_path / "source", 96, 64) if from_picture else None
            without = "fog" if model.negative_prompt else ""
            await stability.submit(order_for(tmp_path, model, chosen, source=source, negative_prompt=without))
            fields = sent(stub)
            if parameter and fields.get(name) is not None:
                assert fields[name].decode() == (value if isinstance(value, str) else f"{value:g}")
            assert {"prompt", "seed"} <= set(fields)
            assert ("image" in fields) is from_picture


async def test_the_styles_are_those_that_stability_has_and_none_goes_out_as_nothing() -> None:
    assert set(MODELS["stability/core"].parameters["style_preset"].choices) == STYLES | {"none"}


async def test_films_from_a_picture_have_ended_at_stability_and_say_what_to_use() -> None:
    film: Model = MODELS["stability/image-to-video"]
    assert (str(film.retires_on), film.lives_elsewhere) == ("2025-07-24", True)
    assert film.instead in {model.id for model in load_catalogue(None, []).models()}
    assert film.source is not None
    assert film.source.sizes == ("1024x576", "576x1024", "768x768")


@OURS
async def test_a_result_inside_json_is_kept_byte_for_byte(vendor: VendorBench) -> None:
    job = await vendor.order(manner="json")
    await vendor.ended(job, State.SUCCEEDED)
    [item] = await vendor.bench.items(job)
    assert await stored(vendor, item.files[Variant.MASTER].key) == sample(vendor.stub.folder, vendor.offer.kind)


@OURS
async def test_what_was_filtered_is_no_success_also_where_only_the_end_of_the_json_says_so(vendor: VendorBench) -> None:
    job = await vendor.order(manner="json", end="moderate")
    assert await vendor.failed(job) == "moderated"
    assert await vendor.bench.items(job) == []
    # The spool is cleared after the commit.
    await vendor.bench.stop()
    assert [path.name for path in vendor.bench.spool.root.rglob("*") if path.is_file()] == []


@OURS
async def test_json_that_is_cut_within_its_result_is_never_a_result(vendor: VendorBench) -> None:
    job = await vendor.order(manner="json", body="cut")
    ended = await vendor.ended(job, State.SUCCEEDED, State.OUTCOME_UNKNOWN)
    assert ended.state is (State.OUTCOME_UNKNOWN if vendor.offer.at_once else State.SUCCEEDED)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


async def test_the_key_is_tried_by_asking_what_is_left(stability: StabilityProvider, stub: RunningStub) -> None:
    assert await stability.check() == "the key is right; 12.5 credits are left"
    wrong = StabilityProvider("another", stub.address)
    with pytest.raises(ProviderError) as caught:
        await wrong.check()
    await wrong.close()
    assert caught.value.kind is FailureKind.UNAUTHORIZED
    assert "another" not in str(caught.value)


async def test_films_are_asked_after_no_more_often_than_stability_wants() -> None:
    assert StabilityProvider.minimum_poll_ms == 10_000
