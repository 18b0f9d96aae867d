"""The server is killed by SIGKILL while a job of each real provider's adapter is in each stage; the next one finishes it.

Each offer of each peer of the providers' contract is asked, at its stub; ``--kills`` says how many boundaries of a
job's way are tried for each (all from 200 on).
"""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pyvips

from contract.providers.peers import PEERS, Offer, Peer
from crash.studio import DiedEarly, KilledStudio
from mutoscope.domain.generation import Generation, State
from mutoscope.domain.media import Kind
from stubs.running import RunningStub

STEPS = ("begin", "submit", "advance", "poll", "spool", "put", "publish")
BOUNDARIES = tuple(f"{when}:{step}" for step in STEPS for when in ("before", "after"))
OFFERS = [(name, of) for name, peer in PEERS.items() for of in peer.offers]


class VendorStudio(KilledStudio):
    """A studio whose only provider is that peer's real adapter, and whose only model is that offer."""

    def __init__(self, data: Path, stub: RunningStub, name: str, peer: Peer, offer: Offer) -> None:
        super().__init__(data, stub, name)
        self.peer, self.offer = peer, offer
        self.provider = peer.open(stub.address).name
        (data / "catalogue.toml").write_text(self._catalogue())

    def place(self, key: str) -> None:
        """Order under that key unless it is accepted."""
        if key in self.accepted:
            return
        answer = self.try_to_order(key, {"model": "vendor/one", "prompt": f"a lamp called {key}"}, self._picture())
        assert answer.is_success, answer.text

    def named(self, job: Generation) -> str:
        return job.id if self.offer.named_by == "reference" else job.prompt

    def may_be_unknown(self, job: Generation) -> bool:
        return "find" in self.offer.cannot

    def left_in_spool(self) -> list[str]:
        # What it starts from stays with a job while nobody knows what became of it.
        unknown = "find" in self.offer.cannot
        return [name for name in super().left_in_spool() if not (unknown and name.startswith("source"))]

    def _catalogue(self) -> str:
        lines = [
            "[[model]]", 'id = "vendor/one"', f'provider = "{self.provider}"', f'upstream = "{self.offer.upstream}"',
            'name = "One"', 'description = "A stub."', f'kind = "{self.offer.kind}"', "price = { base = 5 }",
            "typical_ms = 200", f'image = "{"required" if self.offer.source_size else "no"}"', "[model.parameters]",
        ]  # fmt: skip
        for name, value in self.offer.parameters.items():
            lines.append(f'{name} = {{ label = "{name}", {_parameter(value)} }}')
        return "\n".join(lines) + "\n"

    def _picture(self) -> bytes | None:
        if self.offer.source_size is None:
            return None
        image: Any = pyvips.Image.xyz(*self.offer.source_size)
        return image.bandjoin(128).cast("uchar").copy(interpretation="srgb").pngsave_buffer()


def _parameter(value: Any) -> str:
    match value:
        case bool():
            return f'type = "boolean", default = {str(value).lower()}'
        case str():
            return f'type = "choice", default = "{value}", choices = ["{value}"]'
        case int():
            return f'type = "integer", default = {value}'
        case _:
            return f'type = "number", default = {value}'


@pytest.fixture(params=OFFERS, ids="-".join)
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VendorStudio]:
    name, of = request.param
    peer = PEERS[name]
    stub = RunningStub(tmp_path / "stub", module=peer.stub).start()
    httpx2.post(f"{stub.address}/admin/script", json={"finish_after_s": 0.5}).raise_for_status()
    with VendorStudio(tmp_path / "data", stub, name, peer, peer.offers[of]) as studio:
        yield studio
    stub.kill()


@pytest.mark.timeout(1800)
async def test_a_job_of_each_provider_survives_kills_in_each_stage_and_is_paid_once(
    studio: VendorStudio, rng: random.Random, request: pytest.FixtureRequest
) -> None:
    studio.start()
    studio.people()
    studio.stop()
    kills = max(int(request.config.getoption("--kills")) // 10, 2)
    steps = [at for at in BOUNDARIES if not (studio.offer.at_once and at.endswith((":poll", ":advance")))]
    for turn, at in enumerate(rng.sample(steps, min(kills, len(steps)))):
        studio.start(f"{at}:1")
        with contextlib.suppress(DiedEarly):
            studio.place(f"job-{turn}")
        studio.wait_dead()
    studio.start()
    for turn in range(min(kills, len(steps))):
        studio.place(f"job-{turn}")
    studio.wait_settled()
    studio.stop()
    studio.wait_swept()
    ended = await studio.examine()
    assert ended.total() == len(studio.accepted)
    assert set(ended) <= {State.SUCCEEDED} | ({State.OUTCOME_UNKNOWN} if "find" in studio.offer.cannot else set())
    assert {job.pinned.provider for job in await studio.jobs()} == {studio.provider}


def test_every_kind_of_result_is_made_by_some_provider_here() -> None:
    assert {PEERS[name].offers[of].kind for name, of in OFFERS} == {Kind.IMAGE, Kind.VIDEO}
