"""The two doors of a running studio: a TCP port for people, and a socket in the data folder for its operator."""

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Generator
from pathlib import Path

from mutoscope.settings import Settings
from mutoscope.wiring import CannotOpen

SOCKET, LOCK = "operator.sock", "serve.lock"
SOCKET_MODE = 0o600
SOCKET_PATH_BYTES = 100


class PortTaken(CannotOpen):
    """It cannot be listened there."""


def listen(settings: Settings) -> socket.socket:
    """A listening TCP socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as e:
        listener.close()
        raise PortTaken(
            f"Cannot listen on {settings.host} port {settings.port}: {e.strerror}."
            " Set MUTOSCOPE_PORT to another one (0 takes any that is free), or mend MUTOSCOPE_HOST."
        ) from e
    return listener


def address(settings: Settings, port: int) -> str:
    """How people reach the studio that listens on ``port``."""
    if settings.base_url:
        return settings.base_url.rstrip("/")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # names, not a bind
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def socket_path(settings: Settings) -> Path:
    """Where the operator's socket is: in the data folder."""
    return settings.data_dir.absolute() / SOCKET


def operator_socket(settings: Settings) -> Path | None:
    """The operator's socket when there is one that this account may use, and nobody else. Raises CannotOpen."""
    path = socket_path(settings)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise CannotOpen(f"The data folder {path.parent} cannot be looked into: {e.strerror}. {AS_OWNER}") from e
    if not stat.S_ISSOCK(found.st_mode) or stat.S_IMODE(found.st_mode) != SOCKET_MODE:
        raise CannotOpen(f"{path} is not what a studio made: others could listen or speak there. Remove it.")
    if os.geteuid() not in (0, found.st_uid):
        raise CannotOpen(f"The studio in {path.parent} belongs to another account. {AS_OWNER}")
    return path


AS_OWNER = "Run this as the account that the studio runs as."


@contextlib.contextmanager
def short_path(path: Path) -> Generator[str]:
    """A name of the socket that fits into the 107 bytes that Linux allows, however long the data folder's is."""
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def own(settings: Settings) -> int:
    """The descriptor of a lock on the data folder, which one `serve` has. Raises CannotOpen."""
    path = settings.data_dir.absolute() / LOCK
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, SOCKET_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise CannotOpen(
            f"Another studio serves with the data folder {path.parent}: give each its own with MUTOSCOPE_DATA_DIR."
        ) from None
    return descriptor


def listen_for_operator(path: Path) -> socket.socket:
    """A listening socket at ``path``, mode 600. Only for who has the data folder: what was there is taken away."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        with short_path(path) as name:
            listener.bind(name)
        listener.listen(64)
    except OSError as e:
        listener.close()
        raise CannotOpen(f"The operator's socket cannot be made at {path}: {e.strerror}.") from e
    finally:
        os.umask(before)
    return listener
