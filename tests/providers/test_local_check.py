"""Whether the local provider can be tried without making anything."""

from pathlib import Path

import pytest

from disks import fill, small_disk
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.domain.generation import FailureKind
from mutoscope.providers.local import LocalProvider
from mutoscope.providers.port import ProviderError


async def test_it_says_that_it_needs_no_key_and_makes_no_folder_for_that(provider: LocalProvider) -> None:
    assert "needs no key" in (await provider.check() or "")
    assert not provider.root.exists()


async def test_a_disk_without_room_to_render_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        local = LocalProvider(disk / "local", JailedDarkroom())
        with pytest.raises(ProviderError, match="disk is full") as told:
            await local.check()
        assert told.value.kind is FailureKind.UNAVAILABLE
