"""What is the images interface's own: requests as OpenAI's client sends them, and several pictures inside one answer."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import yaml
from jsonschema import Draft202012Validator
from multipart import MultipartParser, parse_options_header

from contract.providers.peers import Offer
from contract.providers.vendors import PRICE, VendorBench, order_for, picture
from mutoscope.domain.catalogue import Model, validate
from mutoscope.domain.generation import FailureKind, State
from mutoscope.domain.media import Kind
from mutoscope.outgoing import Json
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.openai_images import wire
from mutoscope.providers.openai_images.adapter import OpenAIImages
from mutoscope.providers.openai_images.setup import SETUP
from mutoscope.providers.port import ProviderError
from mutoscope.settings import load_settings
from stubs.running import RunningStub
from stubs.vendor import KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPENAI = yaml.safe_load((Path(__file__).parent / "openai.yaml").read_text())
MODELS = [model for model in load_catalogue(None, []).models() if model.provider == "openai"]
ANY = Model(id="any", provider="openai", upstream="gpt-image-2", name="", description="", kind=Kind.IMAGE)


def is_ours(offer: Offer) -> bool:
    return offer.upstream == "gpt-image-2"


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = RunningStub(tmp_path_factory.mktemp("images") / "state", module="stubs.openai_images").start()
    yield running
    running.kill()


@pytest.fixture
async def openai(stub: RunningStub) -> AsyncIterator[OpenAIImages]:
    script(stub)
    provider = OpenAIImages(KEY, f"{stub.address}/v1")
    yield provider
    await provider.close()


def script(stub: RunningStub, **how: Any) -> None:
    httpx2.post(f"{stub.address}/admin/script", json=how).raise_for_status()


def sent(stub: RunningStub) -> tuple[str, dict[str, str], bytes]:
    """Where the last request went, its headers and its body."""
    last = httpx2.get(f"{stub.address}/admin/requests").json()[-1]
    return last["target"], last["headers"], base64.b64decode(last["body"])


def parts(stub: RunningStub) -> list[tuple[str, str, str, bytes]]:
    """Name, name of the file, type and bytes of each part of the form that came in last."""
    _, headers, body = sent(stub)
    _, options = parse_options_header(headers["content-type"])
    found: list[Any] = list(MultipartParser(io.BytesIO(body), options["boundary"]))
    return [(part.name, part.filename or "", part.headers.get("Content-Type", ""), part.raw) for part in found]


def fits(schema: str, value: Any) -> bool:
    """Whether a value is what OpenAI's description says."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **OPENAI}).is_valid(value)


async def test_an_order_is_what_openais_own_client_sends(
    openai: OpenAIImages, stub: RunningStub, tmp_path: Path
) -> None:
    given = {
        "size": "1024x1024",
        "quality": "low",
        "output_format": "webp",
        "output_compression": 80,
        "moderation": "low",
    }
    await openai.submit(order_for(tmp_path, ANY, given, prompt="a lamp", results=3, negative_prompt="rain"))
    target, headers, body = sent(stub)
    assert target == "/v1/images/generations"
    assert (headers["authorization"], headers["content-type"]) == (f"Bearer {KEY}", "application/json")
    # Recorded from openai 3.54.0, client.images.generate() with the same; the order is free.
    assert json.loads(body) == json.loads(
        '{"model":"gpt-image-2","prompt":"a lamp","moderation":"low","n":3,"output_compression":80,'
        '"output_format":"webp","quality":"low","size":"1024x1024"}'
    )
    assert fits("CreateImageRequest", json.loads(body))
    assert not fits("CreateImageRequest", json.loads(body) | {"n": 11})


async def test_a_change_of_a_picture_is_the_form_that_openais_own_client_sends(
    openai: OpenAIImages, stub: RunningStub, tmp_path: Path
) -> None:
    given = {
        "size": "1024x1024",
        "quality": "low",
        "output_format": "jpeg",
        "output_compression": 80,
        "input_fidelity": "high",
    }
    source = picture(tmp_path / "source", 96, 64)
    await openai.submit(order_for(tmp_path, ANY, given, prompt="a lamp", results=2, source=source))
    assert sent(stub)[0] == "/v1/images/edits"
    # Recorded from openai 3.54.0, client.images.edit() with the same and image=("image.jpeg", ..., "image/jpeg").
    assert sorted(parts(stub)) == [
        ("image", "image.jpeg", "image/jpeg", source.path.read_bytes()),
        ("input_fidelity", "", "", b"high"), ("model", "", "", b"gpt-image-2"), ("n", "", "", b"2"),
        ("output_compression", "", "", b"80"), ("output_format", "", "", b"jpeg"), ("prompt", "", "", b"a lamp"),
        ("quality", "", "", b"low"), ("size", "", "", b"1024x1024"),
    ]  # fmt: skip


@pytest.mark.parametrize("from_picture", [False, True])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
async def test_every_parameter_of_every_model_is_one_that_openai_takes(
    openai: OpenAIImages, stub: RunningStub, tmp_path: Path, model: Model, from_picture: bool
) -> None:
    source = picture(tmp_path / "source", 96, 64) if from_picture else None
    for name, parameter in model.parameters.items():
        for value in parameter.choices:
            await openai.submit(order_for(tmp_path, model, validate(model, {name: value}), source=source))
            body = sent(stub)[2]
            fields = {field: raw for field, _, _, raw in parts(stub)} if from_picture else json.loads(body)
            assert fields[name] == (value.encode() if from_picture else value)
            assert fields["model"] == (model.upstream.encode() if from_picture else model.upstream)


async def test_what_the_stub_answers_is_what_openais_description_has(stub: RunningStub, openai: OpenAIImages) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    given = {"model": "gpt-image-2", "prompt": "a lamp", "n": 2}
    answer = httpx2.post(f"{stub.address}/v1/images/generations", json=given, headers=headers).json()
    assert fits("ImagesResponse", answer)
    assert len(answer["data"]) == 2
    assert not fits("ImagesResponse", answer | {"created": "today"})


async def test_a_picture_larger_than_other_answers_may_be_is_kept_byte_for_byte(
    openai: OpenAIImages, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, manner="large")
    done = await openai.submit(order_for(tmp_path, ANY, {}, results=2))
    first, second = ((tmp_path / str(output.spooled)).read_bytes() for output in done.outputs)
    assert len(first) > 2 * 1024 * 1024
    assert first.endswith(b"IEND\xaeB`\x82")
    assert second == (stub.folder / "sample.png").read_bytes()


@pytest.mark.offers.with_args(is_ours)
async def test_of_an_answer_that_breaks_off_the_pictures_that_were_whole_are_kept_and_paid(vendor: VendorBench) -> None:
    job = await vendor.order(results=3, body="cut")
    done = await vendor.ended(job, State.SUCCEEDED)
    assert (len(await vendor.bench.items(job)), done.captured) == (1, PRICE)
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


async def test_more_pictures_than_were_asked_for_are_not_kept(
    openai: OpenAIImages, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, outputs=4)
    done = await openai.submit(order_for(tmp_path, ANY, {}, results=2))
    assert [output.spooled for output in done.outputs] == ["0", "1"]
    assert not (tmp_path / "2").exists()


async def test_a_server_of_ones_own_can_be_sent_what_openai_does_not_have(tmp_path: Path) -> None:
    upstream = "Qwen/Qwen-Image?seed=seed&negative_prompt=negative_prompt"
    model = Model(id="q", provider="openai", upstream=upstream, name="", description="", kind=Kind.IMAGE)
    given = {"size": "1328x1328", "num_inference_steps": 40, "true_cfg_scale": 4.0, "response_format": "b64_json"}
    path, body = wire.request_of(order_for(tmp_path, model, given, prompt="a lamp", negative_prompt="rain"))
    # As vLLM-Omni and SGLang Diffusion name them.
    assert (path, body) == (
        "/images/generations",
        Json({"model": "Qwen/Qwen-Image", "prompt": "a lamp", "seed": 7, "negative_prompt": "rain", **given}),
    )


async def test_the_key_is_tried_by_asking_for_models(openai: OpenAIImages, stub: RunningStub) -> None:
    names = "gpt-image-1.5, gpt-image-2, gpt-image-2.6-flare, gpt-image-2.6-sunburst"
    # Of OpenAI's own many models those for images are named, of another server all.
    assert await openai.check() == f"the key is right, for {names}, gpt-5.6-luna"
    openai.elsewhere = False
    assert await openai.check() == f"the key is right, for {names}"
    script(stub, account="forbidden")
    assert await openai.check() == "the key is known, and may not list models"
    wrong = OpenAIImages("another", f"{stub.address}/v1")
    with pytest.raises(ProviderError) as caught:
        await wrong.check()
    await wrong.close()
    assert caught.value.kind is FailureKind.UNAUTHORIZED
    assert "another" not in str(caught.value)


async def test_the_key_turns_openai_on_and_another_address_is_elsewhere() -> None:
    some: Any = SimpleNamespace(jobs={"openai": 3})
    for environ, elsewhere in (
        ({}, False),
        ({"OPENAI_BASE_URL": "http://10.0.0.5:8091/v1"}, True),
    ):
        [(name, provider)] = SETUP.open(load_settings(environ={"OPENAI_API_KEY": "sesame", **environ}), some).items()
        assert isinstance(provider, OpenAIImages)
        assert (name, provider.elsewhere, provider.slots) == ("openai", elsewhere, 3)
        assert provider.outgoing.destination.own_network is elsewhere
        await provider.close()
    assert SETUP.open(load_settings(environ={}), some) == {}
