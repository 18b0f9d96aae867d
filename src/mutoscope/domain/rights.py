"""Who may see what: one table, in front of every byte and every record.

The table is read from top to bottom and the first row that fits decides. A row that says no says NotFound: a stranger
is not told whether a thing exists.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from mutoscope.domain.errors import NotFound
from mutoscope.domain.media import BLURRED, Media, Variant, Visibility


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks. ``signed`` is the one (item, variant) that a verified signed address names.

    ``unlocked``: items that they paid for, as far as that was looked up for the question at hand. ``shared``: items that a
    share link opens to them, which was found to stand; ``link_id`` is that link, and addresses that are handed out name it.
    """

    person_id: str | None = None
    is_admin: bool = False
    signed: tuple[str, Variant] | None = None
    unlocked: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    link_id: str | None = None


STRANGER = Viewer()

Rule = Literal["allow", "refuse"]


def _owns(viewer: Viewer, item: Media) -> bool:
    return viewer.person_id is not None and viewer.person_id == item.owner_id


TABLE: tuple[tuple[str, Callable[[Viewer, Media, Variant | None], bool], Rule], ...] = (
    ("an administrator sees everything", lambda viewer, item, variant: viewer.is_admin, "allow"),
    ("an owner sees all of their own, in the trash too", lambda viewer, item, variant: _owns(viewer, item), "allow"),
    ("what is in the trash is gone for others", lambda viewer, item, variant: item.trashed_at is not None, "refuse"),
    ("what an administrator hid is gone for others", lambda viewer, item, variant: item.hidden, "refuse"),
    # Signed addresses are handed out by someone who had the right; they open one variant of one item and no record.
    (
        "a signed address opens its variant",
        lambda viewer, item, variant: variant is not None and viewer.signed == (item.id, variant),
        "allow",
    ),
    (
        "who paid for an item keeps it, also when it is made private later",
        lambda viewer, item, variant: item.id in viewer.unlocked,
        "allow",
    ),
    (
        "private is private, but for whoever has a share link",
        lambda viewer, item, variant: item.visibility is Visibility.PRIVATE and item.id not in viewer.shared,
        "refuse",
    ),
    (
        "a locked item's files are withheld from strangers, but for the blurred ones",
        lambda viewer, item, variant: item.locked and variant is not None and variant not in BLURRED,
        "refuse",
    ),
    ("unlisted and public are open to whoever has the address", lambda viewer, item, variant: True, "allow"),
)


def allowed(viewer: Viewer, item: Media, variant: Variant | None) -> bool:
    """Whether the viewer may have that variant of the item, or its record (``variant`` None)."""
    return next(rule for _, fits, rule in TABLE if fits(viewer, item, variant)) == "allow"


def authorize(viewer: Viewer, item: Media, variant: Variant | None) -> None:
    """Raises NotFound unless the viewer may have that variant of the item, or its record (``variant`` None)."""
    if not allowed(viewer, item, variant):
        raise NotFound("There is no such item, or it is not open to you.")


def sees_withheld(viewer: Viewer, item: Media) -> bool:
    """Whether the viewer sees prompt, seed, settings and the words that came from the prompt."""
    return viewer.is_admin or _owns(viewer, item) or item.id in viewer.unlocked or not item.locked


def may_change(viewer: Viewer, item: Media) -> bool:
    """Whether the viewer may edit the item or put it in the trash."""
    return viewer.is_admin or _owns(viewer, item)
