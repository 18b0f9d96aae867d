"""Invitations: links with which so many people may make an account, until a day."""

import msgspec

from mutoscope.domain.errors import Invalid
from mutoscope.domain.ids import DAY, Millis

USES_MAX, DAYS_MAX, TOKENS_MAX = 1_000, 365, 1_000_000_000
NOTE_CHARS = 100
KEPT_MS: Millis = 30 * DAY
"""How long one that has ended is listed, at least."""


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation. ``secret_hash`` is the SHA-256 of what its link holds; ``tokens`` each account gets beside the usual."""

    id: str
    secret_hash: str
    made_by: str
    uses: int
    used: int = 0
    tokens: int = 0
    note: str = ""
    created_at: Millis
    expires_at: Millis


def is_good(invite: Invite, now: Millis) -> bool:
    """Whether one more account can be made with it."""
    return invite.used < invite.uses and invite.expires_at > now


def check_invite(uses: int, days: int, tokens: int, note: str) -> None:
    """Raises Invalid, naming the field."""
    bounds = {"uses": (uses, 1, USES_MAX), "expires_in_days": (days, 1, DAYS_MAX), "tokens": (tokens, 0, TOKENS_MAX)}
    wrong = {name: f"{low} to {high}" for name, (value, low, high) in bounds.items() if not low <= value <= high}
    if len(note) > NOTE_CHARS or not (note.isprintable() or not note):
        wrong["note"] = f"at most {NOTE_CHARS} printable characters"
    if wrong:
        raise Invalid("That invitation cannot be made.", wrong)
