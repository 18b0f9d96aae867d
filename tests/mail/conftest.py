"""A certificate authority for all tests of mail."""

from outgoing.conftest import authority

__all__ = ["authority"]
