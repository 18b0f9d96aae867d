"""How things are said on the pages: stages, lengths, sizes, times, and what stands after a redirect."""

from collections.abc import Mapping
from datetime import datetime

from mutoscope.domain.ids import DAY, HOUR, MINUTE, Millis
from mutoscope.domain.keys import Scope
from mutoscope.domain.ledger import EntryKind
from mutoscope.domain.media import Visibility
from mutoscope.domain.source import SourceRule

STAGES: Mapping[str, str] = {
    "queued": "Waiting for its turn",
    "submitting": "Handing over to the model",
    "rendering": "Rendering",
    "canceling": "Stopping",
    "outcome_unknown": "The model has not answered; we are finding out",
    "fetching": "Bringing the result home",
    "developing": "Making poster and sizes",
    "succeeded": "Done",
    "failed": "Failed",
    "canceled": "Canceled",
}

ENTRIES: Mapping[EntryKind, str] = {
    EntryKind.GRANT: "Given",
    EntryKind.HOLD: "Set aside",
    EntryKind.CAPTURE: "Spent, from what was set aside",
    EntryKind.RELEASE: "Given back",
    EntryKind.ADJUST: "Corrected",
    EntryKind.UNLOCK: "Unlocked",
    EntryKind.EARNING: "Earned, somebody unlocked it",
    EntryKind.REFUND: "Given back, what you had unlocked is locked again",
    EntryKind.REVERSAL: "Taken back, an unlock was refunded",
}

VISIBILITIES: Mapping[Visibility, str] = {
    Visibility.PUBLIC: "Public: in the gallery",
    Visibility.UNLISTED: "Unlisted: for those who have the link",
    Visibility.PRIVATE: "Private: for you alone",
}

LASTS: Mapping[int | None, str] = {
    1: "An hour",
    24: "A day",
    24 * 7: "A week",
    24 * 30: "30 days",
    None: "Until it is revoked",
}
"""How long a share link may last, by hours, on the pages; over REST it may be any number of them."""

COLLECTION_VISIBILITIES: Mapping[Visibility, str] = {
    Visibility.PRIVATE: "Private: you alone",
    Visibility.UNLISTED: "Unlisted: those who have its address, of what is public in it",
    Visibility.PUBLIC: "Public: everyone, of what is public in it",
}

DONE: Mapping[str, str] = {
    "ordered": "Ordered. The tokens are set aside until it is done.",
    "canceled": "The job is being stopped.",
    "retried": "Ordered again.",
    "saved": "Saved.",
    "collected": "It is in the collection now.",
    "collection-made": "Made. Fill it from the page of a picture or film.",
    "collection-deleted": "The collection is deleted; what was in it is still there.",
    "taken-out": "Taken out of the collection.",
    "moved": "Moved.",
    "unlocked": "Unlocked. It is yours to look at, for ever.",
    "trashed": "In the trash now.",
    "link-revoked": "The link is revoked: it opens nothing any more.",
    "restored": "Taken out of the trash.",
    "password": "The new password is set. Every other session, token and key has ended.",
    "email": "The e-mail address is kept.",
    "email-removed": "The e-mail address is removed.",
    "invite-revoked": "The invitation is taken back.",
    "revoked": "The key is revoked.",
    "session-ended": "That session has ended.",
    "sessions-ended": "All other sessions have ended.",
    "signed-out": "Signed out.",
}
"""What a page says after a form was sent, by the word in its address."""

SCOPES: Mapping[Scope, str] = {
    Scope.GENERATE: "Generate: order pictures and films, spend tokens, follow and cancel jobs",
    Scope.READ: "Read: see what you see, private items and your statement too",
    Scope.MANAGE: "Manage: change, throw away and restore your items, and your collections",
    Scope.ADMIN: "Admin: grant tokens and resolve jobs; the other scopes then reach everybody's items",
}

NEEDS: Mapping[str, str] = {"required": "starts from a picture", "optional": "can start from a picture", "no": ""}


def takes(rule: SourceRule) -> str:
    """What becomes of a picture on its way to a model: ``cropped around its centre to the nearest of 1024 × 576 and ...``."""
    if not rule.sizes:
        return f"made smaller where a side is longer than {rule.side_px:,} pixels"
    *others, last = [size.replace("x", " × ") for size in rule.sizes]
    sizes = f"the nearest of {', '.join(others)} and {last}" if others else last
    return f"cropped around its centre to {sizes} pixels"


def place(id: str) -> str:
    """The page of an item or a collection."""
    return f"/collections/{id}" if id.startswith("col_") else f"/m/{id}"


def tokens(count: int) -> str:
    """A number of tokens: ``1 token``, ``1,200 tokens``."""
    return f"{count:,} token" + ("" if count == 1 else "s")


def count(number: int, thing: str) -> str:
    """How many of something: ``1 view``, ``1,200 views``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def clock(seconds: float) -> str:
    """A film's length, as on a player: ``0:05``."""
    whole = max(1, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def usual(ms: Millis) -> str:
    """How long something usually takes: ``about 8 s``, ``about 3 min``."""
    return f"about {max(1, round(ms / 1000))} s" if ms < 100_000 else f"about {round(ms / 60_000)} min"


def span(ms: Millis | None) -> str:
    """How long something took: ``0.4 s``, ``12 s``, ``3 min``; a dash where that is not known."""
    if ms is None:
        return "–"
    if ms < 100_000:
        return f"{ms / 1000:.1f} s" if ms < 10_000 else f"{round(ms / 1000)} s"
    return f"{round(ms / 60_000)} min"


def size(count: int) -> str:
    """A file's size: ``1.4 MB``."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def millis(moment: str) -> Millis:
    """A moment of `services.views.moment`, in milliseconds."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def ago(at: Millis, now: Millis) -> str:
    """How long ago something was: ``just now``, ``5 min ago``, ``3 days ago``."""
    passed = max(0, now - at)
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "min")):
        if passed >= unit:
            count = passed // unit
            return f"{count} {name}{'s' if count > 1 and name != 'min' else ''} ago"
    return "just now"


def shape(width: float, height: float) -> str:
    """The classes that give an element its ratio of sides, to a hundredth, without a style attribute.

    ``shape(1280, 720)`` is ``u1 t7 h8``: units, tenths and hundredths, added up in studio.css.
    """
    hundredths = max(20, min(500, round(100 * width / height)))
    return f"u{hundredths // 100} t{hundredths // 10 % 10} h{hundredths % 10}"
