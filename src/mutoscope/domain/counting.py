"""Views and likes: whose look counts, once for each viewer and day, and what is kept of who looked.

A viewer is known by a keyed hash for one item and one day (UTC), and by nothing else. Its key is made of a secret of the
studio's and of one that is drawn for the day and forgotten after it: then nobody can tell any more whose the hash was, whose
hash of another item or day belongs to it, or try addresses until one fits.
"""

import base64
import hashlib
import hmac
from typing import NewType

import msgspec

from mutoscope.domain.ids import DAY, Millis

Day = NewType("Day", int)
"""Days since 1970 (UTC)."""

VIEWER_BYTES = 16
AGENT_CHARS = 512
"""How much of a user agent tells one browser from another."""
VIEWERS_MOST = 2_000_000
"""Viewers of items that are kept for one day at most, about 150 MB; what comes after is not counted."""

ROBOTS = (
    "bot", "crawl", "spider", "slurp", "preview", "scrape", "fetcher", "archiver", "externalhit", "facebookcatalog",
    "embedly", "whatsapp", "skypeuri", "headless", "phantomjs", "lighthouse", "pagespeed", "monitor", "uptime", "pingdom",
    "curl/", "wget/",
)  # fmt: skip
"""What stands in the user agents of those who are no people, in lower case. ``bot`` finds Googlebot, Discordbot and
robots in general; ``externalhit`` Facebook's previews, which name no robot.
"""
PEOPLE = ("cubot",)
"""What looks like one of those and is a maker of telephones."""
AHEAD = ("prefetch", "prerender", "preview")
"""What a browser says of a page that it fetches before anybody wants it."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a look comes from. ``source`` is an address as `limits.source_of` gives it, None on the operator's socket."""

    source: str | None
    user_agent: str
    purpose: str = ""
    """What the request says that it is for (``Sec-Purpose`` and its elders)."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody looked at an item: ``viewer`` is the hash for that item and day."""

    media_id: str
    viewer: str


class Like(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody likes an item."""

    person_id: str
    media_id: str
    at: Millis


def day_of(moment: Millis) -> Day:
    """The day that a moment belongs to."""
    return Day(moment // DAY)


def is_robot(user_agent: str) -> bool:
    """Whether a user agent is that of a program which looks at pages by itself; one that says nothing is taken for one."""
    name = user_agent.casefold().strip()
    for maker in PEOPLE:
        name = name.replace(maker, "")
    return not name or any(term in name for term in ROBOTS)


def is_ahead(purpose: str) -> bool:
    """Whether the request was made before anybody wanted to see what it is for."""
    return any(word in purpose.casefold() for word in AHEAD)


def look_of(media_id: str, person_id: str | None, visitor: Visitor, studio_key: bytes, day_secret: str) -> Look:
    """The look of a person, or of a visitor by address and user agent."""
    whose = ("person", person_id) if person_id else ("visitor", str(visitor.source), visitor.user_agent[:AGENT_CHARS])
    key = hmac.digest(studio_key, f"views\0{day_secret}".encode(), hashlib.sha256)
    said = "\0".join((media_id, *whose)).encode(errors="replace")
    digest = hmac.digest(key, said, hashlib.sha256)[:VIEWER_BYTES]
    return Look(media_id=media_id, viewer=base64.urlsafe_b64encode(digest).decode().rstrip("="))
