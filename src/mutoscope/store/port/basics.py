"""What all groups of the store share."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec


class StoreUnavailable(Exception):
    """The store could not be reached, is full, or broke; nothing was changed."""


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some rows, and the cursor that continues after them; None at the end."""

    items: Sequence[T]
    next: str | None
