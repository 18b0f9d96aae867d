"""Replicate's webhooks: whose signature is right, at which time, and the secret that they are signed with."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from cast import NOON, HandClock
from mutoscope.domain.generation import FailureKind
from mutoscope.domain.ids import SECOND
from mutoscope.providers.port import ProviderError
from mutoscope.providers.replicate.adapter import ReplicateProvider
from mutoscope.providers.replicate.webhook import NotSigned, Secret, call_of
from mutoscope.providers.signing import KEPT_MS, PAUSE_MS, CannotSay
from stubs.running import RunningStub
from stubs.vendor import KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
"""That of Replicate's documentation."""
BODY = b'{"id":"vcscvthbaxrm80cq9xqtcbaw4m","status":"succeeded"}'
SIGNATURE = "kg0LwE6dXkH4zdVN38oU19zlqNjlQyf2QXPhWnJpzEw="
"""Of `BODY` with `SECRET`: replicate 1.0.7 (webhook.Webhooks.validate) takes it, and `OTHER` not."""
OTHER = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
AT_S = NOON // SECOND


def headers(signature: str, at: str = str(AT_S), id: str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W") -> dict[str, str]:
    return {"webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature}


class Vault:
    """Where the secret is asked for."""

    def __init__(self, *secrets: str | None) -> None:
        self.secrets, self.asked = list(secrets), 0

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        secret = self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0]
        if secret is None:
            raise ProviderError(FailureKind.UNAVAILABLE, "not now")
        return secret


@pytest.mark.parametrize(
    ("signature", "right"),
    [
        (f"v1,{SIGNATURE}", True),
        (f"v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,{SIGNATURE}", True),
        (f"v2,{OTHER} v1,{SIGNATURE}", True), (f"v1,{OTHER}", False), (f"v2,{SIGNATURE}", False),
        ("v1,", False), ("v1", False), ("v1,not base64", False), (SIGNATURE, False), ("v1,\x80", False),
    ],
)  # fmt: skip
async def test_signatures_are_judged_as_the_official_client_does(signature: str, right: bool) -> None:
    call = call_of(headers(signature), BODY, NOON)
    assert await Secret(Vault(SECRET), HandClock()).fits(call) is right


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_call_without_all_its_headers_is_not_signed(missing: str) -> None:
    with pytest.raises(NotSigned):
        call_of({**headers(f"v1,{SIGNATURE}"), missing: ""}, BODY, NOON)


@pytest.mark.parametrize(
    "change", [{"body": BODY + b" "}, {"at": str(AT_S + 1)}, {"id": "msg_another"}], ids=["body", "time", "id"]
)
async def test_everything_that_is_signed_counts(change: dict[str, Any]) -> None:
    body = change.pop("body", BODY)
    call = call_of(headers(f"v1,{SIGNATURE}", **change), body, NOON)
    assert not await Secret(Vault(SECRET), HandClock()).fits(call)


@pytest.mark.parametrize("at", [AT_S - 300, AT_S + 300])
async def test_a_call_may_be_five_minutes_off(at: int) -> None:
    assert call_of(headers(f"v1,{SIGNATURE}", at=str(at)), BODY, NOON).id


@pytest.mark.parametrize("at", [str(AT_S - 301), str(AT_S + 301), "", "-1", "1e9", "٣", "9" * 40])
async def test_a_call_of_another_time_is_not_signed(at: str) -> None:
    with pytest.raises(NotSigned):
        call_of(headers(f"v1,{SIGNATURE}", at=at), BODY, NOON)


async def test_the_secret_is_asked_for_once_however_many_call() -> None:
    vault = Vault(SECRET)
    secret = Secret(vault, HandClock())
    call = call_of(headers(f"v1,{SIGNATURE}"), BODY, NOON)
    assert all(await asyncio.gather(*(secret.fits(call) for _ in range(20))))
    assert vault.asked == 1


async def test_a_secret_that_was_changed_is_asked_for_again_and_not_with_every_forgery() -> None:
    clock, vault = HandClock(), Vault("whsec_AAAA", SECRET)
    secret = Secret(vault, clock)
    call, forged = call_of(headers(f"v1,{SIGNATURE}"), BODY, NOON), call_of(headers(f"v1,{OTHER}"), BODY, NOON)
    assert not await secret.fits(call)
    clock.tick(KEPT_MS - 1)
    assert not await secret.fits(call)
    assert vault.asked == 1
    clock.tick()
    assert await secret.fits(call)
    assert not any([await secret.fits(forged) for _ in range(10)])
    assert vault.asked == 2


async def test_without_the_secret_nothing_is_said_and_it_is_not_asked_for_with_every_call() -> None:
    clock, vault = HandClock(), Vault(None, SECRET)
    secret = Secret(vault, clock)
    call = call_of(headers(f"v1,{SIGNATURE}"), BODY, NOON)
    with pytest.raises(ProviderError):
        await secret.fits(call)
    clock.tick(PAUSE_MS - 1)
    with pytest.raises(CannotSay):
        await secret.fits(call)
    assert vault.asked == 1
    clock.tick()
    assert await secret.fits(call)


@pytest.mark.parametrize("unreadable", ["", "whsec_", "whsec_!", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])
async def test_a_secret_that_cannot_be_read_signs_nothing(unreadable: str) -> None:
    with pytest.raises(CannotSay):
        await Secret(Vault(unreadable), HandClock()).fits(call_of(headers(f"v1,{SIGNATURE}"), BODY, NOON))


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = RunningStub(tmp_path_factory.mktemp("replicate") / "state", module="stubs.replicate").start()
    yield running
    running.kill()


@pytest.fixture
async def refused(stub: RunningStub) -> AsyncIterator[ReplicateProvider]:
    provider = ReplicateProvider("a token that is over", stub.address)
    yield provider
    await provider.close()


async def test_a_token_that_is_refused_makes_no_forgery_of_a_call(refused: ReplicateProvider) -> None:
    with pytest.raises(ProviderError) as caught:
        await refused.verify_webhook(headers(f"v1,{SIGNATURE}", at=str(int(time.time()))), BODY)
    assert caught.value.kind is FailureKind.UNAVAILABLE
    with pytest.raises(ProviderError) as caught:
        await refused.verify_webhook({}, BODY)
    assert caught.value.kind is FailureKind.UNAUTHORIZED


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"id":"p1"}', True), (b'{"id":"p1","webhook":"https://a.example/hooks/replicate/gen_1"}', True),
        (b'{"id":"p1","webhook":"https://a.example/hooks/replicate/gen_2"}', False),
        (b'{"id":""}', False), (b'{"status":"succeeded"}', False), (b"[]", False), (b"\xff", False), (b"", False),
    ],
)  # fmt: skip
async def test_a_call_names_its_prediction_unless_it_was_for_another_job(
    refused: ReplicateProvider, body: bytes, named: bool
) -> None:
    found = refused.job_of_webhook("gen_1", body)
    assert (found is not None) is named
    assert found is None or (found.id, found.reference) == ("p1", "gen_1")


async def test_the_stub_asks_for_the_key_before_it_tells_its_secret(stub: RunningStub) -> None:
    asked = httpx2.get(f"{stub.address}/v1/webhooks/default/secret")
    assert asked.status_code == 401
    asked = httpx2.get(f"{stub.address}/v1/webhooks/default/secret", headers={"Authorization": f"Bearer {KEY}"})
    assert asked.json()["key"].startswith("whsec_")
