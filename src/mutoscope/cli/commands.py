"""The commands. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no studio can be opened, 130 interrupted."""

import json
import logging
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import click

from mutoscope import __version__
from mutoscope.cli.client import Client, Failed, studio_client
from mutoscope.cli.demo import demo as run_demo
from mutoscope.cli.doctor import Examination
from mutoscope.cli.invites import invites
from mutoscope.cli.keys import keys
from mutoscope.cli.models import models
from mutoscope.cli.ordering import describe, order, progress_bar, wait
from mutoscope.cli.outcomes import jobs
from mutoscope.cli.saving import back_up, describe_backup, describe_restored, load, look_at
from mutoscope.cli.serving import serve as run_server
from mutoscope.cli.serving import work as run_worker
from mutoscope.cli.shell import INTERRUPTED, NO_STUDIO, REFUSED, Group, Shell
from mutoscope.cli.storage import storage
from mutoscope.settings import Settings
from mutoscope.wiring import Running


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The data folder (MUTOSCOPE_DATA_DIR).")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON, without progress bars.")
@click.version_option(__version__, prog_name="mutoscope")
@click.pass_context
def main(context: click.Context, data: Path | None, as_json: bool) -> None:
    """Mutoscope: a self-hosted studio for AI images and video."""
    context.obj = Shell(data, as_json)


@main.command()
@click.option("--demo", is_flag=True, help="Also make a picture and two films to look at.")
@click.option("--no-worker", is_flag=True, help="Leave the jobs to `mutoscope worker` (with MONGODB_URI).")
@click.pass_obj
def serve(shell: Shell, demo: bool, no_worker: bool) -> None:
    """Start the studio: web pages, REST interface and worker."""
    settings = shell.settings(log_from=logging.WARNING if demo else logging.NOTSET)
    if no_worker:
        _check_shared(shell, settings, "start it without --no-worker.")

    async def ready(running: Running) -> None:
        await _welcome(shell, settings, running, with_set_up=not demo)
        if demo:
            await _show(shell, settings)

    if shell.run(lambda: run_server(settings, ready, with_worker=not no_worker)) == signal.SIGINT:
        sys.exit(INTERRUPTED)


def _check_shared(shell: Shell, settings: Settings, instead: str) -> None:
    """Web pages and jobs in processes of their own have to find the same records and the same media."""
    if settings.mongodb_uri is None:
        embedded = "With the embedded database the worker runs inside `mutoscope serve`:"
        shell.fail(NO_STUDIO, "embedded", f"{embedded} {instead}")
    if settings.aws_s3_bucket is None:
        shell.fail(
            NO_STUDIO,
            "folder",
            "AWS_S3_BUCKET is missing: without a bucket each process would keep media in a data folder of its own,"
            " where the others cannot find them.",
        )


async def _welcome(shell: Shell, settings: Settings, running: Running, with_set_up: bool) -> None:
    # The demo makes an administrator of its own.
    studio, data = running.studio, settings.data_dir.absolute()
    secret = await studio.accounts.set_up_secret() if with_set_up else None
    set_up = f"{studio.base_url}/set-up?secret={secret}" if secret else None
    lines = [f"Mutoscope {__version__} is at {studio.base_url} (data in {data})"]
    lines += [f"Make the administrator's account at {set_up}"] if set_up else []
    shell.answer(
        {"version": __version__, "base_url": studio.base_url, "data": str(data), "set_up": set_up},
        "\n".join([*lines, "Stop with Ctrl-C."]),
    )


async def _show(shell: Shell, settings: Settings) -> None:
    try:
        async with studio_client(settings) as client:
            await run_demo(client, shell)
    except Failed as e:
        shell.complain(
            e.code, f"The demo did not come to its end: {e.detail} The studio goes on; start it again to retry."
        )


@main.command()
@click.pass_obj
def worker(shell: Shell) -> None:
    """Work on jobs in a process of its own, as many as wanted (with MONGODB_URI)."""
    settings = shell.settings(log_from=logging.NOTSET)
    _check_shared(shell, settings, "start that instead.")

    async def ready(_: Running) -> None:
        data = settings.data_dir.absolute()
        about = {"version": __version__, "data": str(data)}
        shell.answer(about, f"Mutoscope {__version__} works on jobs (data in {data})\nStop with Ctrl-C.")

    if shell.run(lambda: run_worker(settings, ready)) == signal.SIGINT:
        sys.exit(INTERRUPTED)


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
    if password == "":
        raise click.UsageError("--password-stdin was given, and there is no password on standard input.")

    async def go(client: Client) -> None:
        made = await client.post("/operator/people", {"name": name, "role": role, "password": password})
        shell.answer(
            made, f"{made['name']} ({made['role']})" + (f" password: {made['password']}" if made["password"] else "")
        )

    shell.ask(go)


@user.command("reset")
@click.argument("name")
@click.pass_obj
def user_reset(shell: Shell, name: str) -> None:
    """Print a link with which somebody sets a new password; it works once, for an hour."""

    async def go(client: Client) -> None:
        made = await client.post("/operator/reset-links", {"name": name})
        shell.answer(made, made["url"])

    shell.ask(go)


@user.command("email")
@click.argument("name")
@click.argument("address", required=False)
@click.option("--remove", is_flag=True, help="Take the address away.")
@click.pass_obj
def user_email(shell: Shell, name: str, address: str | None, remove: bool) -> None:
    """Say, set or remove the e-mail address that links for a new password are mailed to."""
    if remove and address:
        raise click.UsageError("--remove takes no address.")
    wanted = {"email": address} if address or remove else {}

    async def go(client: Client) -> None:
        found = await client.post("/operator/emails", {"name": name} | wanted)
        shell.answer(found, found["email"] or f"{found['name']} has no e-mail address")

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
@click.option("--end-to-end", is_flag=True, help="Then do what a person would: register, make, look, and clean up.")
@click.option("--yes", is_flag=True, help="With --end-to-end: do not ask where that costs money.")
@click.option("--clean-up", metavar="NAME", help="Take away what an --end-to-end that was cut short has left.")
@click.pass_obj
def doctor(shell: Shell, ledger: bool, end_to_end: bool, yes: bool, clean_up: str | None) -> None:
    """Check every part, one line each, with the remedy where one fails."""
    if ledger + end_to_end + (clean_up is not None) > 1:
        raise click.UsageError("--ledger, --end-to-end and --clean-up are each for themselves.")
    examination = Examination(shell)
    try:
        if clean_up is not None:
            examination.clean_up(clean_up)
        elif end_to_end:
            examination.rehearse(agreed=yes)
        else:
            examination.examine(only_ledger=ledger)
    finally:
        examination.end()
    sys.exit(examination.exit_code)


@main.command()
@click.argument("target", type=click.Path(path_type=Path, file_okay=False, resolve_path=True))
@click.option("--verify", is_flag=True, help="Then open the copy, and look at every file in it.")
@click.pass_obj
def backup(shell: Shell, target: Path, verify: bool) -> None:
    """Copy everything into a folder that a studio can be started on; run again, it copies what is new."""
    exit_code = 0

    async def go(client: Client) -> None:
        nonlocal exit_code
        with progress_bar(quiet=shell.as_json) as progress:
            manifest = await back_up(client, target, progress)
            verified = await look_at(target, progress) if verify else None
        shell.answer({"manifest": manifest, "verified": verified}, describe_backup(manifest, verified))
        exit_code = REFUSED if verified and verified["wrong"] else 0

    shell.ask(go)
    sys.exit(exit_code)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True))
@click.pass_obj
def restore(shell: Shell, folder: Path) -> None:
    """Load a backup into an empty MongoDB and its media into the bucket; run again, it goes on."""
    settings = shell.settings()

    async def go() -> None:
        with progress_bar(quiet=shell.as_json) as progress:
            restored = await load(settings, folder, progress)
        shell.answer(restored, describe_restored(restored))

    shell.run(go)


@main.command()
@click.pass_obj
def version(shell: Shell) -> None:
    """Say which version this is."""
    shell.answer({"version": __version__}, __version__)


main.add_command(jobs)
main.add_command(invites)
main.add_command(keys)
main.add_command(models)
main.add_command(storage)
