"""The commands. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no studio can be opened, 130 interrupted."""

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import click
import uvloop

from mutoscope import __version__, logs
from mutoscope.cli.client import Client, Failed, studio_client
from mutoscope.cli.demo import demo as run_demo
from mutoscope.cli.ordering import describe, order, progress_bar, wait
from mutoscope.cli.serving import PortTaken
from mutoscope.cli.serving import serve as run_server
from mutoscope.domain.errors import Refused
from mutoscope.settings import Settings, SettingsError, load_settings
from mutoscope.wiring import CannotOpen, Running

REFUSED, NO_STUDIO = 1, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The data folder (MUTOSCOPE_DATA_DIR).")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON, without progress bars.")
@click.version_option(__version__, prog_name="mutoscope")
@click.pass_context
def main(context: click.Context, data: Path | None, as_json: bool) -> None:
    """Mutoscope: a self-hosted studio for AI images and video."""
    context.obj = Shell(data, as_json)


class Shell:
    """What every command shares: the data folder, and how to answer."""

    def __init__(self, data: Path | None, as_json: bool) -> None:
        self.data, self.as_json = data, as_json

    def settings(self) -> Settings:
        """The settings. Exits with NO_STUDIO and a sentence when they do not hold together."""
        try:
            return load_settings(self.data)
        except SettingsError as e:
            self.fail(NO_STUDIO, "settings", str(e))

    def answer(self, data: Any, text: str) -> None:
        """The result on standard output: for a program or for a person."""
        click.echo(json.dumps(data, ensure_ascii=False) if self.as_json else text)

    def fail(self, exit_code: int, code: str, detail: str) -> NoReturn:
        """Say why on standard error, and exit."""
        click.echo(
            json.dumps({"error": {"code": code, "detail": detail}}) if self.as_json else f"mutoscope: {detail}",
            err=True,
        )
        sys.exit(exit_code)

    def run(self, action: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something asynchronous; every refusal ends in one line and an exit code."""
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(action())
        except Failed as e:
            self.fail(REFUSED, e.code, e.detail)
        except Refused as e:
            self.fail(REFUSED, e.code, e.detail)
        except (CannotOpen, PortTaken, SettingsError) as e:
            self.fail(NO_STUDIO, "cannot_open", str(e))
        except KeyboardInterrupt:
            sys.exit(130)

    def ask(self, action: Callable[[Client], Coroutine[Any, Any, None]], work: bool = False) -> None:
        """Run something against the studio, the running one or one opened for this."""
        settings = self.settings()

        async def go() -> None:
            async with studio_client(settings, work) as client:
                await action(client)

        self.run(go)


@main.command()
@click.option("--demo", is_flag=True, help="Also make a picture and two films to look at.")
@click.pass_obj
def serve(shell: Shell, demo: bool) -> None:
    """Start the studio: web pages, REST interface and worker."""
    settings = shell.settings()
    logs.configure(settings)

    async def ready(running: Running) -> None:
        studio = running.studio
        click.echo(f"Mutoscope {__version__} is at {studio.base_url} (data in {settings.data_dir.absolute()})")
        if demo:
            async with studio_client(settings) as client:
                await run_demo(client)
        elif secret := await studio.accounts.set_up_secret():
            click.echo(f"Make the administrator's account at {studio.base_url}/set-up?secret={secret}")
        click.echo("Stop with Ctrl-C.")

    shell.run(lambda: run_server(settings, ready))


@main.command()
@click.pass_obj
def worker(shell: Shell) -> None:
    """Work on jobs in a process of its own (with a database that several processes share)."""
    shell.settings()
    shell.fail(
        NO_STUDIO,
        "embedded",
        "With the embedded database the worker runs inside `mutoscope serve`: start that instead.",
    )


@main.command()
@click.argument("prompt", default="")
@click.option("--model", default="local/still", show_default=True)
@click.option(
    "--image", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The picture to start from."
)
@click.option("--set", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the model.")
@click.option("--seed", type=int)
@click.option("--results", type=int, default=1, show_default=True)
@click.option("--visibility", type=click.Choice(["private", "unlisted", "public"]))
@click.option("--as", "person", metavar="NAME", help="Whose tokens (default: the first administrator's).")
@click.option("--key", help="Idempotency key: the same key orders once.")
@click.option("--no-wait", is_flag=True, help="Only order.")
@click.pass_obj
def generate(
    shell: Shell,
    prompt: str,
    model: str,
    image: Path | None,
    parameters: tuple[str, ...],
    seed: int | None,
    results: int,
    visibility: str | None,
    person: str | None,
    key: str | None,
    no_wait: bool,
) -> None:
    """Order a picture or film and wait for it."""
    wish = {
        "model": model,
        "prompt": prompt,
        "seed": seed,
        "results": results,
        "visibility": visibility,
        "parameters": dict(_parameter(text) for text in parameters),
    }

    async def go(client: Client) -> None:
        await client.become(person)
        job = await order(client, {k: v for k, v in wish.items() if v is not None}, image, key or secrets.token_hex(16))
        if not no_wait:
            with progress_bar(quiet=shell.as_json) as progress:
                job = await wait(client, job, progress, model)
        shell.answer(job, "\n".join(map(describe, job["media"])) or f"{job['id']} is {job['stage']}")

    shell.ask(go, work=not no_wait)


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


@main.group()
def media() -> None:
    """Items."""


@media.command("list")
@click.argument("query", default="")
@click.option("--scope", type=click.Choice(["gallery", "library", "trash"]), default="gallery", show_default=True)
@click.option("--as", "person", metavar="NAME", help="As whom to look (default: the first administrator).")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--cursor")
@click.pass_obj
def media_list(shell: Shell, query: str, scope: str, person: str | None, limit: int, cursor: str | None) -> None:
    """Find items."""

    async def go(client: Client) -> None:
        await client.become(person)
        page = await client.get("/api/media", q=query, scope=scope, limit=limit, cursor=cursor)
        shell.answer(page, "\n".join(map(describe, page["items"])) or "Nothing found.")

    shell.ask(go)


@main.group()
def user() -> None:
    """People."""


@user.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else one is made up.")
@click.pass_obj
def user_create(shell: Shell, name: str, role: str, password_stdin: bool) -> None:
    """Make an account."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else None

    async def go(client: Client) -> None:
        made = await client.post("/operator/people", {"name": name, "role": role, "password": password})
        shell.answer(
            made, f"{made['name']} ({made['role']})" + (f" password: {made['password']}" if made["password"] else "")
        )

    shell.ask(go)


@main.group()
def tokens() -> None:
    """Tokens."""


@tokens.command("grant")
@click.argument("name")
@click.argument("amount", type=int)
@click.option("--memo", default="")
@click.option("--reference", help="The same reference grants once, however often it is sent.")
@click.pass_obj
def tokens_grant(shell: Shell, name: str, amount: int, memo: str, reference: str | None) -> None:
    """Give tokens to a person."""

    async def go(client: Client) -> None:
        grant = {
            "name": name,
            "amount": amount,
            "memo": memo,
            "reference": reference or f"operator:{secrets.token_hex(16)}",
        }
        balance = await client.post("/operator/grants", grant)
        shell.answer(balance, f"{name} has {balance['available']} tokens, {balance['held']} held")

    shell.ask(go)


@main.command()
@click.option("--ledger", is_flag=True, help="Only prove that the ledger adds up.")
@click.pass_obj
def doctor(shell: Shell, ledger: bool) -> None:
    """Check every part, one line each, with the remedy where one fails."""

    async def go(client: Client) -> None:
        findings = await client.get("/operator/checkup", only_ledger=ledger)
        shell.answer(findings, "\n".join(map(_finding, findings)))
        if not all(finding["good"] for finding in findings):
            sys.exit(REFUSED)

    shell.ask(go)


def _finding(finding: Any) -> str:
    line = f"{'ok  ' if finding['good'] else 'FAIL'}  {finding['part']}: {finding['says']}"
    return line + (f"\n      {finding['remedy']}" if finding["remedy"] else "")


@main.command()
@click.pass_obj
def version(shell: Shell) -> None:
    """Say which version this is."""
    shell.answer({"version": __version__}, __version__)
