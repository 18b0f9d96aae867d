"""Byte ranges (RFC 9110, section 14). One range is served; of several, the whole, as the standard allows."""

import re

_ONE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


class Unsatisfiable(Exception):
    """The range lies outside the file."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the byte after the last; None for the whole file, also when the header is none that we understand.

    >>> byte_range("bytes=0-1", 10), byte_range("bytes=-3", 10), byte_range("bytes=4-", 10)
    ((0, 2), (7, 10), (4, 10))
    """
    match = _ONE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        start, end = max(size - int(match[2]), 0), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, end


def etag_matches(header: str | None, etag: str, weak: bool = True) -> bool:
    """Whether one of the tags in If-None-Match (``weak``) or If-Range is that one."""
    if header is None:
        return False
    tags = [tag.strip() for tag in header.split(",")]
    if weak:
        return "*" in tags or etag in (tag.removeprefix("W/") for tag in tags)
    return tags == [etag]
