"""The counting stub that the studios of these tests order from."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from stubs.running import RunningStub


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[RunningStub]:
    running = RunningStub(tmp_path / "stub").start()
    httpx2.post(f"{running.address}/admin/script", json={"finish_after_s": 1.0}).raise_for_status()
    yield running
    running.kill()
