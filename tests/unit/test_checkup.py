"""What the doctor says of providers, of clocks, and of parts that break or never answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from mutoscope.blobs.s3 import open_s3
from mutoscope.domain.ids import MINUTE, SECOND, Clock, Millis, SystemClock
from mutoscope.providers.port import Provider
from mutoscope.services import checkup
from mutoscope.services.checkup import Finding, check_up, clock_finding
from mutoscope.services.studio import Studio
from mutoscope.settings import load_settings
from mutoscope.wiring import open_studio
from servers.s3 import S3Server, place_in
from stubs.adapter import StubProvider
from stubs.running import RunningStub
from stubs.smtp import PASSWORD as SMTP_PASSWORD
from stubs.smtp import USER, smtp_stub

NOW = 1_795_000_000 * SECOND


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[RunningStub]:
    """A provider that answers."""
    stub = RunningStub(tmp_path / "stub").start()
    yield stub
    stub.kill()


@pytest.fixture
async def studio(tmp_path: Path, stub: RunningStub) -> AsyncIterator[Studio]:
    """A studio whose one provider is the stub."""
    running = await open_studio(load_settings(tmp_path / "data", {}), providers={"stub": stub.provider()})
    yield running.studio
    await running.close()


async def test_a_server_of_mail_is_tried_without_sending_anything(tmp_path: Path) -> None:
    async with smtp_stub() as stub:
        mail = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(stub.port), "SMTP_SECURITY": "none",
            "SMTP_USER": USER, "SMTP_PASSWORD": SMTP_PASSWORD,
            "SMTP_FROM": "studio@studio.example", "MUTOSCOPE_BASE_URL": "https://studio.example",
        }  # fmt: skip
        running = await open_studio(load_settings(tmp_path / "data", mail), providers={})
        try:
            found = await on_mail(running.studio, tmp_path)
            assert (found.good, found.remedy) == (True, "")
            assert found.says == f"127.0.0.1 port {stub.port}: EHLO, nothing encrypted, signed in; nothing was sent"
            stub.script["AUTH"] = f"535 not {USER} with {SMTP_PASSWORD}"
            found = await on_mail(running.studio, tmp_path)
            assert found.says == "the server does not take SMTP_USER with SMTP_PASSWORD (535); nothing was sent"
            assert (found.good, "SMTP_HOST" in found.remedy) == (False, True)
        finally:
            await running.close()
    assert {line.split()[1] for line in stub.heard} == {"EHLO", "AUTH", "QUIT"}


async def on_mail(studio: Studio, tmp_path: Path) -> Finding:
    found = {finding.part: finding for finding in await check_up(studio, tmp_path)}
    return found["mail"]


async def of(studio: Studio, part: str, tmp_path: Path) -> Finding:
    """What is found of that part; every other one is found as well, whatever this one does."""
    found = {finding.part: finding for finding in await check_up(studio, tmp_path)}
    assert list(found) == ["database", "ledger", "media", *map("provider {}".format, studio.providers), "models", "jail", "disk", "clock"]  # fmt: skip
    return found[part]


async def say(stub: RunningStub, **script: Any) -> None:
    provider = stub.provider()
    response = await provider._http.post("/admin/script", json=script)  # pyright: ignore[reportPrivateUsage]
    assert response.status_code == 200
    await provider.close()


async def test_a_key_that_is_right_is_said_to_be(studio: Studio, tmp_path: Path) -> None:
    found = await of(studio, "provider stub", tmp_path)
    assert (found.good, found.says) == (True, "the stub answers as a customer")


@pytest.mark.parametrize(
    ("account", "remedy"),
    [("unauthorized", "Mend this provider's key"), ("credit", "Pay"), ("busy", "Look at the network")],
)
async def test_what_is_wrong_with_a_key_has_its_remedy(
    studio: Studio, stub: RunningStub, tmp_path: Path, account: str, remedy: str
) -> None:
    await say(stub, account=account)
    found = await of(studio, "provider stub", tmp_path)
    assert not found.good
    assert found.says.startswith("The stub says ")
    assert found.remedy.startswith(remedy)


async def test_a_provider_that_is_not_there_is_named(studio: Studio, stub: RunningStub, tmp_path: Path) -> None:
    stub.kill()
    found = await of(studio, "provider stub", tmp_path)
    assert (found.good, found.says) == (False, "The stub does not answer.")


class Breaks(StubProvider):
    """An adapter with a mistake in it."""

    async def check(self) -> str | None:
        raise KeyError("key-of-somebody")


class Sleeps(StubProvider):
    """An adapter that waits for ever."""

    async def check(self) -> str | None:
        await asyncio.sleep(3_600)
        return "never"


class SaysNothing(StubProvider):
    """An adapter whose key cannot be tried without cost."""

    async def check(self) -> str | None:
        return None


@pytest.mark.parametrize(
    ("adapter", "good", "says"),
    [
        (Breaks, False, "broke: KeyError"),
        (Sleeps, False, "no answer in 1 s"),
        (SaysNothing, True, "is on; its key cannot be tried without cost"),
    ],
)
async def test_one_part_that_breaks_keeps_no_other_from_being_told(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: type[StubProvider], good: bool, says: str
) -> None:
    monkeypatch.setattr(checkup, "PART_S", 1.0)
    odd: dict[str, Provider] = {"odd": adapter("http://127.0.0.1:1")}
    found = await of(structs.replace(studio, providers=odd), "provider odd", tmp_path)
    assert (found.good, found.says) == (good, says)
    await odd["odd"].close()


def test_clocks_may_be_a_minute_apart_and_no_more() -> None:
    for ahead in (60 * SECOND, -60 * SECOND, 0):
        near = clock_finding(NOW, {"database": ahead})
        assert (near.good, near.remedy) == (True, "")
    for ahead, how in ((61 * SECOND, "61 s ahead"), (-61 * SECOND, "61 s behind")):
        far = clock_finding(NOW, {"database": ahead, "bucket": 0})
        assert not far.good
        assert f"the database's is {how}; the bucket's is 0 s" in far.says
        assert far.remedy.startswith("Set this machine's clock, or that of the database, and")


def test_a_clock_before_this_program_was_written_is_wrong() -> None:
    assert not clock_finding(1_000 * SECOND, {}).good
    assert clock_finding(NOW, {}).good


class Wrong(Clock):
    """A machine's clock that is ahead."""

    def __init__(self, ahead_ms: Millis) -> None:
        self._ahead_ms = ahead_ms

    def now(self) -> Millis:
        return SystemClock().now() + self._ahead_ms


@pytest.mark.parametrize(("ahead_ms", "good"), [(0, True), (5 * MINUTE, False), (-5 * MINUTE, False)])
async def test_a_clock_is_compared_with_that_of_the_buckets_server(
    studio: Studio, tmp_path: Path, ahead_ms: Millis, good: bool
) -> None:
    server, clock = S3Server("ministack", tmp_path / "ministack"), Wrong(ahead_ms)
    try:
        blobs = open_s3(place_in("ministack", server.endpoint, "films"), clock)
        found = await of(structs.replace(studio, blobs=blobs, clock=clock), "clock", tmp_path)
    finally:
        server.stop()
    assert found.good is good, found
    assert "the bucket's is " in found.says
    if not good:
        assert f"{'behind' if ahead_ms > 0 else 'ahead'}" in found.says
        assert "that of the bucket" in found.remedy
