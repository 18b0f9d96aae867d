"""What is the videos interface's own: requests as OpenAI's client sends them, and answers of servers that are not OpenAI."""

import base64
import io
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
from contract.providers.vendors import VendorBench, order_for, picture
from mutoscope.domain.catalogue import Model, validate
from mutoscope.domain.generation import FailureKind, ProviderJob
from mutoscope.domain.media import Kind
from mutoscope.provider_settings import jobs_by_provider
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.openai_videos.adapter import VideoServer
from mutoscope.providers.openai_videos.setup import SETUP
from mutoscope.providers.port import Canceled, Finished, Pending, ProviderError
from mutoscope.settings import load_settings
from stubs.running import RunningStub
from stubs.vendor import KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPENAI = yaml.safe_load((Path(__file__).parent / "openai.yaml").read_text())
MODELS = [model for model in load_catalogue(None, []).models() if model.provider.startswith("videos/")]
ANY = Model(id="any", provider="videos/one", upstream="wan", name="", description="", kind=Kind.VIDEO)
PLAIN = Model(id="plain", provider="videos/one", upstream="sora-2?seed=", name="", description="", kind=Kind.VIDEO)


def is_ours(offer: Offer) -> bool:
    return offer.upstream == "Wan-AI/Wan2.2-T2V-A14B-Diffusers"


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = RunningStub(tmp_path_factory.mktemp("videos") / "state", module="stubs.openai_videos").start()
    yield running
    running.kill()


@pytest.fixture
async def server(stub: RunningStub) -> AsyncIterator[VideoServer]:
    """As vLLM-Omni."""
    script(stub)
    provider = VideoServer("one", f"{stub.address}/omni/v1", KEY, slots=2)
    yield provider
    await provider.close()


@pytest.fixture
async def plain(stub: RunningStub) -> AsyncIterator[VideoServer]:
    """As OpenAI's description has it."""
    script(stub)
    provider = VideoServer("one", f"{stub.address}/plain/v1", KEY, slots=2)
    yield provider
    await provider.close()


def script(stub: RunningStub, **how: Any) -> None:
    httpx2.post(f"{stub.address}/admin/script", json=how).raise_for_status()


def requests(stub: RunningStub) -> list[dict[str, Any]]:
    return httpx2.get(f"{stub.address}/admin/requests").json()


def parts(stub: RunningStub) -> list[tuple[str, str, str, bytes]]:
    """Name, name of the file, type and bytes of each part of the form that came in last."""
    last = requests(stub)[-1]
    _, options = parse_options_header(last["headers"]["content-type"])
    parser = MultipartParser(io.BytesIO(base64.b64decode(last["body"])), options["boundary"])
    found: list[Any] = list(parser)
    return [(part.name, part.filename or "", part.headers.get("Content-Type", ""), part.raw) for part in found]


def fits(schema: str, value: Any) -> bool:
    """Whether a value is what OpenAI's description says."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **OPENAI}).is_valid(value)


async def submitted(server: VideoServer, tmp_path: Path, model: Model = ANY, **fields: Any) -> ProviderJob:
    return (await server.submit(order_for(tmp_path, model, fields.pop("parameters", {}), **fields))).job


async def test_an_order_is_what_openais_own_client_sends(plain: VideoServer, stub: RunningStub, tmp_path: Path) -> None:
    await submitted(plain, tmp_path, PLAIN, parameters={"duration_s": 4, "size": "1280x720"}, prompt="a lamp")
    # Recorded from openai 3.54.0, client.videos.create(prompt=, model=, seconds="4", size="1280x720"); order is free.
    assert sorted(parts(stub)) == [
        ("model", "", "", b"sora-2"), ("prompt", "", "", b"a lamp"), ("seconds", "", "", b"4"),
        ("size", "", "", b"1280x720"),
    ]  # fmt: skip
    last = requests(stub)[-1]
    assert (last["method"], last["target"]) == ("POST", "/plain/v1/videos")
    assert last["headers"]["authorization"] == f"Bearer {KEY}"
    assert last["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    fields = {name: raw.decode() for name, _, _, raw in parts(stub)}
    assert fits("CreateVideoMultipartBody", fields)
    assert not fits("CreateVideoMultipartBody", fields | {"seconds": "5"})


async def test_a_picture_goes_as_a_file_with_the_type_that_it_has(
    plain: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    source = picture(tmp_path / "source", 96, 64)
    await submitted(plain, tmp_path, PLAIN, source=source)
    [reference] = [part for part in parts(stub) if part[0] == "input_reference"]
    # openai 3.54.0 with input_reference=("image.jpeg", ..., "image/jpeg") sends these headers.
    assert reference == ("input_reference", "image.jpeg", "image/jpeg", source.path.read_bytes())


async def test_fields_beyond_openais_go_as_its_client_sends_extra_ones(
    server: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    given = {"num_frames": 81, "guidance_scale": 5.0, "generate_sound": True}
    await submitted(server, tmp_path, parameters=given, seed=7, negative_prompt="rain")
    # Recorded from openai 3.54.0 with extra_body={"seed": 7, ..., "generate_sound": True}.
    assert {(name, raw) for name, _, _, raw in parts(stub)} >= {
        ("seed", b"7"), ("negative_prompt", b"rain"), ("num_frames", b"81"), ("guidance_scale", b"5.0"),
        ("generate_sound", b"true"),
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
async def test_every_parameter_of_every_model_is_one_that_vllm_omni_takes(
    server: VideoServer, stub: RunningStub, tmp_path: Path, model: Model
) -> None:
    source = picture(tmp_path / "source", 96, 64) if model.image == "required" else None
    for name, parameter in model.parameters.items():
        for value in parameter.choices or (parameter.minimum, parameter.maximum):
            chosen = validate(model, {name: value})
            await submitted(server, tmp_path, model, parameters=chosen, source=source, negative_prompt="fog")
            fields = {field: raw.decode(errors="replace") for field, _, _, raw in parts(stub)}
            assert fields[{"duration_s": "seconds"}.get(name, name)] == str(chosen[name])
            assert fields["model"] == model.upstream
            assert fields["negative_prompt"] == "fog"
            assert ("input_reference" in fields) is (source is not None)


async def test_what_the_stub_says_is_what_openais_description_has(
    plain: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    client = httpx2.Client(base_url=f"{stub.address}/plain/v1", headers={"Authorization": f"Bearer {KEY}"})
    for how in ({"end": "never"}, {"end": "fail"}, {"end": "moderate"}, {}):
        script(stub, **how)
        given = {"prompt": (None, "a lamp"), "size": (None, "1280x720")}
        begun = client.post("/videos", files=given).json()
        found = client.get(f"/videos/{begun['id']}").json()
        assert fits("VideoResource", begun)
        assert fits("VideoResource", found), found
    assert client.get(f"/videos/{begun['id']}/content").headers["content-type"] == "video/mp4"
    assert fits("DeletedVideoResource", client.delete(f"/videos/{begun['id']}").json())
    assert not fits("VideoResource", {"id": "video_1", "status": "queued", "created_at": 1701234567})


@pytest.mark.offers.with_args(is_ours)
async def test_a_server_that_was_started_again_knows_no_film_and_the_tokens_go_back(vendor: VendorBench) -> None:
    job = await vendor.order(poll="lost", poll_times=-1)
    assert await vendor.failed(job) == "expired"
    assert vendor.counts(job) == {"asked": 1, "paid": 1}


async def test_a_cancel_is_repeated_while_the_server_is_about_to_stop(
    server: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, end="never", cancel="busy", cancel_times=1)
    job = await submitted(server, tmp_path)
    assert isinstance(await server.cancel(job), Pending)
    assert isinstance(await server.cancel(job), Canceled)
    # The answer was lost, say: the film is gone, and that is what was wanted.
    assert isinstance(await server.cancel(job), Canceled)


async def test_a_server_that_cannot_stop_is_left_alone(
    server: VideoServer, plain: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, end="never", cancel="ignore")
    assert isinstance(await server.cancel(await submitted(server, tmp_path)), Canceled)
    assert isinstance(await plain.cancel(await submitted(plain, tmp_path, PLAIN)), Canceled)


async def test_a_finished_film_is_not_deleted_by_a_cancel_but_once_it_is_kept_here(
    server: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    job = await submitted(server, tmp_path)
    assert isinstance(await server.cancel(job), Finished)
    assert [one["method"] for one in requests(stub)][-1] == "GET"
    await server.forget(job)
    with pytest.raises(ProviderError) as gone:
        await server.poll(job)
    assert gone.value.kind is FailureKind.EXPIRED


async def test_a_film_that_failed_says_why_to_the_administrator_alone(
    server: VideoServer, stub: RunningStub, tmp_path: Path
) -> None:
    script(stub, end="fail")
    with pytest.raises(ProviderError) as failed:
        await server.poll(await submitted(server, tmp_path))
    assert failed.value.kind is FailureKind.UNUSABLE
    assert failed.value.detail == "RuntimeError: CUDA out of memory."
    assert "CUDA" not in failed.value.message


async def test_a_server_is_tried_by_asking_for_its_models(server: VideoServer, stub: RunningStub) -> None:
    assert await server.check() == "it answers, and has wan"
    script(stub, account="lost")
    assert await server.check() == "it answers, and has models that it does not name"
    for address, key, kind in (
        ("omni/v1", "another", FailureKind.UNAUTHORIZED),
        ("omni/v1", None, FailureKind.UNAUTHORIZED),
        ("elsewhere/v1", KEY, FailureKind.UNAVAILABLE),
    ):
        other = VideoServer("two", f"{stub.address}/{address}", key, slots=2)
        with pytest.raises(ProviderError) as caught:
            await other.check()
        await other.close()
        assert caught.value.kind is kind
        assert "another" not in str(caught.value)


async def test_several_servers_are_several_providers_each_with_its_own_key_and_number_of_jobs() -> None:
    settings = load_settings(
        environ={
            "MUTOSCOPE_VIDEO_SERVERS": "gpu1=http://10.0.0.5:8000/v1, gpu2=https://films.example/v1",
            "MUTOSCOPE_VIDEO_SERVER_KEYS": "gpu2=sesame",
            "MUTOSCOPE_PROVIDER_JOBS": "videos/gpu2=5",
        }
    )
    tools: Any = SimpleNamespace(jobs=jobs_by_provider(settings))
    opened = SETUP.open(settings, tools)
    assert {name: provider.slots for name, provider in opened.items()} == {"videos/gpu1": 2, "videos/gpu2": 5}
    one, two = opened.values()
    assert isinstance(one, VideoServer)
    assert isinstance(two, VideoServer)
    assert one.outgoing.destination.headers == {}
    assert two.outgoing.destination.headers == {"Authorization": "Bearer sesame"}
    assert SETUP.open(load_settings(environ={}), tools) == {}
    for provider in opened.values():
        await provider.close()
