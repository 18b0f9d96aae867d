"""The same house as the tests of the web front have."""

from web.conftest import darkroom, house, lasting

__all__ = ["darkroom", "house", "lasting"]
