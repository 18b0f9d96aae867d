"""Locked items that wait for their blurred files: a row each, made and taken away in the commit that changes the item."""

import sqlite3

from mutoscope.domain.errors import StaleFence
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media, begins_blur


def follow(c: sqlite3.Connection, before: Media | None, after: Media) -> None:
    """Keep the row in step with the item. Whoever works on a row that begins anew loses it."""
    if not after.needs_blur:
        c.execute("DELETE FROM blurs WHERE media_id = ?", (after.id,))
    elif begins_blur(before, after):
        c.execute(
            "INSERT INTO blurs (media_id, due_at) VALUES (?, ?) ON CONFLICT (media_id) DO UPDATE"
            " SET due_at = excluded.due_at, lease_until = 0, attempts = 0, fence = fence + 1",
            (after.id, after.updated_at),
        )


def claim(c: sqlite3.Connection, now: Millis, lease_until: Millis) -> tuple[str, int, int] | None:
    """Take the row that is due first: item, fence and attempts."""
    return c.execute(
        "UPDATE blurs SET fence = fence + 1, lease_until = ? WHERE media_id = ("
        "   SELECT media_id FROM blurs WHERE due_at <= ? AND lease_until <= ? ORDER BY due_at, media_id LIMIT 1"
        " ) RETURNING media_id, fence, attempts",
        (lease_until, now, now),
    ).fetchone()


def renew(c: sqlite3.Connection, media_id: str, fence: int, lease_until: Millis) -> None:
    """Prolong a lease that is held. Raises StaleFence."""
    renewed = c.execute(
        "UPDATE blurs SET lease_until = ? WHERE media_id = ? AND fence = ? AND lease_until > 0",
        (lease_until, media_id, fence),
    ).rowcount
    if renewed != 1:
        raise _stale(media_id, fence)


def postpone(c: sqlite3.Connection, media_id: str, fence: int, due_at: Millis) -> None:
    """Give up the lease and count an attempt. Raises StaleFence."""
    later = c.execute(
        "UPDATE blurs SET due_at = ?, lease_until = 0, attempts = attempts + 1 WHERE media_id = ? AND fence = ?",
        (due_at, media_id, fence),
    ).rowcount
    if later != 1:
        raise _stale(media_id, fence)


def end(c: sqlite3.Connection, media_id: str, fence: int) -> None:
    """Take the row away. Raises StaleFence."""
    if c.execute("DELETE FROM blurs WHERE media_id = ? AND fence = ?", (media_id, fence)).rowcount != 1:
        raise _stale(media_id, fence)


def _stale(media_id: str, fence: int) -> StaleFence:
    return StaleFence(f"the blur of {media_id} is no longer at fence {fence}")
