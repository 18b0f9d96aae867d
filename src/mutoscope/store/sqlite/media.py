"""Items: reading, searching and changing them, and the step that makes their previews."""

import sqlite3
from collections.abc import Mapping, Sequence

from msgspec import structs

import mutoscope.store.sqlite.blurs as blurs
import mutoscope.store.sqlite.items as items
import mutoscope.store.sqlite.search as search
from mutoscope.domain.errors import Conflict, StaleFence
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media, Previews, StoredFile, Variant, without_old_blur
from mutoscope.domain.search import Query
from mutoscope.store.port import Blur, Page
from mutoscope.store.sqlite.engine import Engine


class SqliteMedia:
    """The media group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, id: str) -> Media | None:
        return await self._engine.read(lambda c: items.get(c, id))

    async def of_generation(self, generation_id: str) -> Sequence[Media]:
        return await self._engine.read(lambda c: _of_generation(c, generation_id))

    async def all_of(self, ids: Sequence[str]) -> Sequence[Media]:
        return await self._engine.read(lambda c: items.all_of(c, ids))

    async def search(self, scope: str, query: Query, withheld_too: bool, cursor: str | None, limit: int) -> Page[Media]:
        after = search.position(cursor, query.sort) if cursor else None
        match = search.matching(scope, query, withheld_too)
        rows = await self._engine.read(lambda c: search.page(c, items.AS_JSON, match, query, after, limit + 1))
        found = items.from_json(rows)
        more = search.cursor_after(found[limit - 1], query.sort) if len(found) > limit else None
        return Page(items=found[:limit], next=more)

    async def change(self, item: Media, expected_version: int, now: Millis) -> Media:
        return await self._engine.write(lambda c: _change(c, item, expected_version, now))

    async def claim_previews(self, worker: str, now: Millis, lease_until: Millis) -> Media | None:
        return await self._engine.write(lambda c: _claim_previews(c, now, lease_until))

    async def renew_previews(self, id: str, fence: int, lease_until: Millis) -> None:
        await self._engine.write(lambda c: _renew_previews(c, id, fence, lease_until))

    async def finish_previews(
        self, id: str, fence: int, now: Millis, files: Mapping[Variant, StoredFile], failed: bool = False
    ) -> Media:
        return await self._engine.write(lambda c: _finish_previews(c, id, fence, now, files, failed))

    async def postpone_previews(self, id: str, fence: int, due_at: Millis) -> None:
        await self._engine.write(lambda c: _postpone_previews(c, id, fence, due_at))

    async def claim_blur(self, now: Millis, lease_until: Millis) -> Blur | None:
        return await self._engine.write(lambda c: _claim_blur(c, now, lease_until))

    async def finish_blur(
        self, id: str, fence: int, intensity: int, now: Millis, files: Mapping[Variant, StoredFile]
    ) -> Media:
        return await self._engine.write(lambda c: _finish_blur(c, id, fence, intensity, now, files))

    async def postpone_blur(self, id: str, fence: int, due_at: Millis) -> None:
        await self._engine.write(lambda c: blurs.postpone(c, id, fence, due_at))

    async def count_view(self, id: str) -> None:
        await self._engine.write(lambda c: c.execute("UPDATE media SET views = views + 1 WHERE id = ?", (id,)).close())


def _of_generation(c: sqlite3.Connection, generation_id: str) -> Sequence[Media]:
    rows = c.execute(f"SELECT {items.COLUMNS} FROM media WHERE generation_id = ? ORDER BY seq", (generation_id,))  # noqa: S608
    return [items.from_row(row) for row in rows]


def _change(c: sqlite3.Connection, item: Media, expected_version: int, now: Millis) -> Media:
    before = items.get(c, item.id)
    if before is None or before.version != expected_version:
        raise Conflict("This item has changed meanwhile; look at it again.")
    # Counters and the fence move without a new version: what the caller read of them may be old.
    after = structs.replace(
        item, seq=before.seq, views=before.views, unlocks=before.unlocks, fence=before.fence,
        previews_attempts=before.previews_attempts, version=expected_version + 1, updated_at=now,
    )  # fmt: skip
    return _replace(c, before, without_old_blur(after), now)


def _replace(c: sqlite3.Connection, before: Media, after: Media, now: Millis) -> Media:
    if not items.replace(c, before, after):
        raise Conflict("This item has changed meanwhile; look at it again.")
    items.tell(c, after, now, public=before.listed or after.listed)
    return after


def _claim_previews(c: sqlite3.Connection, now: Millis, lease_until: Millis) -> Media | None:
    row = c.execute(
        "UPDATE media SET fence = fence + 1, previews_lease_until = ? WHERE seq = ("  # noqa: S608
        "   SELECT seq FROM media WHERE previews = 'pending' AND previews_due_at <= ? AND previews_lease_until <= ?"
        "   ORDER BY previews_due_at, seq LIMIT 1"
        f" ) RETURNING {items.COLUMNS.replace('media.', '')}",
        (lease_until, now, now),
    ).fetchone()
    return items.from_row(row) if row else None


def _renew_previews(c: sqlite3.Connection, id: str, fence: int, lease_until: Millis) -> None:
    renewed = c.execute(
        "UPDATE media SET previews_lease_until = ?"
        " WHERE id = ? AND fence = ? AND previews = 'pending' AND previews_lease_until > 0",
        (lease_until, id, fence),
    )
    if renewed.rowcount != 1:
        raise _stale(id, fence)


def _stale(id: str, fence: int) -> StaleFence:
    return StaleFence(f"the previews of {id} are no longer at fence {fence}")


def _pending(c: sqlite3.Connection, id: str, fence: int) -> Media:
    item = items.get(c, id)
    if item is None or item.fence != fence or item.previews is not Previews.PENDING:
        raise _stale(id, fence)
    return item


def _finish_previews(
    c: sqlite3.Connection, id: str, fence: int, now: Millis, files: Mapping[Variant, StoredFile], failed: bool
) -> Media:
    before = _pending(c, id, fence)
    after = structs.replace(
        before, files=before.files | dict(files), previews=Previews.FAILED if failed else Previews.DONE,
        version=before.version + 1, updated_at=now,
    )  # fmt: skip
    return _replace(c, before, after, now)


def _postpone_previews(c: sqlite3.Connection, id: str, fence: int, due_at: Millis) -> None:
    before = _pending(c, id, fence)
    items.replace(c, before, structs.replace(before, previews_attempts=before.previews_attempts + 1))
    c.execute(
        "UPDATE media SET previews_due_at = ?, previews_lease_until = 0 WHERE id = ? AND fence = ?", (due_at, id, fence)
    )


def _claim_blur(c: sqlite3.Connection, now: Millis, lease_until: Millis) -> Blur | None:
    taken = blurs.claim(c, now, lease_until)
    item = items.get(c, taken[0]) if taken else None
    return Blur(item=item, fence=taken[1], attempts=taken[2]) if taken and item else None


def _finish_blur(
    c: sqlite3.Connection, id: str, fence: int, intensity: int, now: Millis, files: Mapping[Variant, StoredFile]
) -> Media:
    blurs.end(c, id, fence)
    before = items.get(c, id)
    if before is None or not before.locked or before.blur_intensity != intensity:
        raise StaleFence(f"{id} is no longer blurred at {intensity}")
    if not files:
        return before
    after = structs.replace(
        before, files=before.files | dict(files), blurred=intensity, version=before.version + 1, updated_at=now
    )
    return _replace(c, before, after, now)
