"""The offline provider: pictures and films drawn by procedures on this machine. It says of itself that it is no AI model."""

from mutoscope.providers.local.provider import LocalProvider

__all__ = ["LocalProvider"]
