"""`mutoscope serve`: the studio in one process, on a TCP port for people and a socket for its operator."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

import uvicorn

from mutoscope.settings import Settings
from mutoscope.web.operator import create_operator_app
from mutoscope.wiring import Running, open_studio

GRACE_S = 5
SOCKET_PATH_BYTES = 100


class PortTaken(Exception):
    """Another program listens there."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Two servers share this process: the signals are handled once, in `serve`."""
        yield


def socket_path(settings: Settings) -> Path:
    """Where the operator's socket is: in the data folder."""
    return settings.data_dir.absolute() / "operator.sock"


@contextlib.contextmanager
def short_path(path: Path) -> Generator[str]:
    """A name of the socket that fits into the 107 bytes that Linux allows, however long the data folder's is."""
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(settings: Settings) -> socket.socket:
    """A listening TCP socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as e:
        listener.close()
        raise PortTaken(
            f"Cannot listen on {settings.host} port {settings.port}: {e.strerror}. Set MUTOSCOPE_PORT (0 takes any free one)."
        ) from e
    listener.listen(2048)
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """How people reach this studio."""
    if settings.base_url:
        return settings.base_url.rstrip("/")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # names, not a bind
    return f"http://{host}:{listener.getsockname()[1]}"


def _operator_listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with short_path(path) as name:
            listener.bind(name)
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


def _server(app: object, settings: Settings) -> _Server:
    return _Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  # ASGI under another name
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=30,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
        )
    )


async def serve(
    settings: Settings,
    ready: Callable[[Running], Awaitable[None]],
    open_: Callable[..., Awaitable[Running]] = open_studio,
) -> None:
    """Run the studio until SIGINT or SIGTERM. ``ready`` is awaited beside it once both doors are open."""
    listener = listen(settings)
    running = await open_(settings, address(settings, listener))
    path = socket_path(settings)
    operator = _operator_listener(path)
    servers = [
        (_server(running.app, settings), listener),
        (_server(create_operator_app(running.studio, running.app), settings), operator),
    ]
    try:
        running.worker.start()
        await _until_stopped(servers, lambda: ready(running))
    finally:
        path.unlink(missing_ok=True)
        await running.close()


async def _until_stopped(servers: list[tuple[_Server, socket.socket]], ready: Callable[[], Awaitable[None]]) -> None:
    def stop() -> None:
        for server, _ in servers:
            # A second signal means: at once.
            server.force_exit = server.should_exit
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = [tasks.create_task(server.serve(sockets=[listener])) for server, listener in servers]
            beside = tasks.create_task(_when_open(servers, ready))
            await asyncio.gather(*serving)
            beside.cancel()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _when_open(servers: list[tuple[_Server, socket.socket]], ready: Callable[[], Awaitable[None]]) -> None:
    while not all(server.started for server, _ in servers):  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    await ready()
