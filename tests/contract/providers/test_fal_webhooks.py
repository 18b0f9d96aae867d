"""Calls of fal's: right, forged, old, repeated, about other bodies; keys that change, and keys that cannot be had."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.providers.vendors import order_for
from mutoscope.domain.catalogue import Model
from mutoscope.domain.generation import FailureKind
from mutoscope.domain.ids import DAY, MINUTE
from mutoscope.domain.media import Kind
from mutoscope.providers.fal.adapter import FalProvider
from mutoscope.providers.fal.webhook import Key, KeySet, keys_of
from mutoscope.providers.port import Accepted, Finished, ProviderError
from mutoscope.providers.signing import PAUSE_MS
from stubs.fal import call_about
from stubs.running import RunningStub
from stubs.vendor import KEY
from worker.bench import MovableClock

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODEL = Model(id="x", provider="fal", upstream="fal-ai/flux/dev", name="x", description="x", kind=Kind.IMAGE)
ID = "024ca5b1-45d3-4afd-883e-ad3abe2a1c4d"


@pytest.fixture
def stub(tmp_path: Path) -> Any:
    running = RunningStub(tmp_path / "state", module="stubs.fal").start()
    yield running
    running.kill()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def fal(stub: RunningStub, clock: MovableClock) -> AsyncIterator[FalProvider]:
    provider = FalProvider(KEY, stub.address, clock=clock)
    yield provider
    await provider.close()


async def heard(fal: FalProvider, call: dict[str, Any]) -> str:
    """The delivery's id, or why it is not believed."""
    try:
        return await fal.verify_webhook(call["headers"], call["body"].encode())
    except ProviderError as e:
        return e.kind.value


def fetches(stub: RunningStub) -> list[dict[str, Any]]:
    requests = httpx2.get(f"{stub.address}/admin/requests").json()
    return [one for one in requests if one["target"] == "/.well-known/jwks.json"]


def publish(stub: RunningStub, *keys: int) -> None:
    httpx2.post(f"{stub.address}/admin/keys", json={"keys": keys}).raise_for_status()


async def test_a_call_is_believed_by_any_of_the_published_keys_and_only_so(fal: FalProvider) -> None:
    assert await heard(fal, call_about(ID, number=0)) == ID
    assert await heard(fal, call_about(ID, number=1)) == ID
    assert await heard(fal, call_about(ID, number=2)) == "unauthorized"
    assert await heard(fal, call_about(ID, "forged")) == "unauthorized"


async def test_a_call_that_is_sent_again_has_the_id_that_it_had(fal: FalProvider) -> None:
    first, again = call_about(ID, number=0), call_about(ID, number=1)
    assert first["headers"] != again["headers"]
    assert await heard(fal, first) == await heard(fal, again) == ID


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_call_of_another_time_is_not_believed(fal: FalProvider, clock: MovableClock, minutes: int) -> None:
    call = call_about(ID)
    clock.forward(minutes * MINUTE)
    assert await heard(fal, call) == "unauthorized"
    clock.forward(-minutes * MINUTE + 4 * MINUTE)
    assert await heard(fal, call) == ID
    assert await heard(fal, call_about(ID, "old")) == "unauthorized"


@pytest.mark.parametrize("part", ["request-id", "user-id", "timestamp", "signature"])
async def test_every_part_of_a_call_is_signed(fal: FalProvider, stub: RunningStub, part: str) -> None:
    name = f"x-fal-webhook-{part}"
    call = call_about(ID)
    value = call["headers"][name]
    other = str(int(value) + 1) if part == "timestamp" else ("0" if value[0] != "0" else "1") + value[1:]
    for headers in (call["headers"] | {name: other}, {key: of for key, of in call["headers"].items() if key != name}):
        assert await heard(fal, call | {"headers": headers}) == "unauthorized"
    assert await heard(fal, call | {"body": call["body"] + " "}) == "unauthorized"
    assert await heard(fal, call) == ID


@pytest.mark.parametrize(
    ("name", "value"),
    [("timestamp", "soon"), ("timestamp", "9" * 40), ("timestamp", "-1"), ("timestamp", "1e9"), ("timestamp", "¹"),
     ("signature", "zz" * 64), ("signature", "00"), ("signature", ""), ("request-id", "")],
)  # fmt: skip
async def test_what_is_no_call_of_fals_form_costs_no_question(
    fal: FalProvider, stub: RunningStub, name: str, value: str
) -> None:
    call = call_about(ID)
    call["headers"][f"x-fal-webhook-{name}"] = value
    assert await heard(fal, call) == "unauthorized"
    assert fetches(stub) == []


async def test_keys_are_fetched_once_a_day_and_without_our_own(
    fal: FalProvider, stub: RunningStub, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert await heard(fal, call_about(ID)) == ID
    assert len(fetches(stub)) == 1
    assert "authorization" not in fetches(stub)[0]["headers"]
    publish(stub, 5)
    clock.forward(DAY)
    stamped_later(monkeypatch, DAY // 1000)
    # Keys of the day before count no more.
    assert await heard(fal, call_about(ID)) == "unauthorized"
    assert await heard(fal, call_about(ID, number=5)) == ID
    assert len(fetches(stub)) == 2


async def test_new_keys_are_found_without_waiting_for_a_day_and_strangers_cannot_make_us_ask_all_the_time(
    fal: FalProvider, stub: RunningStub, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await heard(fal, call_about(ID)) == ID
    publish(stub, 0, 1, 2)
    for _ in range(5):
        assert await heard(fal, call_about(ID, number=2)) == "unauthorized"
    assert len(fetches(stub)) == 1
    clock.forward(5 * MINUTE)
    stamped_later(monkeypatch, 5 * 60)
    assert await heard(fal, call_about(ID, number=2)) == ID
    for _ in range(5):
        assert await heard(fal, call_about(ID, "forged")) == "unauthorized"
    assert len(fetches(stub)) == 2


def stamped_later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let calls be signed at a later time."""
    now = time.time
    monkeypatch.setattr("stubs.fal.time.time", lambda: now() + seconds)


async def test_without_keys_a_call_is_neither_believed_nor_refused(fal: FalProvider, stub: RunningStub) -> None:
    stub.kill()
    assert await heard(fal, call_about(ID)) == FailureKind.UNAVAILABLE.value


async def test_keys_that_cannot_be_had_are_not_asked_for_with_every_call_of_a_stranger(
    clock: MovableClock,
) -> None:
    asked = 0

    async def down(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    server = await asyncio.start_server(down, "127.0.0.1", 0)
    fal = FalProvider(KEY, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", clock=clock)
    kinds = await asyncio.gather(*(heard(fal, call_about(ID, "forged")) for _ in range(20)))
    assert (set(kinds), asked) == ({FailureKind.UNAVAILABLE.value}, 1)
    clock.forward(PAUSE_MS)
    assert await heard(fal, call_about(ID)) == FailureKind.UNAVAILABLE.value
    assert asked == 2
    await fal.close()
    server.close()


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b'{"request_id": 5}'])
async def test_a_call_without_a_request_names_no_job(fal: FalProvider, body: bytes) -> None:
    assert fal.job_of_webhook("gen_x", body) is None


async def test_a_request_whose_answer_was_lost_is_asked_for_by_the_id_of_its_call_and_its_model(
    fal: FalProvider, stub: RunningStub, tmp_path: Path
) -> None:
    answer = await fal.submit(order_for(tmp_path, MODEL, {}, prompt="lost"))
    assert isinstance(answer, Accepted)
    call = httpx2.get(f"{stub.address}/admin/webhook", params={"reference": "lost"}).json()
    assert await heard(fal, call) == answer.job.id
    named = fal.job_of_webhook("gen_x", call["body"].encode())
    assert named is not None
    assert (named.id, named.reference) == (answer.job.id, "gen_x")
    with pytest.raises(ProviderError) as caught:
        await fal.poll(named)
    assert caught.value.kind is FailureKind.UNAVAILABLE
    found = await fal.poll(type(named)(id=named.id, reference="gen_x", data={"upstream": "fal-ai/flux/dev"}))
    assert isinstance(found, Finished)
    assert len(found.outputs) == 1


async def test_a_key_that_is_none_is_passed_over() -> None:
    good = base64.urlsafe_b64encode(b"\7" * 32).decode()
    keys = [
        Key("OKP", "Ed25519", good),
        Key("RSA", "", good),
        Key("OKP", "Ed25519", "short"),
        Key("OKP", "X25519", good),
    ]
    assert len(keys_of(KeySet(keys))) == 1
