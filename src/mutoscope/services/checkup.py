"""Is everything well? One finding for each part, with the remedy where it is not."""

import asyncio
import os
import shutil
import time
from pathlib import Path

import msgspec

from mutoscope.blobs.port import BlobsUnavailable
from mutoscope.services.studio import Studio
from mutoscope.store.port import StoreUnavailable

LOW_BYTES = 1_000_000_000
CLOCK_EARLIEST_S = 1_780_000_000
"""Before this program was written (May 2026): a clock that says less is wrong."""


LOOK = "Look at the disk and the data folder's permissions."


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one part. ``remedy`` is what to do when it is not good."""

    part: str
    good: bool
    says: str
    remedy: str = ""


async def check_up(studio: Studio, data: Path) -> list[Finding]:
    """Every part of a studio that is open, tried for real."""
    return [
        await _store(studio),
        await ledger(studio),
        await _blobs(studio),
        _models(studio),
        await asyncio.to_thread(_jail, studio),
        *machine(data),
    ]


def machine(data: Path) -> list[Finding]:
    """What can be told without opening the studio: the disk of the data folder, and the clock."""
    return [_disk(data), _clock()]


async def ledger(studio: Studio) -> Finding:
    """Whether every balance is the sum of its entries."""
    try:
        found = await studio.store.ledger.proof()
    except StoreUnavailable as e:
        return Finding(part="ledger", good=False, says=str(e), remedy=LOOK)
    return Finding(
        part="ledger",
        good=not found,
        says="; ".join(found) or "every balance is the sum of its entries",
        remedy="Stop selling, make a backup, and look at the entries that are named." if found else "",
    )


async def _store(studio: Studio) -> Finding:
    try:
        await studio.store.ping()
        totals = await studio.stats.totals()
    except StoreUnavailable as e:
        return Finding(part="database", good=False, says=str(e), remedy=LOOK)
    jobs = sum(totals.generations.values())
    return Finding(part="database", good=True, says=f"{totals.people} people, {jobs} jobs, {totals.items} items")


async def _blobs(studio: Studio) -> Finding:
    try:
        await studio.blobs.check()
    except BlobsUnavailable as e:
        return Finding(part="media", good=False, says=str(e), remedy="Mend what is said; jobs wait until then.")
    return Finding(part="media", good=True, says="an object was written, read back and removed")


def _disk(data: Path) -> Finding:
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if os.access(folder, os.F_OK))
    free = shutil.disk_usage(there).free
    return Finding(
        part="disk",
        good=free >= LOW_BYTES,
        says=f"{free / 1e9:.1f} GB free at {there}",
        remedy="" if free >= LOW_BYTES else "Free some space: jobs wait when the disk is full.",
    )


def _models(studio: Studio) -> Finding:
    usable = [model.id for model in studio.generate.models() if model.enabled]
    return Finding(
        part="models",
        good=bool(usable),
        says=", ".join(usable) or "none",
        remedy="" if usable else "Turn a provider on, or enable a model in catalogue.toml.",
    )


def _jail(studio: Studio) -> Finding:
    walls = studio.darkroom.walls()
    down = [name for name, holds in walls.items() if not holds]
    up = ", ".join(name for name, holds in walls.items() if holds)
    return Finding(
        part="jail",
        good=not down,
        says=f"holds: {up}" + (f"; does not hold: {', '.join(down)}" if down else ""),
        remedy="Files are still decoded in a process of their own; a newer kernel has the missing walls."
        if down
        else "",
    )


def _clock() -> Finding:
    right = time.time() > CLOCK_EARLIEST_S
    return Finding(
        part="clock",
        good=right,
        says=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        remedy="" if right else "Set the machine's clock: leases, sessions and signed addresses depend on it.",
    )
