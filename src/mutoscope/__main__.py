"""`python -m mutoscope` is `mutoscope`."""

from mutoscope.cli import main

main(prog_name="mutoscope")
