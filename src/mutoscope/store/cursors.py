"""Cursors: where a page ended, written so that it can travel in an address and be checked when it comes back."""

import base64
import binascii
from typing import Annotated, Any, TypeVar

import msgspec

from mutoscope.domain.errors import Invalid

T = TypeVar("T")

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What fits a column of SQLite, and an integer of BSON."""


def write(*parts: Any) -> str:
    """The parts as one opaque string."""
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


def read(cursor: str, shape: type[T]) -> T:
    """The parts again. Raises Invalid when the string is none of ours, or of another list."""
    try:
        return msgspec.json.decode(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True), type=shape
        )
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise Invalid(
            "This cursor does not belong to this list; start again without one.", {"cursor": "unknown"}
        ) from None
