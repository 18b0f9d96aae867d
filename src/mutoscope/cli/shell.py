"""What all commands share: how they find the studio, how they answer, and how they end."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import uvloop

from mutoscope import logs
from mutoscope.cli.client import Client, Failed, studio_client
from mutoscope.domain.errors import Refused
from mutoscope.settings import Settings, SettingsError, load_settings
from mutoscope.store.port import StoreUnavailable
from mutoscope.wiring import CannotOpen

REFUSED, NO_STUDIO, INTERRUPTED = 1, 3, 130
"""Exit codes; 0 is done, and click ends with 2 for wrong usage."""

T = TypeVar("T")


class Shell:
    """The data folder, and how to answer."""

    def __init__(self, data: Path | None, as_json: bool) -> None:
        self.data, self.as_json = data, as_json

    def load(self, log_from: int = logging.WARNING) -> Settings:
        """The settings, with the log set up as they say, but quieter below ``log_from``. Raises SettingsError."""
        settings = load_settings(self.data)
        logs.configure(settings, log_from)
        return settings

    def settings(self, log_from: int = logging.WARNING) -> Settings:
        """The same; exits with NO_STUDIO and a sentence when they do not hold together."""
        try:
            return self.load(log_from)
        except SettingsError as e:
            self.fail(NO_STUDIO, "settings", str(e))

    def answer(self, data: Any, text: str) -> None:
        """The result on standard output: for a program or for a person."""
        click.echo(json.dumps(data, ensure_ascii=False) if self.as_json else text)

    def complain(self, code: str, detail: str) -> None:
        """Say on standard error what went wrong."""
        problem = {"error": {"code": code, "detail": detail}}
        click.echo(json.dumps(problem, ensure_ascii=False) if self.as_json else f"mutoscope: {detail}", err=True)

    def fail(self, exit_code: int, code: str, detail: str) -> NoReturn:
        """Say why, and exit."""
        self.complain(code, detail)
        sys.exit(exit_code)

    def run(self, action: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run something asynchronous; every refusal ends in a sentence and an exit code."""
        try:
            return run(action)
        except (Failed, Refused) as e:
            self.fail(REFUSED, e.code, e.detail)
        except StoreUnavailable as e:
            self.fail(REFUSED, "unavailable", str(e))
        except (CannotOpen, SettingsError) as e:
            self.fail(NO_STUDIO, "cannot_open", str(e))
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def ask(self, action: Callable[[Client], Coroutine[Any, Any, None]], work: bool = False) -> None:
        """Run something against the studio, the running one or one opened for this."""
        settings = self.settings()
        self.run(lambda: with_studio(settings, action, work))


def run(action: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run something asynchronous to its end. Raises what it raises.

    Ctrl-C cancels it, and KeyboardInterrupt is raised once it has ended; a second one ends the process as a kill would,
    which loses nothing.
    """
    pressed = False

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def press() -> None:
            nonlocal pressed
            if pressed:
                os._exit(INTERRUPTED)
            pressed = True
            task.cancel()

        loop.add_signal_handler(signal.SIGINT, press)
        try:
            return await action()
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        # Its own way with Ctrl-C, an exception out of nowhere, is now and then lost in uvloop.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())
    except asyncio.CancelledError:
        if pressed:
            raise KeyboardInterrupt from None
        raise


async def with_studio(
    settings: Settings, action: Callable[[Client], Coroutine[Any, Any, None]], work: bool = False
) -> None:
    """Do something as a client of the studio. Raises Failed, CannotOpen, SettingsError."""
    async with studio_client(settings, work) as client:
        await action(client)


def _says_json(context: click.Context, _: click.Parameter, given: bool) -> None:
    shell = context.find_object(Shell)
    if shell is not None and given:
        shell.as_json = True


class Command(click.Command):
    """A command that takes --json wherever it stands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=_says_json,
                help="Answer as JSON, without progress bars.",
            )
        )


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type
