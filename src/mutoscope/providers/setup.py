"""How a provider's folder tells the studio of itself."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import Clock
from mutoscope.providers.port import Provider
from mutoscope.settings import Settings


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What the studio has for providers.

    ``jobs``: how many at once, by provider, where the operator has said so. ``data`` is the data folder.
    """

    darkroom: Darkroom
    clock: Clock
    jobs: Mapping[str, int]
    data: Path


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. ``setting`` names what turns it on; ``open`` gives nothing where that is not set.

    Where the setting names several servers, each is a provider "name/server".
    """

    name: str
    setting: str
    open: Callable[[Settings, Tools], Mapping[str, Provider]]
