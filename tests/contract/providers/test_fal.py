"""What is fal's own: orders as fal's client sends them, how requests stand, cancels, and the key."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.providers.test_fal_answers import answer, typed
from contract.providers.vendors import order_for, picture
from mutoscope.domain.catalogue import Model, validate
from mutoscope.domain.generation import FailureKind, ProviderJob
from mutoscope.domain.media import Kind
from mutoscope.outgoing import Answer
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.fal import wire
from mutoscope.providers.fal.adapter import PICTURE_BYTES, FalProvider
from mutoscope.providers.port import Accepted, Canceled, Finished, Pending, ProviderError
from stubs.running import RunningStub
from stubs.vendor import KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODELS = {model.id: model for model in load_catalogue(None, ["fal"]).models() if model.provider == "fal"}
PLAIN = Model(id="x", provider="fal", upstream="fal-ai/flux/dev", name="x", description="x", kind=Kind.IMAGE)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = RunningStub(tmp_path_factory.mktemp("fal") / "state", module="stubs.fal").start()
    yield running
    running.kill()


@pytest.fixture
async def fal(stub: RunningStub) -> AsyncIterator[FalProvider]:
    provider = FalProvider(KEY, stub.address)
    yield provider
    await provider.close()


def script(stub: RunningStub, prompt: str, **how: Any) -> str:
    """How the job of that prompt behaves; returns the prompt."""
    httpx2.post(f"{stub.address}/admin/script", params={"reference": prompt}, json=how).raise_for_status()
    return prompt


def sent(stub: RunningStub) -> dict[str, Any]:
    """What came in last."""
    return httpx2.get(f"{stub.address}/admin/requests").json()[-1]


def body_sent(stub: RunningStub) -> dict[str, Any]:
    return json.loads(base64.b64decode(sent(stub)["body"]))


async def accepted(fal: FalProvider, spool: Path, prompt: str, **fields: Any) -> ProviderJob:
    answer = await fal.submit(order_for(spool, PLAIN, {}, prompt=prompt, **fields))
    assert isinstance(answer, Accepted)
    return answer.job


async def test_an_order_and_its_questions_are_those_that_fals_own_client_sends(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    """Recorded from fal-client 1.0.3 with a transport of its own; its question for the standing has ``?logs=false``."""
    hook = "https://studio.example/hooks/fal/gen_1?x=1"
    job = await accepted(fal, tmp_path, "a lamp", results=2, webhook_url=hook)
    order = sent(stub)
    target = "/fal-ai/flux/dev?fal_webhook=https%3A%2F%2Fstudio.example%2Fhooks%2Ffal%2Fgen_1%3Fx%3D1"
    assert (order["method"], order["target"]) == ("POST", target)
    assert order["headers"]["authorization"] == "Key stub-key"
    assert order["headers"]["content-type"] == "application/json"
    assert body_sent(stub) == {"prompt": "a lamp", "num_images": 2, "seed": 7}
    asked = f"/fal-ai/flux/requests/{job.id}"
    await fal.poll(job)
    requests = httpx2.get(f"{stub.address}/admin/requests").json()[-2:]
    assert [(one["method"], one["target"]) for one in requests] == [("GET", f"{asked}/status"), ("GET", asked)]
    await fal.cancel(job)
    cancel = next(one for one in httpx2.get(f"{stub.address}/admin/requests").json()[::-1] if one["method"] == "PUT")
    assert (cancel["target"], cancel["headers"]["content-length"]) == (f"{asked}/cancel", "0")


@pytest.mark.parametrize("id", list(MODELS))
async def test_every_parameter_of_every_model_is_one_that_fal_takes(
    fal: FalProvider, stub: RunningStub, tmp_path: Path, id: str
) -> None:
    model = MODELS[id]
    source = picture(tmp_path / "source", 320, 320) if model.image == "required" else None
    names = {"size": "resolution" if model.kind is Kind.VIDEO else "image_size", "duration_s": "duration"}
    for name, parameter in model.parameters.items():
        for value in parameter.choices or (parameter.minimum, parameter.maximum, parameter.default):
            if value is None:
                continue
            chosen = validate(model, {name: value})
            without = "fog" if model.negative_prompt else ""
            order = order_for(
                tmp_path, model, chosen, source=source, negative_prompt=without, results=model.results_max
            )
            await fal.submit(order)
            fields = body_sent(stub)
            said = fields[names.get(name, name)]
            assert (f"{said['width']}x{said['height']}" if isinstance(said, dict) else said) == value
            assert fields["prompt"] == "a lamp by the sea"
            assert fields.get("negative_prompt", "") == without
            assert fields.get("num_images", 1) == model.results_max


async def test_a_picture_goes_out_as_an_address_that_holds_it_under_the_models_own_name(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    model, source = MODELS["fal/kling-2.6-picture"], picture(tmp_path / "source", 320, 320)
    await fal.submit(order_for(tmp_path, model, validate(model, {}), source=source))
    fields = body_sent(stub)
    head, _, content = fields["start_image_url"].partition(",")
    assert (head, base64.b64decode(content)) == ("data:image/jpeg;base64", source.path.read_bytes())
    assert "image_url" not in fields
    assert "seed" not in fields


async def test_a_picture_that_is_too_large_is_refused_before_anything_is_asked(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    model, source = MODELS["fal/kling-2.6-picture"], picture(tmp_path / "source", 320, 320)
    with source.path.open("r+b") as file:
        file.truncate(PICTURE_BYTES + 1)
    before = len(httpx2.get(f"{stub.address}/admin/requests").json())
    with pytest.raises(ProviderError) as caught:
        await fal.submit(order_for(tmp_path, model, validate(model, {}), source=source))
    assert caught.value.kind is FailureKind.INVALID
    assert "4 MB" in caught.value.message
    assert len(httpx2.get(f"{stub.address}/admin/requests").json()) == before


async def test_a_seed_beyond_what_some_makers_take_is_counted_on_from_nothing(tmp_path: Path) -> None:
    assert wire.body_of(order_for(tmp_path, PLAIN, {}, seed=2**31 + 5), None)["seed"] == 5
    assert wire.body_of(order_for(tmp_path, PLAIN, {}, seed=2**31 - 1), None)["seed"] == 2**31 - 1


@pytest.mark.parametrize(
    ("upstream", "what", "path"),
    [
        ("fal-ai/ltx-2.3/text-to-video/fast?seed=", "response_url", "/fal-ai/ltx-2.3/requests/r-1"),
        ("fal-ai/flux/dev", "status_url", "/fal-ai/flux/requests/r-1/status"),
        ("workflows/someone/mine", "cancel_url", "/workflows/someone/mine/requests/r-1/cancel"),
    ],
)
async def test_a_request_is_known_below_its_app(upstream: str, what: str, path: str) -> None:
    assert wire.request_path(upstream, "r-1", what) == path


async def test_the_key_goes_only_to_addresses_below_the_base(
    fal: FalProvider, stub: RunningStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fal says of where to ask is not trusted: another place is asked where fal documents it."""

    async def answered(*_: Any, **__: Any) -> Answer:
        said = {"request_id": "r-1", "status_url": "https://queue.fal.run.evil.example/x", "cancel_url": "file:///x",
                "response_url": f"{stub.address}@evil.example/x"}  # fmt: skip
        return Answer(status=200, headers={}, body=json.dumps(said).encode(), where="x")

    monkeypatch.setattr(fal, "ask", answered)
    job = await accepted(fal, tmp_path, "elsewhere")
    assert job.data == {"upstream": "fal-ai/flux/dev"}


async def standing(fal: FalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> Any:
    """What a poll makes of these answers, in turn."""
    job = ProviderJob(id="r-1", reference="x", data={"upstream": "fal-ai/flux/dev"})
    left = list(answers)

    async def ask(*_: Any, **__: Any) -> Answer:
        return left.pop(0)

    monkeypatch.setattr(fal.outgoing, "ask", ask)
    return await fal.poll(job)


async def test_completed_with_an_error_is_no_success_whatever_the_result_says(
    fal: FalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answer(200, {"status": "COMPLETED", "error": "boom"})
    made = answer(200, {"video": {"url": "https://v3.fal.media/a.mp4"}})
    with pytest.raises(ProviderError) as caught:
        await standing(fal, tmp_path, monkeypatch, said, made)
    assert caught.value.kind is FailureKind.UNUSABLE
    with pytest.raises(ProviderError) as caught:
        await standing(fal, tmp_path, monkeypatch, said, answer(422, typed("content_policy_violation")))
    assert caught.value.kind is FailureKind.MODERATED


async def test_a_result_that_lags_behind_its_standing_is_asked_for_again(
    fal: FalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answer(200, {"status": "COMPLETED", "error": None})
    early = answer(400, {"detail": "Request is still in progress"})
    assert await standing(fal, tmp_path, monkeypatch, said, early) == Pending()


async def test_a_cancel_of_what_has_begun_stands_until_fal_says_what_became_of_it(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    prompt = script(stub, "stopped", finish_after_s=600)
    job = await accepted(fal, tmp_path, prompt)
    assert await fal.cancel(job) == Pending()
    assert await fal.cancel(job) == Canceled()
    assert await fal.poll(job) == Canceled()


async def test_a_model_that_does_not_stop_when_it_is_told_is_waited_for(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    job = await accepted(fal, tmp_path, script(stub, "ignored", finish_after_s=0.5, cancel="ignore"))
    assert await fal.cancel(job) == Pending()
    await asyncio.sleep(0.6)
    found = await fal.cancel(job)
    assert isinstance(found, Finished)
    assert len(found.outputs) == 1


@pytest.mark.parametrize(("status", "said", "means"), [(200, "OK", Canceled()), (404, "NOT_FOUND", Canceled()),
                                                       (202, "A_NEW_WORD", Pending())])  # fmt: skip
async def test_the_other_answers_to_a_cancel(
    fal: FalProvider, monkeypatch: pytest.MonkeyPatch, status: int, said: str, means: Any
) -> None:
    async def ask(*_: Any, **__: Any) -> Answer:
        return answer(status, {"status": said})

    monkeypatch.setattr(fal.outgoing, "ask", ask)
    assert await fal.cancel(ProviderJob(id="r-1", reference="x", data={"upstream": "fal-ai/flux/dev"})) == means


async def test_a_cancel_that_fails_says_nothing_of_the_request(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    job = await accepted(fal, tmp_path, script(stub, "busy", finish_after_s=600, cancel="busy"))
    with pytest.raises(ProviderError) as caught:
        await fal.cancel(job)
    assert caught.value.kind is FailureKind.UNAVAILABLE


async def test_the_key_is_tried_by_asking_for_a_request_that_nobody_made(fal: FalProvider, stub: RunningStub) -> None:
    assert await fal.check() == "the key was not refused"
    wrong = FalProvider("another", stub.address)
    with pytest.raises(ProviderError) as caught:
        await wrong.check()
    await wrong.close()
    assert caught.value.kind is FailureKind.UNAUTHORIZED
    assert "another" not in str(caught.value)
