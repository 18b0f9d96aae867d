"""Two ComfyUI stubs and adapters for them, and the words that their tests are written in."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from contract.providers.vendors import order_for
from mutoscope.domain.generation import ProviderJob
from mutoscope.providers.catalogue import load_catalogue
from mutoscope.providers.comfyui.adapter import ComfyProvider
from mutoscope.providers.comfyui.workflow import Workflows
from mutoscope.providers.port import Finished, Order, ProviderError
from stubs.running import RunningStub

SDXL = load_catalogue(None, []).get("comfyui/sdxl")
BLANK = replace(SDXL, upstream="blank")
NOWHERE = "http://127.0.0.1:9"
MANNERS = ("", "/old")
"""A newer server, and an older one."""
Pool = tuple[RunningStub, RunningStub]
Open = Callable[..., ComfyProvider]


@contextmanager
def two_servers(folder: Callable[[str], Path]) -> Iterator[Pool]:
    """Two stubs that run."""
    one, two = (RunningStub(folder("comfyui") / "state", module="stubs.comfyui").start() for _ in range(2))
    yield one, two
    one.kill()
    two.kill()


def started_anew(pool: Pool) -> Pool:
    """The two without jobs and scripts."""
    for stub in pool:
        stub.kill()
        script(stub.start())
    return pool


async def opening(folder: Path) -> AsyncIterator[Open]:
    """Opens adapters for the servers at some addresses, whose workflows are in that folder, and closes them."""
    providers: list[ComfyProvider] = []

    def open(*bases: str) -> ComfyProvider:
        providers.append(ComfyProvider(bases, Workflows(folder)))
        return providers[-1]

    yield open
    for provider in providers:
        await provider.close()


def script(stub: RunningStub, **how: Any) -> None:
    """How jobs behave from now on."""
    httpx2.post(f"{stub.address}/admin/script", json=how).raise_for_status()


def counts(stub: RunningStub, reference: str) -> dict[str, int]:
    """How often it was asked for that job, and made it."""
    return httpx2.get(f"{stub.address}/admin/counts").json().get(reference, {"asked": 0, "paid": 0})


def requests(stub: RunningStub, method: str, path: str) -> list[bytes]:
    """The bodies of the requests that came there."""
    came = httpx2.get(f"{stub.address}/admin/requests").json()
    return [base64.b64decode(one["body"]) for one in came if (one["method"], one["target"]) == (method, path)]


def blank(tmp_path: Path, reference: str = "") -> Order:
    """An order of the workflow without a model. The stub remembers references, so each test has its own."""
    reference = reference or f"gen_{tmp_path.name}"
    return order_for(tmp_path, BLANK, {"size": "96x64"}, prompt="", reference=reference)


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until the condition gives something true."""
    end = time.monotonic() + 15
    while not (found := await condition()):
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.05)
    return found


async def finished(provider: ComfyProvider, job: ProviderJob) -> Finished | None:
    """The job's results, if there are any yet."""
    answer = await provider.poll(job)
    return answer if isinstance(answer, Finished) else None


async def failing(call: Awaitable[Any]) -> ProviderError:
    """What a call raises."""
    with pytest.raises(ProviderError) as raised:
        await call
    return raised.value
