"""Items: reading, searching and changing them, and the step that makes their previews."""

from collections.abc import Mapping, Sequence

from msgspec import structs

import mutoscope.store.mongo.blurs as blurs
import mutoscope.store.mongo.items as items
import mutoscope.store.mongo.search as search
from mutoscope.domain.errors import Conflict, StaleFence
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media, Previews, StoredFile, Variant, without_old_blur
from mutoscope.domain.search import Query
from mutoscope.store.mongo.documents import to_media
from mutoscope.store.mongo.engine import Connection, Engine
from mutoscope.store.port import Blur, Page


class MongoMedia:
    """The media group of the port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, id: str) -> Media | None:
        return await self._engine.read(lambda c: items.get(c, id))

    async def of_generation(self, generation_id: str) -> Sequence[Media]:
        found = await self._engine.read(lambda c: c["media"].all({"generation_id": generation_id}, [("seq", 1)]))
        return [to_media(document) for document in found]

    async def all_of(self, ids: Sequence[str]) -> Sequence[Media]:
        documents = await self._engine.read(lambda c: c["media"].all({"_id": {"$in": list(ids)}}))
        found = {document["_id"]: document for document in documents}
        return [to_media(found[id]) for id in ids if id in found]

    async def search(self, scope: str, query: Query, withheld_too: bool, cursor: str | None, limit: int) -> Page[Media]:
        after = search.position(cursor, query.sort) if cursor else None
        match = search.matching(scope, query, withheld_too)
        documents = await self._engine.read(lambda c: search.page(c, match, query.sort, after, limit + 1))
        found = [to_media(document) for document in documents[:limit]]
        more = search.cursor_after(found[-1], query.sort) if len(documents) > limit else None
        return Page(items=found, next=more)

    async def change(self, item: Media, expected_version: int, now: Millis) -> Media:
        return await self._engine.write(lambda c: _change(c, item, expected_version, now))

    async def claim_previews(self, worker: str, now: Millis, lease_until: Millis) -> Media | None:
        waiting = {"previews": "pending", "previews_due_at": {"$lte": now}, "previews_lease_until": {"$lte": now}}
        taking = {"$inc": {"fence": 1}, "$set": {"previews_lease_until": lease_until}}
        order = [("previews_due_at", 1), ("seq", 1)]
        document = await self._engine.step(lambda c: c["media"].changed(waiting, taking, order))
        return to_media(document) if document else None

    async def renew_previews(self, id: str, fence: int, lease_until: Millis) -> None:
        await self._engine.step(lambda c: _renew_previews(c, id, fence, lease_until))

    async def finish_previews(
        self, id: str, fence: int, now: Millis, files: Mapping[Variant, StoredFile], failed: bool = False
    ) -> Media:
        return await self._engine.write(lambda c: _finish_previews(c, id, fence, now, files, failed))

    async def postpone_previews(self, id: str, fence: int, due_at: Millis) -> None:
        await self._engine.step(lambda c: _postpone_previews(c, id, fence, due_at))

    async def claim_blur(self, now: Millis, lease_until: Millis) -> Blur | None:
        taken = await self._engine.step(lambda c: blurs.claim(c, now, lease_until))
        item = await self.get(taken["_id"]) if taken else None
        return Blur(item=item, fence=int(taken["fence"]), attempts=int(taken["attempts"])) if taken and item else None

    async def finish_blur(
        self, id: str, fence: int, intensity: int, now: Millis, files: Mapping[Variant, StoredFile]
    ) -> Media:
        return await self._engine.write(lambda c: _finish_blur(c, id, fence, intensity, now, files))

    async def postpone_blur(self, id: str, fence: int, due_at: Millis) -> None:
        await self._engine.step(lambda c: blurs.postpone(c, id, fence, due_at))

    async def count_view(self, id: str) -> None:
        await self._engine.step(lambda c: c["media"].update({"_id": id}, {"$inc": {"views": 1}}))


async def _change(c: Connection, item: Media, expected_version: int, now: Millis) -> Media:
    before = await items.get(c, item.id)
    if before is None or before.version != expected_version:
        raise Conflict("This item has changed meanwhile; look at it again.")
    # Counters and the fence move without a new version: what the caller read of them may be old.
    after = structs.replace(
        item, seq=before.seq, views=before.views, unlocks=before.unlocks, fence=before.fence,
        previews_attempts=before.previews_attempts, version=expected_version + 1, updated_at=now,
    )  # fmt: skip
    return await _replace(c, before, without_old_blur(after), now)


async def _replace(c: Connection, before: Media, after: Media, now: Millis) -> Media:
    if not await items.replace(c, before, after):
        raise Conflict("This item has changed meanwhile; look at it again.")
    await items.tell(c, after, now, public=before.listed or after.listed)
    return after


async def _finish_previews(
    c: Connection, id: str, fence: int, now: Millis, files: Mapping[Variant, StoredFile], failed: bool
) -> Media:
    before = await items.get(c, id)
    if before is None or before.fence != fence or before.previews is not Previews.PENDING:
        raise _stale(id, fence)
    after = structs.replace(
        before, files=before.files | dict(files), previews=Previews.FAILED if failed else Previews.DONE,
        version=before.version + 1, updated_at=now,
    )  # fmt: skip
    return await _replace(c, before, after, now)


async def _renew_previews(c: Connection, id: str, fence: int, lease_until: Millis) -> None:
    held = {"_id": id, "fence": fence, "previews": Previews.PENDING, "previews_lease_until": {"$gt": 0}}
    if not await c["media"].update(held, {"$set": {"previews_lease_until": lease_until}}):
        raise _stale(id, fence)


async def _finish_blur(
    c: Connection, id: str, fence: int, intensity: int, now: Millis, files: Mapping[Variant, StoredFile]
) -> Media:
    await blurs.end(c, id, fence)
    before = await items.get(c, id)
    if before is None or not before.locked or before.blur_intensity != intensity:
        raise StaleFence(f"{id} is no longer blurred at {intensity}")
    if not files:
        return before
    after = structs.replace(
        before, files=before.files | dict(files), blurred=intensity, version=before.version + 1, updated_at=now
    )
    return await _replace(c, before, after, now)


async def _postpone_previews(c: Connection, id: str, fence: int, due_at: Millis) -> None:
    held = {"_id": id, "fence": fence, "previews": Previews.PENDING}
    later = {"previews_due_at": due_at, "previews_lease_until": 0}
    if not await c["media"].update(held, {"$inc": {"previews_attempts": 1}, "$set": later}):
        raise _stale(id, fence)


def _stale(id: str, fence: int) -> StaleFence:
    return StaleFence(f"the previews of {id} are no longer at fence {fence}")
