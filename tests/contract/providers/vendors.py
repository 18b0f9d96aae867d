"""A worker at a vendor's stub, and the words that the contract is written in."""

import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pyvips

from cast import generation, ids, pinned
from contract.providers.peers import Offer, Peer
from mutoscope.domain.catalogue import Model
from mutoscope.domain.generation import Generation, Source, State
from mutoscope.domain.media import Kind, source_key
from mutoscope.providers.port import Order, Provider, SourceFile
from providers.conftest import kept
from stubs.running import RunningStub
from worker.bench import Bench

PRICE = 10


class VendorBench:
    """One test's studio with one offer of one provider."""

    def __init__(self, bench: Bench, name: str, peer: Peer, offer: Offer, stub: RunningStub) -> None:
        self.bench, self.peer, self.offer, self.stub = bench, peer, offer, stub
        self.provider: Provider = peer.open(stub.address)
        self.provider.minimum_poll_ms = 20
        self.name = self.provider.name
        bench.provider = self.provider  # pyright: ignore[reportAttributeAccessIssue]
        self.files = {kind: next((stub.folder).glob(f"sample.{end}")).read_bytes()
                      for kind, end in ((Kind.IMAGE, "png"), (Kind.VIDEO, "mp4"))}  # fmt: skip

    async def order(self, results: int = 1, cancel_fee: int = 0, **script: Any) -> Generation:
        """Alice orders; the stub treats that job as the script says."""
        now, id = self.bench.clock.now(), ids.new("gen")
        prompt = f"a lamp called {id}"
        named = id if self.offer.named_by == "reference" else prompt
        self.admin("POST", "script", {"reference": named}, script)
        job = generation(
            self.bench.alice, id=id, results=results, prompt=prompt, parameters=dict(self.offer.parameters),
            source=await self._source() if self.offer.source_size else None,
            pinned=pinned(
                provider=self.name, model=f"{self.name}/one", upstream=self.offer.upstream, kind=self.offer.kind,
                price_each=PRICE, cancel_fee=cancel_fee, typical_ms=400,
            ),
            created_at=now, updated_at=now, due_at=now, stage_since=now,
        )  # fmt: skip
        accepted, _ = await self.bench.store.generations.accept(job, None, "")
        return accepted

    async def ended(self, job: Generation, *states: State) -> Generation:
        """Let a worker work until the job is in one of the states."""
        self.bench.start()
        return await self.bench.until(job, *states)

    async def failed(self, job: Generation) -> str:
        """Let a worker work until the job failed with everything released. Returns the kind."""
        failed = await self.ended(job, State.FAILED)
        assert failed.failure is not None
        assert await self.bench.was_released(job)
        assert failed.failure.message
        return failed.failure.kind.value

    async def settled(self, job: Generation, *, turns: int = 5) -> Generation:
        """The job some turns of the worker later, when whatever it would do by itself has been done."""
        for number in range(turns):
            await self.bench.stop()
            self.bench.start(f"again-{number}")
            await self.bench.until(job, *State)
        return await self.bench.get(job)

    def counts(self, job: Generation) -> dict[str, int]:
        """How often the stub was asked for this job, and would have been paid."""
        named = job.id if self.offer.named_by == "reference" else job.prompt
        return self.admin("GET", "counts").get(named, {"asked": 0, "paid": 0})

    def requests(self) -> list[dict[str, Any]]:
        """What came in at the stub."""
        return [one | {"body": base64.b64decode(one["body"])} for one in self.admin("GET", "requests")]

    def admin(self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None) -> Any:
        """Ask the stub itself."""
        url = f"{self.stub.address}/admin/{path}"
        return httpx2.request(method, url, params=query, json=body, timeout=20).raise_for_status().json()

    async def _source(self) -> Source:
        assert self.offer.source_size is not None
        width, height = self.offer.source_size
        path = self.bench.tmp_path / "upload.png"
        image: Any = pyvips.Image.xyz(width, height)
        path.write_bytes(image.bandjoin(128).cast("uchar").copy(interpretation="srgb").pngsave_buffer())
        key = source_key(ids.new("gen"), "image/png")
        await self.bench.blobs.put(key, path, "image/png")
        return Source(key=key, mime_type="image/png", width=width, height=height,
                      size_bytes=path.stat().st_size, sha256="0" * 64)  # fmt: skip


def order_for(spool: Path, model: Model, parameters: Mapping[str, Any], **fields: Any) -> Order:
    """An order as the worker gives it to an adapter; results that come with the answer are kept in ``spool``."""
    defaults: dict[str, Any] = {
        "reference": ids.new("gen"), "prompt": "a lamp by the sea", "negative_prompt": "", "seed": 7, "results": 1,
        "source": None,
    }  # fmt: skip
    return Order(
        upstream=model.upstream, kind=model.kind, parameters=parameters, spool=spool, keep=partial(kept, spool),
        **(defaults | fields),
    )  # fmt: skip


def picture(path: Path, width: int, height: int) -> SourceFile:
    """A picture to start from, as the worker hands it over."""
    image: Any = pyvips.Image.xyz(width, height)
    path.write_bytes(image.bandjoin(128).cast("uchar").copy(interpretation="srgb").jpegsave_buffer())
    return SourceFile(path=path, mime_type="image/jpeg", width=width, height=height)


async def stored(bench: VendorBench, key: str) -> bytes:
    """The bytes of a stored file."""
    return b"".join([chunk async for chunk in bench.bench.blobs.read(key)])


def sample(folder: Path, kind: Kind) -> bytes:
    """What the stub gives as a result."""
    return (folder / f"sample.{'png' if kind is Kind.IMAGE else 'mp4'}").read_bytes()
