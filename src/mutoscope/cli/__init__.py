"""The command line."""

from mutoscope.cli.commands import main

__all__ = ["main"]
