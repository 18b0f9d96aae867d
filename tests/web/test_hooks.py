"""Calls of providers: verified before anything else happens, taken once, and never more than a wake-up."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

import journey
from mutoscope.domain.generation import Failure, FailureKind, Generation, ProviderJob, State
from mutoscope.domain.ids import DAY, HOUR, MINUTE
from mutoscope.providers.port import ProviderError
from mutoscope.store.port import Patch, Store, StoreUnavailable
from mutoscope.web import bodies, hooks
from stubs.adapter import StubProvider
from web.answers import code
from web.house import House, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = b"whsec of the stub"
ELSEWHERE = {"provider": "another"}


class Calling(StubProvider):
    """Signs what it sends by HMAC over id and body, and names its job as ``job``."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.verified, self.down = 0, False

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        self.verified += 1
        if self.down:
            raise ProviderError(FailureKind.UNAVAILABLE, "The keys cannot be had.")
        delivery = headers["x-delivery"]  # a call without it makes this adapter stumble
        if not hmac.compare_digest(signature(delivery, body), headers.get("x-signature", "")):
            raise ProviderError(FailureKind.UNAUTHORIZED, "The signature is wrong.")
        return delivery

    def job_of_webhook(self, reference: str, body: bytes) -> ProviderJob | None:
        id = json.loads(body).get("job")
        return ProviderJob(id=id, reference=reference) if id else None


def signature(delivery: str, body: bytes) -> str:
    return hmac.new(SECRET, delivery.encode() + body, hashlib.sha256).hexdigest()


@pytest.fixture
def provider(house: House) -> Iterator[Calling]:
    provider = Calling()
    house.providers["stub"] = provider
    house.providers["another"] = Calling()
    yield provider
    house.providers.clear()


@pytest.fixture
async def caller(house: House, provider: Calling) -> AsyncIterator[httpx2.AsyncClient]:
    async with house.client() as client:
        yield client


def signed(body: bytes, delivery: str = "d-1", **more: str) -> dict[str, Any]:
    headers = {"X-Delivery": delivery, "X-Signature": signature(delivery, body), **more}
    return {"content": body, "headers": headers}


async def call(
    caller: httpx2.AsyncClient, about: Generation | str, delivery: str = "d-1", **said: Any
) -> httpx2.Response:
    """A right call about a job."""
    reference = about if isinstance(about, str) else about.id
    return await caller.post(f"/hooks/stub/{reference}", **signed(json.dumps(said).encode(), delivery))


async def waiting(house: House, state: State, provider: str = "stub", **fields: Any) -> Generation:
    """A job in that state that nobody looks at before an hour is over."""
    job = await journey.at(house.store, house.alice, state, house.clock.now(), provider=provider, **fields)
    now = house.clock.now()
    return await house.store.generations.postpone(job.id, job.fence, state, now, now + HOUR)


async def now_is(house: House, job: Generation) -> Generation:
    found = await house.store.generations.get(job.id)
    assert found is not None
    return found


async def until_answered(caller: httpx2.AsyncClient, job: Generation, status: int) -> httpx2.Response:
    """Call again and again until the answer is that one."""
    async with asyncio.timeout(10):
        while True:
            if (answer := await call(caller, job)).status_code == status:
                return answer
            await asyncio.sleep(0.01)


async def counted(house: House, outcome: str, provider: str = "stub") -> float | None:
    registry = house.app.state.metrics.registry
    return registry.get_sample_value("mutoscope_webhooks_total", {"provider": provider, "outcome": outcome})


@pytest.mark.parametrize("state", [State.RENDERING, State.CANCELING, State.OUTCOME_UNKNOWN])
async def test_a_right_call_wakes_a_job_that_waits_and_changes_nothing_else(
    house: House, caller: httpx2.AsyncClient, state: State
) -> None:
    job = await waiting(house, state)
    answer = await call(caller, job, status="OK", outputs=["https://evil.example/film.mp4"])
    assert (answer.status_code, answer.content) == (200, b"")
    woken = await now_is(house, job)
    assert woken.due_at == house.clock.now()
    assert (woken.state, woken.version, woken.outputs) == (state, job.version, ())
    assert house.woken == 1
    assert await counted(house, "woken") == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_a_post_is_a_call(caller: httpx2.AsyncClient, house: House, method: str) -> None:
    job = await waiting(house, State.RENDERING)
    assert code(await caller.request(method, f"/hooks/stub/{job.id}")) == (405, "method_not_allowed")


async def test_a_call_needs_no_sign_in_and_may_come_from_any_site_with_any_kind_of_body(
    house: House, caller: httpx2.AsyncClient
) -> None:
    job = await waiting(house, State.RENDERING)
    foreign = {"Origin": "https://provider.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/x-odd"}
    foreign |= {"Cookie": "mutoscope_session=nonsense", "Authorization": "Signature abc"}
    answer = await caller.post(f"/hooks/stub/{job.id}", **signed(b'{"status": "OK"}', **foreign))
    assert answer.status_code == 200
    assert (await now_is(house, job)).due_at == house.clock.now()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Delivery": "d-1"},
        {"X-Delivery": "d-1", "X-Signature": "0" * 64},
        {"X-Delivery": "d-2", "X-Signature": signature("d-1", b"{}")},
        {"X-Delivery": "d-1", "X-Signature": signature("d-1", b"{ }")},
    ],
)
async def test_a_forged_call_is_refused_and_touches_no_store(
    house: House, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    job = await waiting(house, State.RENDERING)
    with monkeypatch.context() as patch:
        _break(patch, house.store)
        answer = await caller.post(f"/hooks/stub/{job.id}", content=b"{}", headers=headers)
    assert code(answer) == (401, "forged")
    assert (await now_is(house, job)).due_at == job.due_at
    assert house.woken == 0
    assert await counted(house, "forged") == 1


def _break(patch: pytest.MonkeyPatch, store: Store) -> None:
    async def down(*_: Any) -> None:
        raise StoreUnavailable("mongodb://user:password@host is down")

    for group in (store.hooks, store.generations, store.people):
        for name in ("record", "job", "get", "wake", "session"):
            if hasattr(group, name):
                patch.setattr(group, name, down)


async def test_a_repeated_call_is_taken_and_wakes_nobody(house: House, caller: httpx2.AsyncClient) -> None:
    job = await waiting(house, State.RENDERING)
    assert (await call(caller, job)).status_code == 200
    later = await house.store.generations.claim(
        frozenset({State.RENDERING}), "w", house.clock.now(), house.clock.now() + MINUTE, journey.NO_LIMITS
    )
    assert later is not None
    due_at = house.clock.now() + HOUR
    await house.store.generations.postpone(job.id, later.fence, State.RENDERING, house.clock.now(), due_at)
    for _ in range(3):
        assert (await call(caller, job)).status_code == 200
    assert (await now_is(house, job)).due_at == due_at
    assert house.woken == 1
    assert await counted(house, "repeated") == 3
    assert (await call(caller, job, "d-2")).status_code == 200
    assert (await now_is(house, job)).due_at == house.clock.now()


@pytest.mark.parametrize("state", [State.QUEUED, State.SUBMITTING, State.FETCHING, State.DEVELOPING])
async def test_a_call_out_of_order_is_taken_and_changes_nothing(
    house: House, caller: httpx2.AsyncClient, state: State
) -> None:
    job = await waiting(house, state)
    assert (await call(caller, job, status="starting")).status_code == 200
    assert await now_is(house, job) == job
    assert house.woken == 0
    assert await counted(house, "idle") == 1


async def test_a_call_about_a_job_that_ended_is_taken_and_changes_nothing(
    house: House, caller: httpx2.AsyncClient
) -> None:
    job = await journey.at(house.store, house.alice, State.RENDERING, provider="stub")
    job = await house.store.generations.finish(
        job.id, job.fence, State.RENDERING, State.FAILED, house.clock.now(), journey.BROKE
    )
    assert (await call(caller, job, job="p-1")).status_code == 200
    assert await now_is(house, job) == job
    assert await counted(house, "idle") == 1


async def test_a_call_about_an_unknown_job_or_another_providers_is_taken_and_changes_nothing(
    house: House, caller: httpx2.AsyncClient
) -> None:
    job = await waiting(house, State.OUTCOME_UNKNOWN, **ELSEWHERE)
    assert (await call(caller, "gen_" + "0" * 26)).status_code == 200
    assert (await call(caller, job, "d-2", job="p-1")).status_code == 200
    assert await now_is(house, job) == job
    assert house.woken == 0
    assert await counted(house, "unknown_job") == 2


@pytest.mark.parametrize(
    "path", ["/hooks/nobody/{id}", "/hooks/stub/med_x", "/hooks/stub/gen_1", "/hooks/stub/{id}x", "/hooks/stub/..%2f.."]
)
async def test_an_address_that_we_gave_to_nobody_is_not_there_whatever_is_sent(
    house: House, caller: httpx2.AsyncClient, provider: Calling, path: str
) -> None:
    job = await waiting(house, State.RENDERING)
    answer = await caller.post(path.format(id=job.id), **signed(b"{}", Accept="text/html"))
    assert code(answer) == (404, "not_found")
    assert set(answer.json()) == {"type", "title", "status", "detail", "code"}
    assert provider.verified == 0


async def test_a_lost_answer_is_found_by_the_job_that_a_late_call_names(
    house: House, caller: httpx2.AsyncClient
) -> None:
    job = await waiting(house, State.OUTCOME_UNKNOWN)
    assert (await call(caller, job, job="p-1")).status_code == 200
    found = await now_is(house, job)
    data = {"upstream": job.pinned.upstream}
    assert (found.state, found.job) == (State.RENDERING, ProviderJob(id="p-1", reference=job.id, data=data))
    assert (await house.balance(house.alice)).held == job.hold
    assert house.woken == 1
    assert await counted(house, "found") == 1


async def test_a_result_that_is_called_for_after_the_tokens_went_back_is_fetched_uncharged(
    house: House, caller: httpx2.AsyncClient
) -> None:
    before = await house.balance(house.alice)
    job = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN, provider="stub")
    failure = Failure(kind=FailureKind.TIMED_OUT, message="The provider never told.")
    now = house.clock.now()
    await house.store.generations.finish(job.id, job.fence, State.OUTCOME_UNKNOWN, State.FAILED, now, failure)
    assert (await call(caller, job)).status_code == 200
    assert (await now_is(house, job)).state is State.FAILED
    assert (await call(caller, job, "d-2", job="p-1")).status_code == 200
    found = await now_is(house, job)
    assert (found.state, found.captured) == (State.FETCHING, 0)
    assert found.job is not None
    assert found.job.id == "p-1"
    assert await house.balance(house.alice) == before


async def test_a_job_that_was_canceled_without_word_is_fetched_uncharged_too(
    house: House, caller: httpx2.AsyncClient
) -> None:
    job = await journey.at(house.store, house.alice, State.OUTCOME_UNKNOWN, provider="stub")
    now = house.clock.now()
    await house.store.generations.finish(job.id, job.fence, State.OUTCOME_UNKNOWN, State.CANCELED, now, None)
    assert (await call(caller, job, job="p-1")).status_code == 200
    assert (await now_is(house, job)).state is State.FETCHING


async def test_a_job_whose_own_id_is_known_is_never_given_another(house: House, caller: httpx2.AsyncClient) -> None:
    own = ProviderJob(id="own", reference="ours")
    job = await journey.at(house.store, house.alice, State.SUBMITTING, provider="stub")
    now = house.clock.now()
    patch = Patch(job=own, due_at=now + HOUR)
    await house.store.generations.advance(job.id, job.fence, State.SUBMITTING, State.RENDERING, now, patch)
    assert (await call(caller, job, job="p-1")).status_code == 200
    assert (await now_is(house, job)).job == own


async def test_a_delivery_that_is_sent_on_to_another_address_names_nothing_there(
    house: House, caller: httpx2.AsyncClient
) -> None:
    """The signature may not cover the address."""
    other, first = await waiting(house, State.OUTCOME_UNKNOWN), await waiting(house, State.OUTCOME_UNKNOWN)
    assert (await call(caller, first, job="p-1")).status_code == 200
    assert (await call(caller, other, job="p-1")).status_code == 200
    assert await now_is(house, other) == other
    assert await counted(house, "repeated") == 1


async def test_a_call_that_came_before_its_answer_was_lost_is_remembered(
    house: House, caller: httpx2.AsyncClient
) -> None:
    job = await waiting(house, State.SUBMITTING)
    assert (await call(caller, job, job="p-1")).status_code == 200
    assert await house.store.hooks.job("stub", job.id) == ProviderJob(id="p-1", reference=job.id)


async def test_words_that_cannot_be_read_wake_all_the_same(house: House, caller: httpx2.AsyncClient) -> None:
    job = await waiting(house, State.OUTCOME_UNKNOWN)
    answer = await caller.post(f"/hooks/stub/{job.id}", **signed(b"\xff not json"))
    assert answer.status_code == 200
    assert (await now_is(house, job)).due_at == house.clock.now()


async def test_a_body_over_a_megabyte_is_refused_also_when_its_length_is_not_announced(
    house: House, caller: httpx2.AsyncClient, provider: Calling
) -> None:
    job = await waiting(house, State.RENDERING)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"x" * 65_536

    for body in (b"x" * (hooks.BODY_BYTES + 1), pieces()):
        answer = await caller.post(f"/hooks/stub/{job.id}", content=body)
        assert code(answer) == (413, "too_large")
    assert provider.verified == 0
    assert await counted(house, "too_large") == 2
    whole = b'{"x": "' + b"x" * (hooks.BODY_BYTES - 9) + b'"}'
    assert (await caller.post(f"/hooks/stub/{job.id}", **signed(whole))).status_code == 200


async def test_a_body_that_stands_still_is_given_up(
    house: House, provider: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.2)
    job = await waiting(house, State.RENDERING)
    async with served(house.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /hooks/stub/{job.id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        writer.write(head.encode() + b"{")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        writer.close()
    assert b" 408 " in answer
    assert provider.verified == 0
    assert await counted(house, "too_slow") == 1


async def test_slow_bodies_do_not_pile_up(house: House, provider: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    house.app.state.doorkeeper = hooks.Doorkeeper(at_once=1)
    job = await waiting(house, State.RENDERING)
    async with served(house.app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /hooks/stub/{job.id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        writer.write(head.encode() + b"{")
        await writer.drain()
        async with httpx2.AsyncClient(base_url=f"http://localhost:{port}", trust_env=False) as client:
            assert code(await until_answered(client, job, 429)) == (429, "too_many")
            writer.close()
            await until_answered(client, job, 200)


async def test_calls_that_wait_for_their_verification_do_not_pile_up(
    house: House, caller: httpx2.AsyncClient, provider: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.app.state.doorkeeper = hooks.Doorkeeper(at_once=2)
    job = await waiting(house, State.RENDERING)
    verify, keys_come, held_here = provider.verify_webhook, asyncio.Event(), asyncio.Semaphore(0)

    async def slow(headers: Mapping[str, str], body: bytes) -> str:
        held_here.release()
        await keys_come.wait()
        return await verify(headers, body)

    monkeypatch.setattr(provider, "verify_webhook", slow)
    held = [asyncio.create_task(call(caller, job, f"d-{number}")) for number in range(2)]
    for _ in held:
        await held_here.acquire()
    assert code(await call(caller, job, "d-3")) == (429, "too_many")
    keys_come.set()
    assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
    assert (await call(caller, job, "d-3")).status_code == 200


async def test_while_the_store_is_down_the_provider_is_asked_to_send_it_again_and_nothing_is_lost(
    house: House, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await waiting(house, State.OUTCOME_UNKNOWN)
    with monkeypatch.context() as patch:
        _break(patch, house.store)
        answer = await call(caller, job, job="p-1")
    assert code(answer) == (503, "unavailable")
    assert "retry-after" in answer.headers
    assert "password" not in answer.text
    assert await counted(house, "unavailable") == 1
    assert (await call(caller, job, job="p-1")).status_code == 200
    assert (await now_is(house, job)).state is State.RENDERING


async def test_a_store_that_goes_down_after_the_delivery_was_kept_finds_the_job_at_the_next_call(
    house: House, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await waiting(house, State.OUTCOME_UNKNOWN)

    async def down(*_: Any) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(house.store.generations, "get", down)
        assert code(await call(caller, job, job="p-1")) == (503, "unavailable")
    assert (await call(caller, job, job="p-1")).status_code == 200
    assert (await now_is(house, job)).state is State.RENDERING


async def test_a_call_that_cannot_be_verified_now_is_to_come_again(
    house: House, caller: httpx2.AsyncClient, provider: Calling
) -> None:
    job = await waiting(house, State.RENDERING)
    provider.down = True
    assert code(await call(caller, job)) == (503, "unavailable")
    provider.down = False
    assert (await call(caller, job)).status_code == 200
    assert (await now_is(house, job)).due_at == house.clock.now()


async def test_neither_signature_nor_body_is_logged(house: House, caller: httpx2.AsyncClient) -> None:
    job = await waiting(house, State.OUTCOME_UNKNOWN)
    said = b'{"job": "p-1", "prompt": "a secret garden"}'
    with capture_logs() as lines:
        await caller.post(f"/hooks/stub/{job.id}?token=hidden", **signed(said))
        await caller.post(f"/hooks/stub/{job.id}?token=hidden", content=said, headers={"X-Signature": "f0f0f0"})
        await caller.post(f"/hooks/stub/{job.id}?token=hidden", **signed(b"a secret garden \xff", "d-3"))
    logged = json.dumps(lines, default=str)
    assert len(lines) >= 5
    for hidden in ("secret garden", "hidden", "f0f0f0", signature("d-1", said), SECRET.decode()):
        assert hidden not in logged


async def test_the_figures_tell_by_provider_what_came_of_calls(house: House, caller: httpx2.AsyncClient) -> None:
    job = await waiting(house, State.RENDERING)
    await call(caller, job)
    await caller.post(f"/hooks/stub/{job.id}", content=b"{}")
    await caller.post(f"/hooks/made-up-by-a-stranger/{job.id}", content=b"{}")
    house.clock.tick(DAY)
    text = (await caller.get("/metrics")).text
    assert 'mutoscope_webhooks_total{outcome="woken",provider="stub"} 1.0' in text
    assert 'mutoscope_webhooks_total{outcome="forged",provider="stub"} 1.0' in text
    assert "made-up-by-a-stranger" not in text
