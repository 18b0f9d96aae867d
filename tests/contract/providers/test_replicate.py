"""What is Replicate's own: inputs by each model's schema, uploads, lost predictions, and its catalogue."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from contract.providers.vendors import VendorBench, order_for, picture
from mutoscope.domain.catalogue import validate
from mutoscope.domain.generation import FailureKind, ProviderJob, State
from mutoscope.outgoing import NotAllowed
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.port import Canceled, CannotTell, Finished, ProviderError
from mutoscope.providers.registry import switches
from mutoscope.providers.replicate.adapter import HOST, ReplicateProvider
from mutoscope.providers.replicate.model import upstream_of
from stubs.replicate_models import VERSION
from stubs.running import RunningStub
from stubs.vendor import KEY, form

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODELS = {model.id: model for model in load_catalogue(None, ["replicate"]).models() if model.provider == "replicate"}
SCHNELL, FILM = MODELS["replicate/flux-schnell"], MODELS["replicate/seedance-1-pro-fast"]
IMAGE_OFFER = pytest.mark.offers(lambda offer: offer.upstream == "black-forest-labs/flux-schnell")
HOOK = "https://studio.example/hooks/replicate/gen_1"


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = RunningStub(tmp_path_factory.mktemp("replicate") / "state", module="stubs.replicate").start()
    yield running
    running.kill()


@pytest.fixture
async def replicate(stub: RunningStub) -> AsyncIterator[ReplicateProvider]:
    provider = ReplicateProvider(KEY, stub.address)
    yield provider
    await provider.close()


def came_in(stub: RunningStub, last: int = 1) -> list[tuple[str, str, dict[str, str], bytes]]:
    """The last requests: method, target, headers, body."""
    found = httpx2.get(f"{stub.address}/admin/requests").json()[-last:]
    return [(one["method"], one["target"], one["headers"], base64.b64decode(one["body"])) for one in found]


def script(stub: RunningStub, prompt: str, **how: Any) -> None:
    httpx2.post(f"{stub.address}/admin/script", params={"reference": prompt}, json=how).raise_for_status()


@pytest.mark.parametrize(
    ("id", "from_picture"),
    [
        (id, given)
        for id, model in MODELS.items()
        for given in (False, True)
        if {"no": not given, "optional": True, "required": given}[model.image]
    ],
)
async def test_every_parameter_of_every_model_is_one_that_the_model_takes(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path, id: str, from_picture: bool
) -> None:
    model = MODELS[id]
    names = upstream_of(model.upstream).names
    for name, parameter in model.parameters.items():
        both = (False, True) if parameter.type == "boolean" else (parameter.minimum, parameter.maximum)
        for value in parameter.choices or both:
            chosen = validate(model, {name: value})
            source = picture(tmp_path / "source", 640, 480) if from_picture else None
            await replicate.submit(order_for(tmp_path, model, chosen, source=source))
            [(_, target, _, body)] = came_in(stub)
            given = json.loads(body)["input"]
            assert target == f"/v1/models/{model.upstream.partition('?')[0]}/predictions"
            assert {names.get(ours, ours): value for ours, value in chosen.items()}.items() <= given.items()
            pictures = [one for one in given.values() if "/v1/files/" in str(one)]
            assert len(pictures) == from_picture


async def test_orders_are_what_the_official_client_sends(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path
) -> None:
    # As recorded from replicate 1.0.7: models.predictions.create with these arguments.
    official = (
        b'{"input":{"prompt":"a lamp","seed":7,"aspect_ratio":"3:2","num_outputs":2},'
        b'"webhook":"https://studio.example/hooks/replicate/gen_1","webhook_events_filter":["completed"]}'
    )
    await replicate.submit(
        order_for(tmp_path, SCHNELL, {"aspect_ratio": "3:2"}, prompt="a lamp", results=2, webhook_url=HOOK)
    )
    [(method, target, headers, body)] = came_in(stub)
    assert (method, target) == ("POST", "/v1/models/black-forest-labs/flux-schnell/predictions")
    assert (headers["authorization"], headers["content-type"]) == (f"Bearer {KEY}", "application/json")
    assert body == official


async def test_a_model_with_a_version_is_asked_for_as_the_official_client_does(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path
) -> None:
    other = replace(FILM, upstream=f"stub/sketch:{VERSION}?seed=&image=frames[]&duration_s=length")
    source = picture(tmp_path / "source", 320, 200)
    await replicate.submit(order_for(tmp_path, other, {"duration_s": 5}, prompt="x", source=source))
    (_, files, upload_headers, upload), (_, target, _, body) = came_in(stub, 2)
    assert (files, target) == ("/v1/files", "/v1/predictions")
    assert form(upload_headers, upload) == {"content": source.path.read_bytes()}
    # replicate 1.0.7 names the part "content" too, with a file name and the type.
    assert b'name="content"; filename="source.jpeg"\r\nContent-Type: image/jpeg\r\n' in upload
    wish = json.loads(body)
    [address] = wish["input"].pop("frames")
    assert address.startswith(f"{stub.address}/v1/files/")
    assert wish == {"version": f"stub/sketch:{VERSION}", "input": {"prompt": "x", "length": 5}}


async def test_a_source_picture_goes_when_the_result_is_kept(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path
) -> None:
    source = picture(tmp_path / "source", 320, 320)
    taken = await replicate.submit(order_for(tmp_path, FILM, {"duration_s": 5}, source=source))
    kept = stub.folder / "files" / taken.job.data["file"]
    assert kept.read_bytes() == source.path.read_bytes()
    await replicate.forget(taken.job)
    assert not kept.exists()


async def test_an_order_whose_picture_could_not_be_uploaded_was_surely_not_taken(
    stub: RunningStub, tmp_path: Path
) -> None:
    source = picture(tmp_path / "source", 320, 320)
    for token, base, kind in (
        (KEY, f"{stub.address}/nowhere", FailureKind.UNAVAILABLE),
        (KEY, "http://127.0.0.1:9", FailureKind.UNAVAILABLE),
        ("another", stub.address, FailureKind.UNAUTHORIZED),
    ):
        provider = ReplicateProvider(token, base)
        with pytest.raises(ProviderError) as caught:
            await provider.submit(order_for(tmp_path, FILM, {}, prompt="never", source=source))
        await provider.close()
        assert caught.value.kind is kind
    assert "never" not in httpx2.get(f"{stub.address}/admin/counts").json()


@pytest.mark.parametrize("address", ["http://studio.example/hooks/replicate/gen_1", None])
async def test_only_an_address_with_tls_is_one_that_may_be_called(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path, address: str | None
) -> None:
    await replicate.submit(order_for(tmp_path, SCHNELL, {}, webhook_url=address))
    [(_, _, _, body)] = came_in(stub)
    assert set(json.loads(body)) == {"input"}


async def test_results_are_taken_from_replicates_own_hosts_alone() -> None:
    provider = ReplicateProvider(KEY)
    reach = provider.outgoing.destination
    for host in ("replicate.delivery", "pbxt.replicate.delivery", "api.replicate.com"):
        assert str(reach.url(f"https://{host}/a.png")) == f"https://{host}/a.png"
    for address in ("https://replicate.delivery.evil.example/a", "http://replicate.delivery/a", "https://10.0.0.1/a"):
        with pytest.raises(NotAllowed):
            reach.url(address)
    assert (reach.base_url, provider.elsewhere) == (HOST, False)
    await provider.close()


async def test_another_server_is_known_to_be_another(replicate: ReplicateProvider) -> None:
    assert replicate.elsewhere


async def test_what_was_aborted_before_it_ran_is_canceled(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, "late", end="cancel")
    taken = await replicate.submit(order_for(tmp_path, SCHNELL, {}, prompt="late"))
    address, key = f"{stub.address}/v1/predictions/{taken.job.id}", {"Authorization": f"Bearer {KEY}"}
    assert httpx2.get(address, headers=key).json()["status"] == "aborted"
    assert isinstance(await replicate.poll(taken.job), Canceled)


@IMAGE_OFFER
async def test_a_success_from_which_all_was_dropped_for_its_content_is_moderated(vendor: VendorBench) -> None:
    job = await vendor.order(outputs=0)
    assert await vendor.failed(job) == "moderated"


@IMAGE_OFFER
async def test_a_prediction_that_replicate_has_lost_gives_the_tokens_back(vendor: VendorBench) -> None:
    job = await vendor.order(poll="lost", poll_times=-1, finish_after_s=60)
    assert await vendor.failed(job) == "expired"
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


@IMAGE_OFFER
async def test_a_model_that_failed_is_said_with_its_words_for_the_administrator_alone(vendor: VendorBench) -> None:
    job = await vendor.order(end="fail")
    ended = await vendor.ended(job, State.FAILED)
    assert ended.failure is not None
    assert (ended.failure.kind, ended.failure.detail) == (FailureKind.UNUSABLE, "CUDA out of memory (E1001)")
    assert "CUDA" not in ended.failure.message


async def test_a_lost_prediction_is_found_by_the_address_that_it_calls(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path
) -> None:
    async def order(n: int) -> ProviderJob:
        address = f"https://studio.example/hooks/replicate/gen_{n}"
        return (await replicate.submit(order_for(tmp_path, SCHNELL, {}, prompt=f"p{n}", webhook_url=address))).job

    first = await order(0)
    for n in range(1, 110):
        await order(n)
    found = await replicate.find("gen_0")
    assert isinstance(found, ProviderJob)
    assert (found.id, found.reference) == (first.id, "gen_0")
    assert sum("cursor=" in target for _, target, _, _ in came_in(stub, 2)) == 1
    # One that is not there may be beyond the pages, or have no such address: nothing is said of it.
    assert isinstance(await replicate.find("gen_"), CannotTell)
    assert isinstance(await replicate.find("n_0"), CannotTell)


async def test_a_cancel_that_is_refused_is_no_end_of_the_job(
    replicate: ReplicateProvider, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, "busy", finish_after_s=0, cancel="busy")
    taken = await replicate.submit(order_for(tmp_path, SCHNELL, {}, prompt="busy"))
    assert isinstance(await replicate.cancel(taken.job), Finished)
    script(stub, "busier", finish_after_s=600, cancel="busy")
    taken = await replicate.submit(order_for(tmp_path, SCHNELL, {}, prompt="busier"))
    with pytest.raises(ProviderError) as caught:
        await replicate.cancel(taken.job)
    assert caught.value.kind is FailureKind.UNAVAILABLE


async def test_the_token_is_tried_by_asking_whose_it_is(replicate: ReplicateProvider, stub: RunningStub) -> None:
    assert await replicate.check() == "the token is right; it is that of acme"
    wrong = ReplicateProvider("another", stub.address)
    with pytest.raises(ProviderError) as caught:
        await wrong.check()
    await wrong.close()
    assert caught.value.kind is FailureKind.UNAUTHORIZED
    assert "another" not in str(caught.value)


async def test_the_token_turns_replicate_on() -> None:
    assert switches()["replicate"] == "REPLICATE_API_TOKEN"
