"""Items as documents: the one place that writes a Media to its collection and reads it again, with its search terms."""

from collections.abc import Sequence

import mutoscope.store.mongo.blurs as blurs
import mutoscope.store.mongo.events as events
import mutoscope.store.mongo.search as search
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media
from mutoscope.domain.search import terms_of
from mutoscope.store.mongo.documents import from_media, to_media
from mutoscope.store.mongo.engine import Connection

SEQ = "seq:media"


async def get(c: Connection, id: str) -> Media | None:
    """The item of that id."""
    document = await c["media"].one({"_id": id})
    return to_media(document) if document else None


async def insert_all(c: Connection, media: Sequence[Media], now: Millis) -> None:
    """New items at the end of the order of publication, found from now on.

    The last thing in a transaction: whoever publishes at the same time meets at the counter, so that places in the
    order are given in the order of commits.
    """
    if not media:
        return
    terms = [search.stored(terms_of(item, await _owner_name(c, item.owner_id))) for item in media]
    for item in media:
        await tell(c, item, now, public=item.listed)
        await blurs.follow(c, None, item)
    counter = await c["counters"].changed({"_id": SEQ}, {"$inc": {"value": len(media)}}, upsert=True)
    first = int(counter["value"]) - len(media) + 1 if counter else 1
    own = {"previews_due_at": now, "previews_lease_until": 0}
    await c["media"].insert(
        *(
            from_media(item) | own | {"seq": first + place, "terms": found}
            for place, (item, found) in enumerate(zip(media, terms, strict=True))
        )
    )


async def replace(c: Connection, before: Media, after: Media) -> bool:
    """Write an item's record and terms if it still has the version of ``before``."""
    terms = search.stored(terms_of(after, await _owner_name(c, after.owner_id)))
    guard = {"_id": before.id, "version": before.version}
    if not await c["media"].update(guard, {"$set": from_media(after) | {"terms": terms}}):
        return False
    await blurs.follow(c, before, after)
    return True


async def index_again(c: Connection, owner_id: str, owner_name: str) -> None:
    """Make the terms of a person's items anew: the name has changed."""
    for document in await c["media"].all({"owner_id": owner_id}):
        terms = search.stored(terms_of(to_media(document), owner_name))
        await c["media"].update({"_id": document["_id"]}, {"$set": {"terms": terms}})


async def tell(c: Connection, item: Media, now: Millis, *, public: bool) -> None:
    """The event of a change of the item."""
    await events.append(c, "media", item.id, item.version, item.owner_id, now, public=public)


async def _owner_name(c: Connection, owner_id: str) -> str:
    # Counted, and not just read: so a transaction that changes the name meets this one, and no item keeps the old name.
    owner = await c["people"].changed({"_id": owner_id}, {"$inc": {"indexed": 1}})
    return owner["name"] if owner else ""
