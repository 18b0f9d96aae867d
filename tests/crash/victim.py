"""A process of a studio, with the counting stub as its provider, and a place to be killed at.

CRASH_ROLE is ``whole`` (as `mutoscope serve` runs it), ``web`` (with --no-worker) or ``worker``. CRASH_AT is
``before:NAME:N`` or ``after:NAME:N``: the N-th call of that operation in this process, or the N-th that succeeded, ends
it by SIGKILL. CRASH_LEASE_MS is how long a claim holds without a sign of life.
"""

import asyncio
import functools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from contract.providers.peers import PEERS
from mutoscope import logs
from mutoscope.blobs import folder, s3
from mutoscope.blobs.folder import FolderBlobs
from mutoscope.blobs.s3 import S3Blobs
from mutoscope.cli.serving import serve, work
from mutoscope.darkroom.jailed import JailedDarkroom
from mutoscope.providers.port import Provider
from mutoscope.settings import load_settings
from mutoscope.spool import Spool
from mutoscope.store.mongo.generations import MongoGenerations
from mutoscope.store.mongo.media import MongoMedia
from mutoscope.store.sqlite.generations import SqliteGenerations
from mutoscope.store.sqlite.media import SqliteMedia
from mutoscope.wiring import Running, open_studio
from mutoscope.worker.context import Numbers
from stubs.adapter import StubProvider

SHARED = "MONGODB_URI" in os.environ
GENERATIONS, MEDIA = (MongoGenerations, MongoMedia) if SHARED else (SqliteGenerations, SqliteMedia)
BLOBS = S3Blobs if "AWS_S3_BUCKET" in os.environ else FolderBlobs
OPERATIONS: dict[str, tuple[type, str]] = {
    **{name: (GENERATIONS, name) for name in ("accept", "claim", "begin", "advance", "postpone", "publish")},
    "submit": (StubProvider, "submit"),
    "poll": (StubProvider, "poll"),
    "forget": (StubProvider, "forget"),
    "spool": (Spool, "write"),
    "put": (BLOBS, "put"),
    "previews": (MEDIA, "finish_previews"),
}
BLURRING: dict[str, tuple[type, str]] = {
    "blur": (JailedDarkroom, "blur"),
    "put": (BLOBS, "put"),
    "finish": (MEDIA, "finish_blur"),
}
"""What happens, in this order, to an item that was locked."""


def arm(crash_at: str, kind: str, stub: str) -> None:
    when, name, number = crash_at.split(":")
    owner, method = (OPERATIONS | BLURRING)[name]
    if owner is StubProvider and kind in PEERS:
        owner = type(PEERS[kind].open(stub))
    original = getattr(owner, method)
    calls = iter(range(1, 1_000_000))

    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        if when == "before" and next(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(*args, **kwargs)
        if when == "after" and next(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, wrapped)


def providers(kind: str, stub: str) -> dict[str, Provider] | None:
    """The counting stub in one of its manners, or the real adapter of a peer; None for the real ``local`` provider."""
    if kind == "local":
        return None
    if kind in PEERS:
        return {(peer := PEERS[kind].open(stub)).name: peer}
    manners = {"can-be-asked": {}, "cannot-be-asked": {"can_be_asked": False}, "idempotent": IDEMPOTENT}
    return {"stub": StubProvider(stub, **manners[kind])}


IDEMPOTENT = {"can_be_asked": False, "idempotent_by_reference": True}


async def main(data: Path, stub: str, kind: str, sweep_now: bool) -> None:
    numbers = Numbers(
        gone_after_ms=200, retry_base_ms=50, retry_cap_ms=2_000, tick_ms=100, lease_ms=int(os.environ.get("CRASH_LEASE_MS", "6000")),
        **({"folder_age_ms": 0, "object_age_ms": 0, "sweep_ms": 200, "audit_ms": 200} if sweep_now else {}),
    )  # fmt: skip
    if sweep_now:
        folder.STALE_S = s3.UNFINISHED_MS = 0
    opened = functools.partial(open_studio, providers=providers(kind, stub), numbers=numbers)

    async def ready(running: Running) -> None:
        print(json.dumps({"base_url": running.studio.base_url}), flush=True)

    settings = load_settings(data)
    logs.configure(settings)
    role = os.environ.get("CRASH_ROLE", "whole")
    if role == "worker":
        await work(settings, ready, opened)
    else:
        await serve(settings, ready, opened, with_worker=role == "whole")


if __name__ == "__main__":
    if os.environ.get("CRASH_AT"):
        arm(os.environ["CRASH_AT"], sys.argv[3], sys.argv[2])
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], "sweep-now" in sys.argv))
