"""Is everything well? One finding for each part, with the remedy where it is not."""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import msgspec
import structlog

from mutoscope.blobs.port import Blobs, BlobsUnavailable
from mutoscope.domain.generation import FailureKind
from mutoscope.domain.ids import SECOND, Ids, Millis, SystemClock
from mutoscope.domain.media import Kind, Variant, key_for
from mutoscope.mail.port import MailRefused, MailUnavailable
from mutoscope.providers.port import Provider, ProviderError
from mutoscope.services.mail import Mail
from mutoscope.services.studio import Studio
from mutoscope.store.port import StoreUnavailable

log = structlog.get_logger("mutoscope.doctor")

LOW_BYTES = 1_000_000_000
CLOCK_EARLIEST_MS: Millis = 1_780_000_000 * SECOND
"""Before this program was written (May 2026): a clock that says less is wrong."""
SKEW_MS: Millis = 60 * SECOND
"""How far apart two clocks may be: leases are half as long; S3 refuses signatures at 15 minutes."""
PART_S = 45.0
"""How long a part may take; all are tried side by side, and whoever asked waits a minute."""
DATE_S = 10.0

WAITING = "Mend what is said: jobs wait until then, and nothing is lost."
KEY_REMEDIES = {
    FailureKind.UNAUTHORIZED: "Mend this provider's key and start the studio again.",
    FailureKind.OUT_OF_CREDIT: "Pay this provider, or turn it off: its jobs fail until then.",
    FailureKind.RATE_LIMITED: "Look again in a minute; jobs wait.",
    FailureKind.UNAVAILABLE: "Look at the network and at the provider's own status page; jobs wait.",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one part. ``remedy`` is what to do when it is not good."""

    part: str
    good: bool
    says: str
    remedy: str = ""


async def check_up(studio: Studio, data: Path) -> list[Finding]:
    """Every part of a studio that is open, tried for real."""
    looks: dict[str, Awaitable[Finding]] = {
        "database": _store(studio),
        "ledger": ledger(studio),
        "media": _blobs(studio),
    }
    looks |= {f"provider {name}": _provider(name, of) for name, of in studio.providers.items()}
    looks |= {"mail": _mail(studio.mail)} if studio.mail is not None else {}
    found = await asyncio.gather(
        *(_within(part, look) for part, look in looks.items()),
        _within("models", _models(studio)),
        _within("jail", asyncio.to_thread(_jail, studio)),
        _within("clock", _clock(studio)),
    )
    *parts, models, jail, clock = found
    return [*parts, models, jail, _disk(data), clock]


def machine(data: Path) -> list[Finding]:
    """What can be told without opening the studio: the disk of the data folder, and the clock."""
    return [_disk(data), clock_finding(SystemClock().now(), {})]


async def _within(part: str, look: Awaitable[Finding]) -> Finding:
    """That look in its time. One that breaks does not keep the others from being told."""
    try:
        async with asyncio.timeout(PART_S):
            return await look
    except TimeoutError:
        return Finding(part=part, good=False, says=f"no answer in {PART_S:.0f} s", remedy="Look at the network.")
    except Exception as e:
        log.exception("a part broke while it was tried", part=part)
        return Finding(part=part, good=False, says=f"broke: {type(e).__name__}", remedy="Look at the studio's log.")


async def ledger(studio: Studio) -> Finding:
    """Whether every balance is the sum of its entries."""
    try:
        found = await studio.store.ledger.proof()
    except StoreUnavailable as e:
        return Finding(part="ledger", good=False, says=str(e), remedy=WAITING)
    return Finding(
        part="ledger",
        good=not found,
        says="; ".join(found) or "every balance is the sum of its entries",
        remedy="Stop selling, make a backup, and look at the entries that are named." if found else "",
    )


async def _store(studio: Studio) -> Finding:
    try:
        said = await studio.store.check()
        totals = await studio.stats.totals()
    except StoreUnavailable as e:
        return Finding(part="database", good=False, says=str(e), remedy=WAITING)
    counts = f"{totals.people} people, {sum(totals.generations.values())} jobs, {totals.items} items"
    return Finding(part="database", good=True, says=f"{said}: written and read back; {counts}")


async def _blobs(studio: Studio) -> Finding:
    try:
        await studio.blobs.check()
        address = await studio.blobs.presign(_some_key(studio), 60)
    except BlobsUnavailable as e:
        return Finding(part="media", good=False, says=str(e), remedy=WAITING)
    folder, bucket = "written, read back and removed", "put, got, opened by a signed address and deleted"
    where = f"folder: an object was {folder}" if address is None else f"bucket: an object was {bucket}"
    return Finding(part="media", good=True, says=where)


async def _provider(name: str, provider: Provider) -> Finding:
    part = f"provider {name}"
    try:
        said = await provider.check()
    except ProviderError as e:
        remedy = KEY_REMEDIES.get(e.kind, "Do what the provider says, then look again.")
        return Finding(part=part, good=False, says=" ".join(filter(None, (e.message, e.detail))), remedy=remedy)
    return Finding(part=part, good=True, says=said or "is on; its key cannot be tried without cost")


async def _mail(mail: Mail) -> Finding:
    try:
        return Finding(part="mail", good=True, says=await mail.check())
    except (MailUnavailable, MailRefused) as e:
        remedy = "Mend SMTP_HOST and what belongs to it: until then administrators hand over links for new passwords."
        return Finding(part="mail", good=False, says=f"{e}; nothing was sent", remedy=remedy)


async def _models(studio: Studio) -> Finding:
    try:
        usable = [listed.model.id for listed in await studio.generate.models() if listed.usable]
    except StoreUnavailable as e:
        return Finding(part="models", good=False, says=str(e), remedy=WAITING)
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
        remedy="Files are still decoded in a process of their own. A newer kernel, or a container that may make namespaces,"
        " has the missing walls."
        if down
        else "",
    )


def _disk(data: Path) -> Finding:
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if os.access(folder, os.F_OK))
    free = shutil.disk_usage(there).free
    return Finding(
        part="disk",
        good=free >= LOW_BYTES,
        says=f"{free / 1e9:.1f} GB free at {there}",
        remedy="" if free >= LOW_BYTES else "Free some space: jobs wait when the disk is full.",
    )


async def _clock(studio: Studio) -> Finding:
    return clock_finding(studio.clock.now(), await _ahead(studio))


def clock_finding(now: Millis, ahead: Mapping[str, Millis]) -> Finding:
    """Whether the clock is right. ``ahead``: by how much that of another part is ahead of it, in milliseconds."""
    apart = [name for name, ms in ahead.items() if abs(ms) > SKEW_MS]
    wrong = now < CLOCK_EARLIEST_MS or bool(apart)
    others = [f"the {name}'s is {abs(ms) / 1000:.0f} s {'ahead' if ms > 0 else 'behind'}" for name, ms in ahead.items()]
    both = f", or that of the {' and the '.join(apart)}," if apart else ""
    remedy = (
        f"Set this machine's clock{both} and let NTP keep it right: leases, sessions and signed addresses depend on it."
    )
    says = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now / 1000))
    return Finding(part="clock", good=not wrong, says="; ".join([says, *others]), remedy=remedy if wrong else "")


async def _ahead(studio: Studio) -> dict[str, Millis]:
    """By how much the clocks of the other machines are ahead of ours; those that say nothing are left out."""
    asked = {"database": studio.store.time(), "bucket": _bucket_time(studio.blobs, _some_key(studio))}
    found: dict[str, Millis] = {}
    for name, asking in asked.items():
        before = studio.clock.now()
        try:
            told = await asking
        except (StoreUnavailable, BlobsUnavailable):
            continue  # a finding of its own says so
        if told is not None:
            found[name] = told - (before + studio.clock.now()) // 2
    return found


async def _bucket_time(blobs: Blobs, key: str) -> Millis | None:
    """What time the bucket's server has, of the Date of any answer: also one that refuses, as it does when clocks differ."""
    address = await blobs.presign(key, 60)
    if address is None:
        return None
    try:
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=DATE_S) as http,
            http.stream("GET", address) as answer,
        ):
            return round(parsedate_to_datetime(answer.headers["date"]).timestamp() * 1000)
    except (httpx2.TransportError, KeyError, ValueError):
        return None


def _some_key(studio: Studio) -> str:
    """A key with nothing under it."""
    return key_for(Kind.IMAGE, Ids(studio.clock).new("med"), Variant.MASTER, "image/png")
