"""A provider's own address never comes to a browser: every answer about what each provider made, and what it refused, is
searched for where the provider is.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from contract.providers.peers import PEERS
from crash.studio import PATIENCE_S
from crash.test_crash_vendors import VendorStudio
from mutoscope.web.openapi import describe
from stubs.running import RunningStub
from web.house import BASE

OFFERS = [(name, next(iter(peer.offers))) for name, peer in PEERS.items()]
PAGES = (
    "/",
    "/library",
    "/library/trash",
    "/tokens",
    "/activity",
    "/create",
    "/account",
    "/jobs/{generation_id}",
    "/m/{media_id}",
)
READS = [path for path, operations in describe(BASE)["paths"].items() if "get" in operations and "events" not in path]


@pytest.fixture(params=OFFERS, ids=lambda offer: "-".join(offer))
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VendorStudio]:
    """A whole studio of that provider alone."""
    name, of = request.param
    peer = PEERS[name]
    stub = RunningStub(tmp_path / "stub", module=peer.stub).start()
    try:
        with VendorStudio(tmp_path / "data", stub, name, peer, peer.offers[of]) as studio:
            studio.start()
            studio.people()
            yield studio
    finally:
        stub.kill()


def ids_of(studio: VendorStudio) -> Iterator[dict[str, str]]:
    """What to put into paths: each job, with the item that came of it."""
    for id in studio.accepted.values():
        job = studio.ask(f"/api/generations/{id}")
        yield {"generation_id": id, "media_id": job["media"][0]["id"] if job["media"] else "med_nothing"}


def answers(studio: VendorStudio) -> Iterator[httpx2.Response]:
    """Everything that can be asked for, of the person and of a visitor."""
    for headers in (studio.signed_in(), {}):
        with httpx2.Client(base_url=studio.base_url, headers=headers, timeout=PATIENCE_S) as client:
            for ids in ids_of(studio):
                for path in (*READS, *PAGES):
                    for accept in ("*/*", "text/html"):
                        more = ids | {"variant": "poster", "collection_id": "col_nothing"}
                        yield client.get(path.format(**more), headers={"Accept": accept})


def test_no_answer_says_where_a_provider_is(studio: VendorStudio) -> None:
    studio.place("done")
    studio.wait_settled()
    # Refused in the words of its provider.
    httpx2.post(f"{studio.stub.address}/admin/script", json={"submit": "refuse"}).raise_for_status()
    studio.place("refused")
    studio.wait_settled()
    place, shown = studio.stub.address.removeprefix("http://"), 0
    for answer in answers(studio):
        head = str(answer.headers.raw)
        assert place not in answer.text, f"{answer.request.url} tells of {place}"
        assert place not in head, f"{answer.request.url} tells of {place} in its head"
        shown += answer.status_code == 200
    assert shown > len(READS)
    jobs = [studio.ask(f"/api/generations/{id}")["status"] for id in studio.accepted.values()]
    assert jobs == ["succeeded", "failed"]
