"""What is ComfyUI's own: orders and refusals, pictures, what stays on a server, and what turns it on."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from contract.providers.comfyui import (
    BLANK,
    MANNERS,
    NOWHERE,
    SDXL,
    Open,
    Pool,
    blank,
    failing,
    finished,
    opening,
    requests,
    script,
    started_anew,
    two_servers,
    until,
)
from contract.providers.vendors import order_for, picture
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import FailureKind, ProviderJob
from mutoscope.domain.ids import SystemClock
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.comfyui import wire
from mutoscope.providers.comfyui.setup import SETUP, WORKFLOWS
from mutoscope.providers.port import Gone
from mutoscope.providers.setup import Tools
from mutoscope.settings import load_settings
from mutoscope.wiring import LAYOUT

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILM = load_catalogue(None, []).get("comfyui/wan-2.2-picture")


@pytest.fixture(scope="module")
def stubs_of_a_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with two_servers(tmp_path_factory.mktemp) as both:
        yield both


@pytest.fixture
def pool(stubs_of_a_pool: Pool) -> Pool:
    return started_anew(stubs_of_a_pool)


@pytest_asyncio.fixture(loop_scope="session")
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    async for open in opening(tmp_path / "workflows"):
        yield open


async def test_an_order_is_what_comfys_own_proxy_sends_without_the_name_of_a_listener(
    opened: Open, pool: Pool, tmp_path: Path
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


async def test_why_a_job_failed_is_for_the_administrator(opened: Open, pool: Pool, tmp_path: Path) -> None:
    script(pool[0], end="fail")
    for manner in MANNERS:
        provider = opened(pool[0].address + manner)
        job = (await provider.submit(blank(tmp_path, f"gen{manner[1:]}"))).job
        error = await failing(provider.poll(job))
        assert error.kind is FailureKind.UNUSABLE
        assert error.detail == "node sampler (KSampler): torch.OutOfMemoryError: Allocation on device"
        assert "Allocation" not in error.message


async def test_a_model_that_a_server_does_not_have_is_told_to_the_administrator(
    opened: Open, pool: Pool, tmp_path: Path
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
    opened: Open, pool: Pool, tmp_path: Path
) -> None:
    provider = opened(pool[0].address)
    for model, why in ((replace(SDXL, upstream="none"), "there is no"), (BLANK, "mutoscope:prompt")):
        error = await failing(provider.submit(order_for(tmp_path, model, {})))
        assert error.kind is FailureKind.INVALID
        assert why in error.detail
        assert str(tmp_path) not in error.message
    assert requests(pool[0], "POST", "/prompt") == []


async def test_a_picture_is_brought_there_under_a_name_of_our_own_and_replaced_when_it_comes_again(
    opened: Open, pool: Pool, tmp_path: Path
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
    opened: Open, pool: Pool, tmp_path: Path
) -> None:
    provider = opened(pool[0].address)
    job = (await provider.submit(blank(tmp_path))).job
    await until(lambda: finished(provider, job))
    await provider.forget(job)
    assert isinstance(await provider.find(job.reference), Gone)
    await provider.forget(replace(job, data={"server": NOWHERE}))


async def test_the_check_says_which_servers_answer_and_which_workflows_are_broken(
    opened: Open, pool: Pool, tmp_path: Path
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


async def test_an_operators_workflows_are_in_a_backup() -> None:
    assert f"{WORKFLOWS}/*.json" in LAYOUT.files
