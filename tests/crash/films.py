"""A film long enough to be stored in parts, for the stub provider to give out."""

import random
from pathlib import Path

from mutoscope.blobs.uploads import PART_BYTES
from stubs.samples import samples

FILM_BYTES = PART_BYTES + 1_000_000
"""Two parts."""


def lengthen(folder: Path, rng: random.Random) -> None:
    """Make what a stub with that folder gives out as a film FILM_BYTES long: the same film, with ballast behind it."""
    folder.mkdir(parents=True, exist_ok=True)
    film = samples(folder)["video"]
    # A box that every reader of MP4 skips (ISO/IEC 14496-12, 8.1.2); noise, so that nothing on the way can shrink it.
    ballast = rng.randbytes(FILM_BYTES - len(film) - 8)
    (folder / "sample.mp4").write_bytes(film + (len(ballast) + 8).to_bytes(4, "big") + b"free" + ballast)
