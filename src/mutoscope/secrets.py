"""The studio's own secrets: made at first start, one file each in ``secrets`` in the data folder, mode 600.

``signing`` holds the keys of signed addresses and ``jwt`` those of tokens for API clients: one a line, newest first. The
first signs, all of them verify; to rotate, put a new line on top and take the old one out when what it signed has run out.

JWT_SECRET goes before both, so that machines which share a database and a bucket need to share no file: it signs tokens,
and the key of addresses is derived from it.
"""

import hmac
import os
import secrets as dice
import stat
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec

from mutoscope.disk import FILE_MODE, make_folder, reason, write_file
from mutoscope.settings import Settings, SettingsError

FOLDER = "secrets"
SECRET_BYTES = 32
DIFFERENT_LETTERS = 8
"""32 random hexadecimal digits have fewer once in thirty million times."""
FAMOUS = (
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "password",
    "your-",
    "your_",
    "example",
    "default",
    "placeholder",
)
MAKE_ONE = "make one with: openssl rand -hex 32"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Key rings, newest first, never empty."""

    signing: tuple[bytes, ...]
    jwt: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Secrets(signing={len(self.signing)} keys, jwt={len(self.jwt)} keys)"


def load_secrets(settings: Settings, data: Path) -> Secrets:
    """The secrets of this studio, made where they are missing. Raises SettingsError with what to do.

    What JWT_SECRET signs is followed by the ring of addresses in the folder: those that were signed before it was set open.
    """
    folder = data / FOLDER
    given = settings.jwt_secret
    if given is not None:
        _strong(given.get_secret_value(), "JWT_SECRET")
    try:
        make_folder(folder)
        signing = tuple(key.encode() for key in _ring(folder / "signing"))
        return Secrets(
            signing=signing if given is None else (_derived(given.get_secret_value(), "addresses"), *signing),
            jwt=(given.get_secret_value(),) if given is not None else _ring(folder / "jwt"),
        )
    except OSError as e:
        raise SettingsError(f"The folder {FOLDER} in the data folder cannot be used: {reason(e)}.") from e


def _derived(secret: str, use: str) -> bytes:
    """A key for one use, from which the secret cannot be told (HKDF's expand step, RFC 5869, one block)."""
    return hmac.digest(secret.encode(), f"mutoscope {use}".encode() + b"\x01", "sha256").hex().encode()


def _ring(path: Path) -> tuple[str, ...]:
    if not path.exists():
        with suppress(FileExistsError):  # another process was first: its key counts
            write_file(path, f"{dice.token_hex(SECRET_BYTES)}\n".encode(), replace=False)
    _guard(path)
    keys = tuple(line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip())
    name = f"{FOLDER}/{path.name} in the data folder"
    if not keys:
        raise SettingsError(f"{name} is empty: put it back from a backup, or remove it and a new one is made.")
    for key in keys:
        _strong(key, name)
    return keys


def _guard(path: Path) -> None:
    """See to it that nobody else can read it: mend the mode; refuse what is no file or belongs to somebody else."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise SettingsError(
            f"{FOLDER}/{path.name} in the data folder is a link or belongs to another account: run the studio as its owner, or chown it."
        )
    if stat.S_IMODE(found.st_mode) != FILE_MODE:
        path.chmod(FILE_MODE)


def _strong(secret: str, name: str) -> None:
    """Raises SettingsError for a secret that could be guessed; the secret itself is not repeated."""
    if len(secret.encode()) < SECRET_BYTES:
        raise SettingsError(f"{name} is shorter than {SECRET_BYTES} bytes: {MAKE_ONE}")
    if any(word in secret.casefold() for word in FAMOUS):
        raise SettingsError(f"{name} holds a word from examples and default settings: {MAKE_ONE}")
    if _guessable(secret):
        raise SettingsError(f"{name} repeats itself too much to be random: {MAKE_ONE}")


def _guessable(secret: str) -> bool:
    """Few different letters, one piece over and over, or letters in a row such as abcdef."""
    steps = Counter(ord(b) - ord(a) for a, b in pairwise(secret))
    return (
        len(set(secret)) < DIFFERENT_LETTERS
        or secret in (secret + secret)[1:-1]
        or steps.most_common(1)[0][1] > len(secret) // 2
    )
