"""Where the studios of these tests keep things: a table with a line for each way, and no test is left out for it.

A new line says what the studio finds in its environment, and how the tests open the same from outside.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

import msgspec

from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.port import Blobs
from mutoscope.blobs.s3 import OURS, S3Place, open_s3
from mutoscope.blobs.unfinished import Unfinished
from mutoscope.domain.ids import SystemClock
from mutoscope.store.port import Store
from mutoscope.store.sqlite import open_sqlite
from servers.gateway import Gateway
from servers.s3 import S3Server, place_in


async def sqlite(data: Path) -> Store:
    """The records in a data folder."""
    return await open_sqlite(data / "mutoscope.db", SystemClock())


def folder(data: Path) -> Blobs:
    """The media in a data folder."""
    return FolderBlobs(data / "media")


async def incoming(data: Path) -> Collection[str]:
    """What a store that was cut short left in a data folder."""
    return [path.name for path in (data / "media" / ".incoming").glob("*")]


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One way. ``unfinished`` lists what nobody sees of stores that were cut short. Each is given the data folder."""

    environment: Mapping[str, str] = {}
    open_store: Callable[[Path], Awaitable[Store]] = sqlite
    open_blobs: Callable[[Path], Blobs] = folder
    unfinished: Callable[[Path], Awaitable[Collection[str]]] = incoming


class Servers:
    """Real servers, each started when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self._root, self._running = root, dict[str, S3Server]()
        self._gateway: Gateway | None = None

    def s3(self, name: str) -> S3Server:
        """A server that speaks S3, see `servers.s3`."""
        if name not in self._running:
            self._running[name] = S3Server(name, self._root / name)
        return self._running[name]

    def gateway(self) -> Gateway:
        """That of "radosgw", to be killed."""
        if self._gateway is None:
            self._gateway = Gateway(self.s3("radosgw"))
        return self._gateway

    def stop(self) -> None:
        """End all."""
        if self._gateway is not None:
            self._gateway.stop()
        for server in self._running.values():
            server.stop()


def new_bucket(server: S3Server) -> S3Place:
    """An empty bucket."""
    return place_in(server.name, server.endpoint, f"films-{time.time_ns()}")


def in_bucket(place: S3Place, by: str | None = None) -> Backend:
    """Media in that bucket; the studio goes there ``by`` another address, such as a proxy's."""
    assert place.endpoint is not None
    assert place.access_key_id is not None
    assert place.secret_access_key is not None

    async def unfinished(_: Path) -> Collection[str]:
        assert place.signer is not None
        async with Unfinished(place.address, place.signer, SystemClock(), 30) as uploads:
            return [upload.key for prefix in OURS for upload in await uploads.list(prefix)]

    return Backend(
        environment={
            "AWS_S3_BUCKET": place.bucket, "AWS_ENDPOINT_URL": by or place.endpoint,
            "AWS_ACCESS_KEY_ID": place.access_key_id, "AWS_SECRET_ACCESS_KEY": place.secret_access_key,
        },
        open_blobs=lambda _: open_s3(place, SystemClock()),
        unfinished=unfinished,
    )  # fmt: skip


BACKENDS: dict[str, Callable[[Servers], Backend]] = {
    "folder": lambda _: Backend(),
    "ministack": lambda servers: in_bucket(new_bucket(servers.s3("ministack"))),
    "radosgw": lambda servers: in_bucket(new_bucket(servers.s3("radosgw"))),
}
