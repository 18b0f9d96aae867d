"""What is ComfyUI's own: a pool of servers, jobs by our own id, servers that lose their jobs, and progress as it is told."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec.structs import replace

from contract.providers.vendors import PRICE, VendorBench, order_for, picture
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import FailureKind, ProviderJob, State
from mutoscope.domain.ids import SystemClock
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.comfyui import wire
from mutoscope.providers.comfyui.adapter import ComfyProvider
from mutoscope.providers.comfyui.setup import SETUP, WORKFLOWS
from mutoscope.providers.comfyui.workflow import Workflows
from mutoscope.providers.port import Canceled, Finished, Gone, Pending, ProviderError
from mutoscope.providers.setup import Tools
from mutoscope.settings import load_settings
from mutoscope.wiring import LAYOUT
from stubs.running import RunningStub

pytestmark = pytest.mark.asyncio(loop_scope="session")

CATALOGUE = load_catalogue(None, [])
SDXL, FILM = CATALOGUE.get("comfyui/sdxl"), CATALOGUE.get("comfyui/wan-2.2-picture")
BLANK = replace(SDXL, upstream="blank")
NOWHERE = "http://127.0.0.1:9"
MANNERS = ("", "/old")
"""A newer server, and an older one."""
Open = Callable[..., ComfyProvider]


@pytest.fixture(scope="module")
def stubs_of_a_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningStub, RunningStub]]:
    one, two = (
        RunningStub(tmp_path_factory.mktemp("comfyui") / "state", module="stubs.comfyui").start() for _ in range(2)
    )
    yield one, two
    one.kill()
    two.kill()


@pytest.fixture
def pool(stubs_of_a_pool: tuple[RunningStub, RunningStub]) -> tuple[RunningStub, RunningStub]:
    for stub in stubs_of_a_pool:
        # A server that is started anew has no jobs.
        stub.kill()
        script(stub.start())
    return stubs_of_a_pool


@pytest_asyncio.fixture(loop_scope="session")
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens adapters for the servers at these addresses."""
    providers: list[ComfyProvider] = []

    def open(*bases: str) -> ComfyProvider:
        providers.append(ComfyProvider(bases, Workflows(tmp_path / "workflows")))
        return providers[-1]

    yield open
    for provider in providers:
        await provider.close()


def script(stub: RunningStub, **how: Any) -> None:
    httpx2.post(f"{stub.address}/admin/script", json=how).raise_for_status()


def counts(stub: RunningStub, reference: str) -> dict[str, int]:
    return httpx2.get(f"{stub.address}/admin/counts").json().get(reference, {"asked": 0, "paid": 0})


def requests(stub: RunningStub, method: str, path: str) -> list[Any]:
    """The bodies of the requests that came there."""
    came = httpx2.get(f"{stub.address}/admin/requests").json()
    return [base64.b64decode(one["body"]) for one in came if (one["method"], one["target"]) == (method, path)]


def blank(tmp_path: Path, reference: str = "") -> Any:
    """An order of the workflow without a model. The stub remembers references, so each test has its own."""
    reference = reference or f"gen_{tmp_path.name}"
    return order_for(tmp_path, BLANK, {"size": "96x64"}, prompt="", reference=reference)


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    end = time.monotonic() + 15
    while not (found := await condition()):
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.05)
    return found


async def failing(call: Awaitable[Any]) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await call
    return raised.value


async def test_an_order_is_what_comfys_own_proxy_sends_without_the_name_of_a_listener(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    job = (await opened(pool[0].address).submit(blank(tmp_path, "gen_one"))).job
    [body] = requests(pool[0], "POST", "/prompt")
    # comfy-api-proxy 0.1.6 sends {"prompt": GRAPH, "prompt_id": ID, "client_id": ID}, as application/json.
    sent = json.loads(body)
    assert sent == {"prompt": sent["prompt"], "prompt_id": wire.id_for("gen_one")}
    assert sent["prompt"]["save"]["inputs"] == {"images": ["picture", 0], "filename_prefix": "mutoscope/gen_one"}
    assert job == ProviderJob(
        id=sent["prompt_id"], reference="gen_one", data={"server": pool[0].address, "samplers": "0"}
    )


@pytest.mark.parametrize("manner", MANNERS)
async def test_the_same_reference_is_the_same_job_however_often_it_is_sent(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path, manner: str
) -> None:
    script(pool[0], finish_after_s=0.2)
    one, other = opened(pool[0].address + manner), opened(pool[0].address + manner)
    first = await one.submit(blank(tmp_path))
    assert await other.submit(blank(tmp_path)) == first
    await until(lambda: finished(one, first.job))
    assert await other.submit(blank(tmp_path)) == first
    assert counts(pool[0], first.job.reference) == {"asked": 1, "paid": 1}


async def finished(provider: ComfyProvider, job: ProviderJob) -> Finished | None:
    answer = await provider.poll(job)
    return answer if isinstance(answer, Finished) else None


async def test_jobs_go_to_the_server_that_has_the_fewest_and_are_found_at_any(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    for stub in pool:
        script(stub, finish_after_s=600)
    provider = opened(pool[0].address, pool[1].address)
    assert provider.slots == 4
    jobs = [(await provider.submit(blank(tmp_path, f"gen_{n}"))).job for n in range(6)]
    servers = [job.data["server"] for job in jobs]
    assert servers.count(pool[0].address) == servers.count(pool[1].address) == 3
    for job in jobs:
        found = await opened(pool[1].address, pool[0].address).find(job.reference)
        assert isinstance(found, ProviderJob)
        assert (found.id, found.data["server"]) == (job.id, job.data["server"])
    assert isinstance(await provider.find("gen_none"), Gone)


async def test_a_server_that_is_down_gets_no_jobs_and_those_that_it_has_wait(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    script(pool[0], finish_after_s=600)
    job = (await opened(pool[0].address).submit(blank(tmp_path))).job
    provider = opened(pool[0].address, pool[1].address)
    pool[0].kill()
    assert (await failing(provider.poll(job))).kind is FailureKind.UNAVAILABLE
    assert (await failing(provider.cancel(job))).kind is FailureKind.UNAVAILABLE
    # It may be the one that has it.
    assert (await failing(provider.find("gen_two"))).kind is FailureKind.UNAVAILABLE
    assert (await provider.submit(blank(tmp_path, "gen_two"))).job.data["server"] == pool[1].address
    pool[1].kill()
    assert (await failing(provider.submit(blank(tmp_path, "gen_three")))).kind is FailureKind.UNAVAILABLE


async def test_a_job_whose_servers_address_was_changed_is_found_at_the_new_one(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    job = (await opened(pool[0].address).submit(blank(tmp_path))).job
    renamed = opened(pool[0].address.replace("127.0.0.1", "localhost"), pool[1].address)
    answer = await until(lambda: finished(renamed, job))
    assert answer.outputs[0].url.startswith("http://localhost:")
    elsewhere = opened(pool[1].address)
    assert (await failing(elsewhere.poll(job))).kind is FailureKind.EXPIRED
    assert isinstance(await elsewhere.cancel(job), Canceled)
    assert (await failing(anext(elsewhere.open(answer.outputs[0])))).kind is FailureKind.EXPIRED


@pytest.mark.offers(lambda offer: offer.upstream == "wan22-words")
async def test_a_server_that_is_started_anew_makes_its_jobs_again(vendor: VendorBench) -> None:
    job = await vendor.order(finish_after_s=1.5)
    await vendor.ended(job, State.RENDERING)
    vendor.stub.kill()
    vendor.stub.start()
    done = await vendor.ended(job, State.SUCCEEDED)
    assert done.captured == PRICE
    assert vendor.counts(job) == {"asked": 2, "paid": 2}
    assert len(await vendor.bench.items(job)) == 1


@pytest.mark.parametrize("manner", MANNERS)
async def test_progress_is_told_while_it_is_made_and_only_the_steps_count(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path, manner: str
) -> None:
    script(pool[0], finish_after_s=3)
    provider = opened(pool[0].address + manner)
    job = (await provider.submit(order_for(tmp_path, SDXL, {}))).job
    told: list[float] = []

    async def heard() -> bool:
        answer = await provider.poll(job)
        if isinstance(answer, Pending) and answer.progress is not None:
            told.append(answer.progress)
        return isinstance(answer, Finished)

    await until(heard)
    assert told == sorted(told)
    assert len(set(told)) > 5
    assert told[0] < 0.5
    assert 0.8 < told[-1] < 1


async def test_who_starts_to_listen_late_hears_of_jobs_that_another_process_ordered(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    script(pool[0], finish_after_s=8)
    job = (await opened(pool[0].address).submit(order_for(tmp_path, SDXL, {}))).job
    other = opened(pool[0].address)

    async def heard() -> float | None:
        answer = await other.poll(job)
        assert isinstance(answer, Pending)
        return answer.progress

    assert 0 < await until(heard) < 1


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("waits_s", [0, 0.4])
async def test_a_cancel_takes_a_job_out_of_the_queue_or_interrupts_it(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path, manner: str, waits_s: float
) -> None:
    # The stub's jobs wait for a tenth of their time.
    script(pool[0], finish_after_s=600 if waits_s == 0 else 3)
    provider = opened(pool[0].address + manner)
    job, left = [(await provider.submit(blank(tmp_path, name))).job for name in ("gen_one", "gen_two")]
    await asyncio.sleep(waits_s)
    assert isinstance(await provider.cancel(job), Canceled)
    assert isinstance(await provider.cancel(job), Canceled)
    assert isinstance(await provider.poll(left), Pending)


async def test_why_a_job_failed_is_for_the_administrator(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    script(pool[0], end="fail")
    for manner in MANNERS:
        provider = opened(pool[0].address + manner)
        job = (await provider.submit(blank(tmp_path, f"gen{manner[1:]}"))).job
        error = await failing(provider.poll(job))
        assert error.kind is FailureKind.UNUSABLE
        assert error.detail == "node sampler (KSampler): torch.OutOfMemoryError: Allocation on device"
        assert "Allocation" not in error.message


async def test_a_model_that_a_server_does_not_have_is_told_to_the_administrator(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    graph = json.loads((Path(wire.__file__).parent / "workflows" / "sdxl.json").read_text())
    graph["checkpoint"]["inputs"]["ckpt_name"] = "mine.safetensors"
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "mine.json").write_text(json.dumps(graph))
    provider = opened(pool[0].address)
    error = await failing(provider.submit(order_for(tmp_path, replace(SDXL, upstream="mine"), {})))
    assert error.kind is FailureKind.INVALID
    assert "node checkpoint (CheckpointLoaderSimple): Value not in list: ckpt_name: 'mine.safetensors'" in error.detail


async def test_a_workflow_that_is_not_there_or_takes_no_words_fails_before_anything_is_asked(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    provider = opened(pool[0].address)
    for model, why in ((replace(SDXL, upstream="none"), "there is no"), (BLANK, "mutoscope:prompt")):
        error = await failing(provider.submit(order_for(tmp_path, model, {})))
        assert error.kind is FailureKind.INVALID
        assert why in error.detail
        assert str(tmp_path) not in error.message
    assert requests(pool[0], "POST", "/prompt") == []


async def test_a_picture_is_brought_there_under_a_name_of_our_own_and_replaced_when_it_comes_again(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    source = picture(tmp_path / "anything", 1280, 704)
    script(pool[0], submit="busy", submit_times=1)
    provider = opened(pool[0].address)
    order = order_for(tmp_path, FILM, {"duration_s": 2}, source=source, reference="gen_film")
    assert (await failing(provider.submit(order))).kind is FailureKind.AMBIGUOUS
    await provider.submit(order)
    assert [path.name for path in (pool[0].folder / "input" / "mutoscope").iterdir()] == ["gen_film.jpg"]
    assert (pool[0].folder / "input" / "mutoscope" / "gen_film.jpg").read_bytes() == source.path.read_bytes()
    graph = json.loads(requests(pool[0], "POST", "/prompt")[-1])["prompt"]
    assert graph["picture"]["inputs"] == {"image": "mutoscope/gen_film.jpg"}
    assert [graph["latent"]["inputs"][name] for name in ("width", "height", "length")] == [1280, 704, 49]


async def test_what_is_stored_here_is_taken_out_of_the_servers_history(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    provider = opened(pool[0].address)
    job = (await provider.submit(blank(tmp_path))).job
    await until(lambda: finished(provider, job))
    await provider.forget(job)
    assert isinstance(await provider.find(job.reference), Gone)
    await provider.forget(replace(job, data={"server": NOWHERE}))


async def test_the_check_says_which_servers_answer_and_which_workflows_are_broken(
    opened: Open, pool: tuple[RunningStub, RunningStub], tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "mine.json").write_text("{}")
    said = await opened(pool[0].address, NOWHERE).check()
    assert said == "; ".join([
        f"{pool[0].address} is ComfyUI 0.12.3", "127.0.0.1:9/system_stats: no connection could be made",
        "workflow mine: it is not in the API format: save it again with Export (API)",
    ])  # fmt: skip
    script(pool[0], account="unauthorized")
    assert (await failing(opened(pool[0].address).check())).kind is FailureKind.UNAUTHORIZED
    assert (await failing(opened(NOWHERE).check())).kind is FailureKind.UNAVAILABLE


async def test_nobody_calls_for_comfyui(opened: Open) -> None:
    assert (await failing(opened(NOWHERE).verify_webhook({}, b""))).kind is FailureKind.UNAUTHORIZED
    assert opened(NOWHERE).job_of_webhook("gen_one", b"{}") is None


@pytest.mark.parametrize(
    ("named", "servers"),
    [("", []), ("http://10.0.0.6:8188", [2]), ("http://10.0.0.6:8188/, http://gpu:1,http://10.0.0.6:8188", [4])],
)
async def test_the_servers_that_are_named_are_one_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, servers: list[int]
) -> None:
    monkeypatch.setenv("MUTOSCOPE_COMFYUI_SERVERS", named)
    tools = Tools(darkroom=JailedDarkroom(), clock=SystemClock(), jobs={}, data=tmp_path)
    found = SETUP.open(load_settings(), tools)
    assert [provider.slots for provider in found.values()] == servers
    for provider in found.values():
        assert (provider.name, provider.repeats_free, provider.idempotent_by_reference) == ("comfyui", True, True)
        await provider.close()


@pytest.mark.offers(lambda offer: offer.upstream == "sdxl")
async def test_a_job_that_somebody_stopped_at_the_server_costs_nothing(vendor: VendorBench) -> None:
    job = await vendor.order(end="cancel", finish_after_s=0.2)
    ended = await vendor.ended(job, State.CANCELED)
    assert ended.captured == 0


async def test_an_operators_workflows_are_in_a_backup() -> None:
    assert f"{WORKFLOWS}/*.json" in LAYOUT.files
