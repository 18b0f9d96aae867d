"""`mutoscope serve`: the studio on a TCP port for people and a socket for its operator; and `mutoscope worker`."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack

import uvicorn

from mutoscope.cli.doors import PortTaken, address, listen, listen_for_operator, own, socket_path
from mutoscope.settings import Settings
from mutoscope.web.operator import create_operator_app
from mutoscope.web.protocol import BoundedHttp
from mutoscope.wiring import Running, open_studio

GRACE_S = 5
"""How long requests may go on when the studio is asked to stop; the worker has a grace of its own beside it."""

Ready = Callable[[Running], Awaitable[None]]
Open = Callable[..., Awaitable[Running]]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Two servers share this process: the signals are handled once, in `serve`."""
        yield


def _server(app: object, settings: Settings) -> _Server:
    return _Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  # ASGI under another name
            loop="uvloop",
            http=BoundedHttp,
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


async def work(settings: Settings, ready: Ready, open_: Open = open_studio) -> int:
    """Work on jobs until SIGINT or SIGTERM, as `serve` does. Raises CannotOpen, SettingsError."""
    with _signals() as stopped:
        running = await open_(settings)
        try:
            running.worker.start()
            await ready(running)
            return await stopped
        finally:
            await running.close()


async def serve(settings: Settings, ready: Ready, open_: Open = open_studio, with_worker: bool = True) -> int:
    """Run the studio until SIGINT or SIGTERM; returns which of them it was. A second one ends the process at once.

    ``with_worker``: whether jobs go on in this process too. ``ready`` is awaited beside it once both doors are open; what it raises ends the studio. Raises CannotOpen,
    SettingsError.
    """
    with _signals() as stopped:
        async with AsyncExitStack() as doors:
            listener = await _listen(settings, open_)
            doors.callback(listener.close)
            running = await open_(settings, address(settings, listener.getsockname()[1]))
            doors.push_async_callback(running.close)
            doors.callback(os.close, own(settings))
            path = socket_path(settings)
            operator = listen_for_operator(path)
            doors.callback(path.unlink, missing_ok=True)
            servers = {
                _server(running.app, settings): listener,
                _server(create_operator_app(running.studio, running.backup, running.app), settings): operator,
            }
            return await _until(stopped, running, servers, ready, with_worker)


async def _listen(settings: Settings, open_: Open) -> socket.socket:
    try:
        return listen(settings)
    except PortTaken:
        # Where this same studio runs already, that is the better sentence: opening it says so.
        await (await open_(settings)).close()
        raise


@contextlib.contextmanager
def _signals() -> Generator[asyncio.Future[int]]:
    """A future of the first signal. The second ends the process as a kill would, which loses nothing."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if stopped.done():
            os._exit(128 + number)
        stopped.set_result(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield stopped
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _until(
    stopped: asyncio.Future[int],
    running: Running,
    servers: dict[_Server, socket.socket],
    ready: Ready,
    with_worker: bool,
) -> int:
    """Serve until ``stopped``, or until something breaks; then end requests and work side by side."""

    def look(done: asyncio.Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None and not stopped.done():
            stopped.set_exception(error)

    serving = [asyncio.ensure_future(server.serve(sockets=[listener])) for server, listener in servers.items()]
    beside = asyncio.ensure_future(_when_open(list(servers), running, ready))
    for task in (*serving, beside):
        task.add_done_callback(look)
    if with_worker:
        running.worker.start()
    try:
        return await stopped
    finally:
        beside.cancel()
        running.app.state.streams.close()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving, beside, running.worker.stop(), return_exceptions=True)


async def _when_open(servers: list[_Server], running: Running, ready: Ready) -> None:
    while not all(server.started for server in servers):  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    await ready(running)
